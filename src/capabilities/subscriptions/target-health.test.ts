import { expect, test } from "bun:test";
import { HEALTHY, type HealthEvent, nextHealth, type TargetHealth } from "./target-health";

const LIMITS = { maxFailedRetries: 3, retryIntervalMs: 30_000 };
const valid = (failedRetries: number, countedAt?: number): TargetHealth => ({
  state: "valid",
  failedRetries,
  countedAt,
});
const invalid: TargetHealth = { state: "invalid", since: 60_000 };
const failedAt = (at: number): HealthEvent => ({ type: "retryFailed", at });

const TABLE: [rule: string, from: TargetHealth, event: HealthEvent, next: TargetHealth][] = [
  ["counts a failed retry", HEALTHY, failedAt(0), valid(1, 0)],
  ["counts the failures of one interval once", valid(1, 0), failedAt(20_000), valid(1, 0)],
  ["counts the next interval", valid(1, 0), failedAt(30_000), valid(2, 30_000)],
  ["becomes invalid at the limit", valid(2, 30_000), failedAt(60_000), invalid],
  ["is not invalid one below", valid(1, undefined), failedAt(60_000), valid(2, 60_000)],
  ["starts again after an answer", valid(2, 30_000), { type: "answered" }, HEALTHY],
  ["stays invalid when a retry of before fails", invalid, failedAt(90_000), invalid],
  ["is valid again when the probe gets through", invalid, { type: "probeSucceeded" }, HEALTHY],
  ["is valid again when a request of before is answered", invalid, { type: "answered" }, HEALTHY],
];
test.each(TABLE)("an address %s", (_rule, from, event, next) => {
  expect(nextHealth(from, event, LIMITS)).toEqual(next);
});
