import type { Clock } from "../../platform/clock";

/**
 * Counts the time that is spent on something until the event loop has come round. A timer tells that it has; none is set
 * before half the budget is gone, so that who does little sets none.
 */
export function turnBudget(clock: Pick<Clock, "monotonic" | "after">, budgetMs: number) {
  let spentMs = 0;
  let isTimed = false;

  function renew(): void {
    spentMs = 0;
    isTimed = false;
  }

  return {
    get isSpent(): boolean {
      return spentMs >= budgetMs;
    },
    begin: (): number => clock.monotonic(),
    end(sinceMs: number): void {
      spentMs += clock.monotonic() - sinceMs;
      if (isTimed || spentMs * 2 < budgetMs) return;
      isTimed = true;
      clock.after(0, renew);
    },
  };
}
