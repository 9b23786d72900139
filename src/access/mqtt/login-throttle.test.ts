import { expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { loginThrottle } from "./login-throttle";

test("refusals take longer from the third failure on, up to the limit", () => {
  const throttle = loginThrottle(manualClock(), { loginFailuresAllowed: 2, loginDelayMs: 100, maxLoginDelayMs: 500 });
  expect(Array.from({ length: 7 }, () => throttle.failed("a", "id"))).toEqual([0, 0, 100, 200, 400, 500, 500]);
  expect(throttle.failed("b", "id")).toBe(0);
  expect(throttle.failed("a", "other")).toBe(0);
});

test("while a refusal is held back, others of the pair are not looked at; success forgets", async () => {
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
