import { expect, test } from "bun:test";
import { inBounds, steppedWork } from "./stepped-work";
import { manualClock } from "./testing/manual-clock";

function start(results: (number | undefined | Error)[]) {
  const clock = manualClock();
  const steps: number[] = [];
  const told: unknown[] = [];
  const work = steppedWork({
    async step() {
      steps.push(clock.monotonic());
      const result = results.shift();
      if (result instanceof Error) throw result;
      return result;
    },
    msUntilNext: () => 1_000,
    observe: (seconds) => told.push(seconds),
    failed: (error) => told.push((error as Error).message),
    clock,
    settings: { dutyCycle: 0.5, maxPauseMs: 200, faultPauseMs: 5_000 },
  });
  return { clock, steps, told, work };
}

test("a step pauses for as long as it took, a long one no longer than it may, a failed one for its own time", async () => {
  const { clock, steps, told, work } = start([10, 900, new Error("disk full"), undefined]);
  const worker = work.start();
  await clock.advance(6_000);
  expect(steps).toEqual([0, 10, 210, 5_210]);
  expect(told).toEqual([0.01, 0.9, "disk full"]);
  await worker.stop();
});

test("what has nothing to do rests until its time, or until it is woken", async () => {
  const { clock, steps, work } = start([]);
  const worker = work.start();
  await clock.advance(1_000);
  await clock.advance(500);
  work.wake();
  await clock.advance(0);
  expect(steps).toEqual([0, 1_000, 1_500]);
  await worker.stop();
  await clock.advance(10_000);
  expect(steps.length).toBe(3);
});

test("in bounds: at least one, no more when the time is over", () => {
  let now = 0;
  const clock = { monotonic: () => now };
  const done: number[] = [];
  const work = (one: number) => {
    done.push(one);
    now += 3;
  };
  expect([inBounds([1, 2, 3, 4], work, { ms: 5, clock }), inBounds([5, 6], work, { ms: 0, clock })]).toEqual([2, 1]);
  expect([inBounds([7], work, { ms: 9, clock }), inBounds([], work, { ms: 9, clock }), done]).toEqual([
    1,
    0,
    [1, 2, 5, 7],
  ]);
});
