import type { Clock } from "../../platform/clock";
import type { Metrics } from "../../platform/metrics";
import { type ItemEvent, stepItem } from "./item-machine";
import type { ItemFacts, ItemRepository } from "./item-repository";
import type { Item, Task } from "./task";
import { openOf, stepTask } from "./task-machine";
import type { TaskRepository } from "./task-repository";

type Parts = {
  readonly tasks: TaskRepository;
  readonly items: ItemRepository;
  readonly clock: Pick<Clock, "now">;
  readonly metrics: Metrics;
};

/** What happens to sub-tasks, and to their task by that. All of it only inside a transaction. */
export function itemChanges({ tasks, items, clock, metrics }: Parts) {
  const ended = metrics.counter("islet_batch_items_total", "Sub-tasks of batch tasks that have ended, by state");

  /** Did the task end by it? The runner asks for that too: a task may have no sub-task at all. */
  function settle(task: Task): boolean {
    if (openOf(task) > 0) return false;
    const next = stepTask(task, { type: "settled", expired: task.counts.expired > 0 });
    if (next === task) return false;
    tasks.setState(task.no, next, clock.now());
    return true;
  }

  return {
    settle,
    /** Steps the machine and stores what comes out. False: it did not concern the sub-task any more. */
    apply({ taskNo, pos, state }: Pick<Item, "taskNo" | "pos" | "state">, event: ItemEvent, facts: ItemFacts = {}) {
      const step = stepItem(state, event);
      if (!step) return false;
      const isEnd = step.next !== "Pending" && step.next !== "WaitResult";
      items.save({ taskNo, pos }, step.next, facts, isEnd ? clock.now() : undefined);
      if (isEnd) ended.with({ state: step.next }).add();
      settle(tasks.count(taskNo, step.counts));
      return true;
    },
  };
}
export type ItemChanges = ReturnType<typeof itemChanges>;
