import { expect, test } from "bun:test";
import { manualClock } from "./testing/manual-clock";
import { startUpkeep } from "./upkeep";

test("sweeps at once and in its rhythm, goes on after a round that failed, and stops", async () => {
  const clock = manualClock();
  const sweptAt: number[] = [];
  const errors: unknown[] = [];
  const since = clock.now();
  const worker = startUpkeep({
    ...{ clock, everyMs: 1_000, failed: (error) => void errors.push(error) },
    async sweep() {
      sweptAt.push(clock.now() - since);
      if (sweptAt.length === 2) throw new Error("disk full");
    },
  });
  await clock.advance(2_500);
  await worker.stop();
  await clock.advance(5_000);
  expect(sweptAt).toEqual([0, 1_000, 2_000]);
  expect(errors).toEqual([new Error("disk full")]);
});

test("the stop waits for the round under way, and no other follows", async () => {
  const clock = manualClock();
  const round = Promise.withResolvers<void>();
  let rounds = 0;
  const worker = startUpkeep({
    ...{ clock, everyMs: 1, failed() {} },
    sweep() {
      rounds++;
      return round.promise;
    },
  });
  let isStopped = false;
  const stopped = worker.stop().then(() => {
    isStopped = true;
  });
  await clock.advance(10);
  expect(isStopped).toBe(false);
  round.resolve();
  await stopped;
  expect(rounds).toBe(1);
});
