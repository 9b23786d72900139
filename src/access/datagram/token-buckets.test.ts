import { expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { tokenBuckets } from "./token-buckets";

test("a burst, then the rate, for each address alone", async () => {
  const clock = manualClock();
  const throttle = tokenBuckets(clock, 10, 3);
  const admitted = (address: string, attempts: number) =>
    Array.from({ length: attempts }, () => throttle.admit(address)).filter(Boolean).length;
  expect(admitted("a", 5)).toBe(3);
  expect(admitted("b", 5)).toBe(3);
  await clock.advance(200);
  expect(admitted("a", 5)).toBe(2);
  await clock.advance(3_600_000);
  expect(admitted("a", 10)).toBe(3);
});

test("the last thousands of addresses are remembered, older ones are not", () => {
  const throttle = tokenBuckets(manualClock(), 1, 1);
  throttle.admit("first");
  for (let index = 0; index < 4_000; index++) throttle.admit(`10.0.0.${index}`);
  expect(throttle.admit("first")).toBe(false);
  for (let index = 0; index < 20_000; index++) throttle.admit(`10.1.0.${index}`);
  expect(throttle.admit("first")).toBe(true);
});

test("a bucket gives its burst, then its rate, to each key", async () => {
  const clock = manualClock();
  const buckets = tokenBuckets(clock, 2, 3);
  const admitted = (key: string, tries: number) =>
    Array.from({ length: tries }, () => buckets.admit(key)).filter(Boolean).length;
  expect([admitted("a", 5), admitted("b", 5)]).toEqual([3, 3]);
  await clock.advance(1_000);
  expect(admitted("a", 5)).toBe(2);
  await clock.advance(60_000);
  expect(admitted("a", 5)).toBe(3);
});
