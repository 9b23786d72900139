import { expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { turnBudget } from "./turn-budget";

function start(budgetMs: number) {
  const clock = manualClock();
  let nowMs = 0;
  let timers = 0;
  const budget = turnBudget(
    {
      monotonic: () => nowMs,
      after: (ms, run) => {
        timers++;
        return clock.after(ms, run);
      },
    },
    budgetMs,
  );
  const spend = (ms: number) => {
    const since = budget.begin();
    nowMs += ms;
    budget.end(since);
  };
  return { budget, spend, turn: () => clock.advance(0), idle: (ms: number) => (nowMs += ms), timers: () => timers };
}

test("is spent by what is done, not by the time in between, and new when the loop has come round", async () => {
  const { budget, spend, turn, idle } = start(50);
  spend(30);
  idle(1_000);
  expect(budget.isSpent).toBeFalse();
  spend(20);
  expect(budget.isSpent).toBeTrue();
  await turn();
  expect(budget.isSpent).toBeFalse();
  spend(49);
  expect(budget.isSpent).toBeFalse();
});

test("sets one timer when half of it is gone, and none before", async () => {
  const { spend, turn, timers } = start(50);
  for (let count = 0; count < 24; count++) spend(1);
  expect(timers()).toBe(0);
  for (let count = 0; count < 10; count++) spend(1);
  expect(timers()).toBe(1);
  await turn();
  spend(25);
  expect(timers()).toBe(2);
});
