import type { Attempt } from "./course";
import type { SubTask, UpgradeTask } from "./upgrade";

/** What is being done with the sub-tasks of a task, a bounded step at a time. */
export type TaskWork = "loading" | "admitting" | "stopping" | "retrying" | "deleting";

/** A task with what only its work needs. */
export type StoredTask = {
  readonly task: UpgradeTask;
  readonly packageNos: readonly number[];
  readonly work: TaskWork | undefined;
  /** Sub-tasks up to this one are done with. */
  readonly cursor: number;
  readonly stopped: boolean;
  /** Wall clock. */
  readonly windowEnd: number | undefined;
  /** What had ended, and failed, when it was resumed the last time. */
  readonly since: { readonly ended: number; readonly failed: number };
};

/** A sub-task with what only its course needs; `due` and the times of `course` are steady time. */
export type StoredSubTask = {
  readonly sub: SubTask;
  readonly claims: boolean;
  readonly parked: boolean;
  readonly retries: number;
  readonly timedOut: boolean;
  /** Undefined: it is not to be looked at. */
  readonly due: number | undefined;
  /** The attempt under way. */
  readonly course: Attempt | undefined;
  /** `placeKey`; from the moment that it waits for a place. */
  readonly place: string | undefined;
  readonly packageNo: number | undefined;
  readonly token: { readonly sealed: Uint8Array; readonly until: number } | undefined;
};

/** From 1; of the attempt under way. */
export const attemptOf = ({ sub }: StoredSubTask): number => sub.executions + 1;
export const isOpen = ({ sub }: StoredSubTask): boolean => sub.status === "wait" || sub.status === "processing";
export const tokenContext = (subTaskNo: number): string => `upgrade:${subTaskNo}`;
