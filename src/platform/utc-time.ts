/** Times of the vendor API: UTC, `yyyyMMdd'T'HHmmss'Z'`, for example `20151212T121212Z`. */
const FORM = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

export function renderUtcTime(ms: number): string {
  const text = new Date(ms).toISOString();
  const day = text.length - 14; // years before 0 and after 9999 have a sign and six digits
  const date = text.slice(0, day - 6) + text.slice(day - 5, day - 3) + text.slice(day - 2, day);
  return `${date}T${text.slice(day + 1, day + 3)}${text.slice(day + 4, day + 6)}${text.slice(day + 7, day + 9)}Z`;
}

/** Milliseconds since 1970, or undefined when the text is not exactly of the form or names no real date. */
export function parseUtcTime(text: string): number | undefined {
  const parts = FORM.exec(text);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  return renderUtcTime(ms) === text ? ms : undefined; // the 31st of February does not come back as itself
}
