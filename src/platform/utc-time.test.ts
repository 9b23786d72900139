import { expect, test } from "bun:test";
import { parseUtcTime, renderUtcTime } from "./utc-time";

test.each([
  ["1970-01-01T00:00:00.000Z", "19700101T000000Z"],
  ["2026-11-28T07:05:09.999Z", "20261128T070509Z"],
  ["9999-12-31T23:59:59.000Z", "99991231T235959Z"],
  ["0001-02-03T04:05:06.007Z", "00010203T040506Z"],
  ["+012026-01-02T03:04:05.000Z", "+0120260102T030405Z"],
  ["-000001-01-02T03:04:05.000Z", "-0000010102T030405Z"],
])("%s is %s", (iso, text) => {
  expect(renderUtcTime(Date.parse(iso))).toBe(text);
});

test("what is shown is read back, to the second", () => {
  expect(parseUtcTime(renderUtcTime(Date.UTC(2026, 1, 28, 23, 59, 59, 400)))).toBe(Date.UTC(2026, 1, 28, 23, 59, 59));
});

test.each(["20260229T000000Z", "2026-02-28T00:00:00Z", "20260228T240000Z", "20260228T000000", ""])(
  "%p is no time",
  (text) => {
    expect(parseUtcTime(text)).toBeUndefined();
  },
);
