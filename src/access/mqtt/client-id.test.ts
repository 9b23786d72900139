import { expect, test } from "bun:test";
import { isHourWithin, parseClientId } from "./client-id";

test.each([
  ["p1_meter_0_0_2018072417", { id: "p1_meter", idKind: "deviceId", checksTimestamp: false, timestamp: "2018072417" }],
  ["meter_2_1_2018072417", { id: "meter", idKind: "nodeId", checksTimestamp: true, timestamp: "2018072417" }],
  // Parts are taken from the right, whatever the id looks like.
  [
    "a_0_0_2018072417_2_1_2018072418",
    { id: "a_0_0_2018072417", idKind: "nodeId", checksTimestamp: true, timestamp: "2018072418" },
  ],
  ["__0_0_2018072417", { id: "_", idKind: "deviceId", checksTimestamp: false, timestamp: "2018072417" }],
] as const)("%s is parsed", (clientId, identity) => expect(parseClientId(clientId)).toEqual(identity));

test.each([
  "",
  "_0_0_2018072417",
  "meter",
  "meter_0_2018072417",
  "meter_1_0_2018072417",
  "meter_0_2_2018072417",
  "meter_0_0_201807241",
  "meter_0_0_20180724170",
  "meter_0_0_2018072417 ",
  "meter_0_0_20180724１7",
  `${"x".repeat(243)}_0_0_2018072417`,
])("%p is no client id of a device", (clientId) => expect(parseClientId(clientId)).toBeUndefined());

test("256 characters are allowed", () => expect(parseClientId(`${"x".repeat(241)}_0_0_2018072417`)).toBeDefined());

const NOON = Date.UTC(2026, 0, 1, 12, 34, 56);
test.each([
  ["2026010112", true],
  ["2026010111", true],
  ["2026010113", true],
  ["2026010110", false],
  ["2026010114", false],
  ["2025010112", false],
  ["2026013212", false],
  ["2026010136", false],
  ["0000000000", false],
])("%s is within the hour of 2026-01-01 12:34:56: %p", (timestamp, expected) =>
  expect(isHourWithin(timestamp, NOON, 3_600_000)).toBe(expected),
);

test("the turn of the year is an hour like others", () =>
  expect(isHourWithin("2025123123", Date.UTC(2026, 0, 1, 0, 1), 3_600_000)).toBe(true));
test("the tolerance counts", () => expect(isHourWithin("2026010108", NOON, 4 * 3_600_000)).toBe(true));
