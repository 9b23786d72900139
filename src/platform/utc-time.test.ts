import { expect, test } from "bun:test";
import { parseUtcTime, renderUtcTime } from "./utc-time";

test.each([
  [0, "19700101T000000Z"],
  [-1, "19691231T235959Z"],
  [86_399_999, "19700101T235959Z"],
  [86_400_000, "19700102T000000Z"],
  [Date.UTC(2024, 1, 29, 12, 12, 12, 999), "20240229T121212Z"],
  [Date.UTC(9999, 11, 31, 23, 59, 59), "99991231T235959Z"],
])("%d is %s, whichever day was asked for before", (ms, text) => {
  for (const before of [ms, ms + 86_400_000, ms - 86_400_000]) {
    renderUtcTime(before);
    expect(renderUtcTime(ms)).toBe(text);
  }
});

test("agrees with the runtime's own form", () => {
  for (let ms = -3e11; ms < 4e12; ms += 7_777_777_777)
    expect(renderUtcTime(ms)).toBe(new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, ""));
});

test("what is no time is refused, and spoils nothing", () => {
  expect(() => renderUtcTime(Number.NaN)).toThrow(RangeError);
  expect(renderUtcTime(0)).toBe("19700101T000000Z");
});

test("reads what it writes, and no other form", () => {
  expect(parseUtcTime("20151212T121212Z")).toBe(Date.UTC(2015, 11, 12, 12, 12, 12));
  for (const text of ["20150231T000000Z", "20151212T126012Z", "20151212t121212Z", ""])
    expect(parseUtcTime(text)).toBeUndefined();
});
