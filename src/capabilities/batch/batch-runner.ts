import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import { inBounds, steppedWork } from "../../platform/stepped-work";
import type { Transactor } from "../../platform/storage/group-commit";
import { savepoint } from "../../platform/storage/savepoint";
import type { CommandTransactions } from "../commands/command";
import type { findTargets } from "./find-targets";
import type { ItemChanges } from "./item-changes";
import type { ItemRepository } from "./item-repository";
import type { Specs } from "./specs";
import type { Started } from "./start-items";
import type { BatchSettings, Item, ItemError, Task } from "./task";
import { pendingOf, stepTask, type TaskEvent } from "./task-machine";
import type { TaskRepository } from "./task-repository";

type Parts = {
  readonly db: Database;
  readonly transactor: Transactor;
  readonly tasks: TaskRepository;
  readonly items: ItemRepository;
  readonly changes: ItemChanges;
  readonly specs: Specs;
  readonly next: ReturnType<typeof findTargets>;
  readonly start: (task: Task, item: Item) => Started;
  readonly commands: Pick<CommandTransactions, "withdraw">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: BatchSettings;
};

/**
 * Does what the tasks are for, a bounded step of one task in one transaction, then of the next one; where it is, is in
 * the database, so a later run goes on from there. `settings.dutyCycle` is the share of the time that it may take.
 */
export function batchRunner(parts: Parts) {
  const { db, transactor, tasks, items, changes, specs, next, start, commands, clock, log, settings } = parts;
  const alone = savepoint(db, "batch_item");
  const stepSeconds = parts.metrics.histogram(
    "islet_batch_step_seconds",
    "How long a step of a batch task held the event loop, its commit left out",
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
  );
  let lastNo = 0;
  let nextSweep = 0;
  let isFirst = true;
  const bounds = { ms: settings.stepMs, clock };

  const set = (task: Task, event: TaskEvent): Task => {
    const state = stepTask(task, event);
    if (state === task) return task;
    return tasks.setState(task.no, state, state.phase === "ended" ? clock.now() : task.endedAt);
  };

  function expand(task: Task): void {
    const spec = specs.of(task.no);
    if (spec.kind === "registration") throw new Error("a file has no targets");
    const found = next(task, spec, tasks.cursor(task.no), settings.stepItems);
    let { total } = task;
    for (const item of found.items) {
      if (items.hasTarget(task.no, item.target)) continue;
      items.add(task.no, total, item);
      total += 1;
    }
    tasks.addTotal(task.no, total - task.total);
    if (found.cursor) tasks.setCursor(task.no, found.cursor);
    else changes.settle(set({ ...task, total }, { type: "expanded", due: task.startAt <= clock.now() }));
  }

  function startOne(task: Task, item: Item): void {
    // An earlier one may have seen to it: who deletes a gateway deletes what is behind it.
    const current = items.get(item.taskNo, item.pos);
    if (current?.state !== "Pending") return;
    alone(
      () => {
        const { event, facts } = start(task, current);
        const latest = items.get(item.taskNo, item.pos) ?? current;
        changes.apply(latest, event, facts);
      },
      (error) => {
        if (!(error instanceof DomainError))
          log.error("batch_item_failed", { taskId: task.id, target: item.target, error });
        changes.apply(
          current,
          { type: "failed" },
          { error: toItemError(error), sealed: task.kind === "registration" ? null : undefined },
        );
      },
    );
  }

  function closeOne(task: Task, item: Item): void {
    const wasPending = item.state === "Pending";
    if (item.commandNo !== undefined) commands.withdraw(item.commandNo); // one that waits ends here, and its sub-task with it
    const current = items.get(item.taskNo, item.pos) ?? item;
    const isTimeout = task.ending === "Timeout";
    const error: ItemError = { code: isTimeout ? "TASK_TIMEOUT" : "TASK_STOPPED" };
    const sealed = task.kind === "registration" ? null : undefined;
    changes.apply(current, isTimeout ? { type: "timedOut", expired: wasPending } : { type: "failed" }, {
      error,
      sealed,
    });
  }

  function close(task: Task): void {
    const open = (["Pending", "WaitResult"] as const).flatMap((state) =>
      items.inState(task.no, state, settings.stepItems),
    );
    inBounds(open, (item) => closeOne(task, item), bounds);
    const current = tasks.get(task.no);
    if (current) changes.settle(current);
  }

  function remove(task: Task): void {
    if (items.deleteSome(task.no, settings.stepItems) === 0) tasks.remove(task.no);
    specs.forget(task.no);
  }

  /** What is to be done for the task now; undefined: nothing. */
  function workOf(task: Task, now: number): (() => void) | undefined {
    if (task.phase === "deleting") return () => remove(task);
    if (task.phase === "closing") return () => close(task);
    if (task.phase === "loading" || task.phase === "ended") return undefined; // whoever loads it goes on with it
    if (task.deadline !== undefined && task.deadline <= now) return () => void set(task, { type: "overdue" });
    if (task.phase === "expanding") return () => expand(task);
    if (task.phase === "scheduled")
      return task.startAt <= now ? () => void changes.settle(set(task, { type: "due" })) : undefined;
    if (pendingOf(task) === 0) return undefined;
    const due = items.due(task.no, now, settings.stepItems);
    return due.length === 0 ? undefined : () => void inBounds(due, (item) => startOne(task, item), bounds);
  }

  /** The task after the last one that has something to do, in turn. */
  function findWork(now: number): { task: Task; work: () => void } | undefined {
    const open = tasks.open();
    for (const task of [...open.filter(({ no }) => no > lastNo), ...open.filter(({ no }) => no <= lastNo)]) {
      const work = workOf(task, now);
      if (work) return { task, work };
    }
    return undefined;
  }

  /** In one transaction; how long that took without its commit, or undefined: nothing to do. */
  const step = (): Promise<number | undefined> =>
    transactor.write(() => {
      const since = clock.monotonic();
      const found = findWork(clock.now());
      if (!found) return undefined;
      lastNo = found.task.no;
      found.work();
      return clock.monotonic() - since;
    });

  /** Old tasks go, one at a time. */
  async function sweep(): Promise<void> {
    if (clock.now() < nextSweep) return;
    const old = tasks.endedBefore(clock.now() - settings.keepMs);
    if (old) await transactor.write(() => void set(tasks.get(old.no) ?? old, { type: "discarded" }));
    else nextSweep = clock.now() + settings.sweepMs;
  }

  function msUntilNext(): number {
    const now = clock.now();
    let at = Math.max(now, nextSweep);
    for (const task of tasks.open()) {
      if (task.phase === "loading") continue;
      if (task.deadline !== undefined) at = Math.min(at, task.deadline);
      if (task.phase === "scheduled") at = Math.min(at, task.startAt);
      if (task.phase === "running" && pendingOf(task) > 0) at = Math.min(at, items.nextDue(task.no) ?? at);
    }
    return Math.max(0, at - now);
  }

  /** Whoever sent these files was never told that they are here: the process ended in the middle. */
  async function discardHalfLoaded(): Promise<void> {
    await transactor.write(() => {
      for (const task of tasks.open()) if (task.phase === "loading") set(task, { type: "discarded" });
    });
  }

  return steppedWork({
    ...{ msUntilNext, clock, settings },
    async step() {
      if (isFirst) await discardHalfLoaded();
      isFirst = false;
      await sweep();
      return step();
    },
    observe: (seconds) => stepSeconds.observe(seconds),
    failed: (error) => log.error("batch_step_failed", { error }),
  });
}
export type BatchRunner = ReturnType<typeof batchRunner>;

function toItemError(error: unknown): ItemError {
  if (!(error instanceof DomainError)) return { code: "INTERNAL" };
  const details = Object.entries(error.details).filter(([, value]) => value !== undefined);
  return { code: error.code, ...(details.length > 0 && { details: Object.fromEntries(details) }) };
}
