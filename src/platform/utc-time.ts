/** Times of the vendor API: UTC, `yyyyMMdd'T'HHmmss'Z'`, for example `20151212T121212Z`. */
const FORM = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

export function renderUtcTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, "");
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
