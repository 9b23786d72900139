import { expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { connectThrottle, loginThrottle } from "./throttles";

test("connections: a burst, then the rate, for each address alone", async () => {
  const clock = manualClock();
  const throttle = connectThrottle(clock, 10, 3);
  const admitted = (address: string, attempts: number) =>
    Array.from({ length: attempts }, () => throttle.admit(address)).filter(Boolean).length;
  expect(admitted("a", 5)).toBe(3);
  expect(admitted("b", 5)).toBe(3);
  await clock.advance(200);
  expect(admitted("a", 5)).toBe(2);
  await clock.advance(3_600_000);
  expect(admitted("a", 10)).toBe(3);
});

test("connections: the last thousands of addresses are remembered, older ones are not", () => {
  const throttle = connectThrottle(manualClock(), 1, 1);
  throttle.admit("first");
  for (let index = 0; index < 4_000; index++) throttle.admit(`10.0.0.${index}`);
  expect(throttle.admit("first")).toBe(false);
  for (let index = 0; index < 20_000; index++) throttle.admit(`10.1.0.${index}`);
  expect(throttle.admit("first")).toBe(true);
});

test("logins: refusals take longer from the third failure on, up to the limit", () => {
  const throttle = loginThrottle(manualClock(), { loginFailuresAllowed: 2, loginDelayMs: 100, maxLoginDelayMs: 500 });
  expect(Array.from({ length: 7 }, () => throttle.failed("a", "id"))).toEqual([0, 0, 100, 200, 400, 500, 500]);
  expect(throttle.failed("b", "id")).toBe(0);
  expect(throttle.failed("a", "other")).toBe(0);
});

test("logins: while a refusal is held back, others of the pair are not looked at; success forgets", async () => {
  const clock = manualClock();
  const throttle = loginThrottle(clock, { loginFailuresAllowed: 0, loginDelayMs: 100, maxLoginDelayMs: 500 });
  throttle.failed("a", "id");
  expect([throttle.isBlocked("a", "id"), throttle.isBlocked("b", "id"), throttle.isBlocked("a", "x")]).toEqual([
    true,
    false,
    false,
  ]);
  await clock.advance(100);
  expect(throttle.isBlocked("a", "id")).toBe(false);
  throttle.succeeded("a", "id");
  expect(throttle.failed("a", "id")).toBe(100);
});
