import type { Clock } from "../../platform/clock";
import { inBounds as workInBounds } from "../../platform/stepped-work";
import type { Transactor } from "../../platform/storage/group-commit";
import type { UpgradeSettings } from "./settings";
import type { StoredSubTask, StoredTask } from "./stored";
import type { SubTaskChanges } from "./sub-task-changes";
import type { SubTaskRepository } from "./sub-task-repository";
import type { TaskRepository } from "./task-repository";

type Parts = {
  readonly tasks: TaskRepository;
  readonly subTasks: SubTaskRepository;
  readonly changes: SubTaskChanges;
  readonly transactor: Pick<Transactor, "afterCommit">;
  readonly clock: Pick<Clock, "monotonic">;
  /** Sub-tasks that went without having ended. */
  readonly dropped: (subTasks: number) => void;
  readonly settings: Pick<UpgradeSettings, "stepItems" | "stepMs">;
};

/** What concerns all sub-tasks of a task, in bounded steps; where it is, is in the task's row. Only inside a transaction. */
export function taskSteps({ tasks, subTasks, changes, transactor, clock, dropped, settings }: Parts) {
  const { stepItems, stepMs } = settings;

  /** The last one that was done, and whether that were all. */
  function inBounds(list: readonly StoredSubTask[], work: (one: StoredSubTask) => void) {
    const done = workInBounds(list, work, { ms: stepMs, clock });
    return { last: list[done - 1]?.sub.no ?? 0, isAll: list.length < stepItems && done === list.length };
  }

  /** Along all sub-tasks. */
  function walk({ task, cursor, work }: StoredTask, what: (one: StoredSubTask, task: StoredTask) => void): void {
    const { last, isAll } = inBounds(subTasks.after(task.no, cursor, stepItems), (one) =>
      what(one, tasks.get(task.no)),
    );
    tasks.setWork(task.no, isAll ? undefined : work, isAll ? 0 : last);
    if (isAll) changes.settle(tasks.get(task.no), false);
  }

  /** Was never admitted. */
  const isNew = ({ sub, due, parked, claims }: StoredSubTask) =>
    sub.status === "wait" && due === undefined && !parked && !claims;

  function stop({ task }: StoredTask): void {
    const { isAll } = inBounds(subTasks.open(task.no, stepItems), (one) => changes.stop(one, tasks.get(task.no)));
    if (isAll) tasks.setWork(task.no, undefined);
    if (isAll) changes.settle(tasks.get(task.no), false);
  }

  function unpark({ task }: StoredTask): void {
    const { isAll } = inBounds(subTasks.parked(task.no, stepItems), (one) => changes.unpark(one, tasks.get(task.no)));
    if (isAll) tasks.setUnparked(task.no);
  }

  function remove({ task }: StoredTask): void {
    const { deleted, open } = subTasks.deleteSome(task.no, stepItems);
    if (open > 0) transactor.afterCommit(() => dropped(open));
    if (deleted === 0) tasks.remove(task.no);
  }

  /** One step; false: there was nothing to do. */
  function step(stored: StoredTask): boolean {
    switch (stored.work) {
      case "loading":
        return false; // whoever loads it goes on
      case "admitting":
        walk(stored, (one, task) => isNew(one) && changes.admit(one, task));
        return true;
      case "retrying":
        walk(stored, (one, task) => (isNew(one) ? changes.admit(one, task) : changes.rerun(one, task)));
        return true;
      case "stopping":
        stop(stored);
        return true;
      case "deleting":
        remove(stored);
        return true;
      case undefined:
        if (!tasks.isUnparking(stored.task.no)) return false;
        unpark(stored);
        return true;
      default:
        return stored.work satisfies never;
    }
  }

  return {
    step,
    /** The first step, together with what asks for it. */
    first(taskNo: number): void {
      const stored = tasks.lookUp(taskNo);
      if (stored) step(stored);
    },
    inBounds,
  };
}
export type TaskSteps = ReturnType<typeof taskSteps>;
