import { expect, test } from "bun:test";
import { afterFailure, type BackOff, waitBefore } from "./back-off";

const settings = { freeFailures: 2, firstDelayMs: 100, maxDelayMs: 350, forgetAfterMs: 10_000 };
const state = (failures: number, lastFailureAt: number, delay: number): BackOff => ({
  failures,
  lastFailureAt,
  notBefore: lastFailureAt + delay,
});

const TABLE: [rule: string, from: BackOff | undefined, now: number, next: BackOff][] = [
  ["the first failure costs nothing", undefined, 0, state(1, 0, 0)],
  ["nor does the last free one", state(1, 0, 0), 5, state(2, 5, 0)],
  ["the next one costs the first delay", state(2, 5, 0), 6, state(3, 6, 100)],
  ["each further one doubles it", state(3, 6, 100), 200, state(4, 200, 200)],
  ["up to the limit", state(4, 200, 200), 500, state(5, 500, 350)],
  ["for however many", state(5_000, 500, 350), 600, state(5_001, 600, 350)],
  ["just before it is forgotten it still counts", state(5, 500, 350), 10_499, state(6, 10_499, 350)],
  ["after the time it is forgotten", state(5, 500, 350), 10_500, state(1, 10_500, 0)],
];
test.each(TABLE)("%s", (_rule, from, now, next) => {
  expect(afterFailure(from, now, settings)).toEqual(next);
});

test.each([
  ["nothing failed", undefined, 5, 0],
  ["a delay began", state(3, 0, 100), 0, 100],
  ["part of it passed", state(3, 0, 100), 60, 40],
  ["it is over", state(3, 0, 100), 101, 0],
] as const)("the wait when %s", (_rule, from, now, wait) => expect(waitBefore(from, now)).toBe(wait));
