/** Times of the vendor API: UTC, `yyyyMMdd'T'HHmmss'Z'`, for example `20151212T121212Z`. */
const FORM = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

const DAY_MS = 86_400_000;
const TWO_DIGITS = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, "0"));
let day = Number.NaN; // of the text below: lists render many times of the same few days
let dayText = "";

export function renderUtcTime(ms: number): string {
  const ownDay = Math.floor(ms / DAY_MS);
  if (ownDay !== day) {
    dayText = new Date(ms).toISOString().split("T", 1)[0]?.replace(/(.)-/g, "$1") ?? "";
    day = ownDay;
  }
  const second = Math.floor((ms - ownDay * DAY_MS) / 1_000);
  const [h, m, s] = [Math.floor(second / 3_600), Math.floor(second / 60) % 60, second % 60];
  return `${dayText}T${TWO_DIGITS[h]}${TWO_DIGITS[m]}${TWO_DIGITS[s]}Z`;
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
