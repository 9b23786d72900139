import type { Counts, TaskState } from "./task";

/** Life of a task. Pure: the runner feeds it facts and stores what comes out. */
export type TaskEvent =
  /** Its file is on disk. */
  | { readonly type: "loaded" }
  /** All its targets are sub-tasks. `due`: its start has come. */
  | { readonly type: "expanded"; readonly due: boolean }
  | { readonly type: "due" }
  /** No sub-task is open. `expired`: some had no time to be executed. */
  | { readonly type: "settled"; readonly expired: boolean }
  | { readonly type: "overdue" }
  | { readonly type: "stopped" }
  | { readonly type: "discarded" };

/** The very same state when the event does not concern it. */
export function stepTask(from: TaskState, event: TaskEvent): TaskState {
  switch (event.type) {
    case "loaded":
      return from.phase === "loading" ? RUNNING : from;
    case "expanded":
      if (from.phase !== "expanding") return from;
      return event.due ? RUNNING : { phase: "scheduled", ending: undefined };
    case "due":
      return from.phase === "scheduled" ? RUNNING : from;
    case "settled":
      // Its time was over first when a sub-task had no time.
      if (from.phase === "running") return { phase: "ended", ending: event.expired ? "Timeout" : "Complete" };
      return from.phase === "closing" ? { phase: "ended", ending: from.ending } : from;
    case "overdue":
      return isOpen(from) ? { phase: "closing", ending: "Timeout" } : from;
    case "stopped":
      return isOpen(from) ? { phase: "closing", ending: "Stopped" } : from;
    case "discarded":
      // What is under way has to be stopped first.
      return from.phase === "ended" || from.phase === "loading" ? { phase: "deleting", ending: from.ending } : from;
    default:
      return event satisfies never;
  }
}
const RUNNING: TaskState = { phase: "running", ending: undefined };
const isOpen = ({ phase }: TaskState) => phase === "expanding" || phase === "scheduled" || phase === "running";

export const completed = ({ success, fail, timeout }: Counts): number => success + fail + timeout;
export const openOf = ({ total, counts }: { total: number; counts: Counts }): number => total - completed(counts);
export const pendingOf = (task: { total: number; counts: Counts }): number => openOf(task) - task.counts.waiting;

/** Per mille, rounded down. A task without targets is done when it has ended. */
export function progressOf({ phase, total, counts }: TaskState & { total: number; counts: Counts }): number {
  if (total === 0) return phase === "ended" ? 1_000 : 0;
  return Math.floor((completed(counts) * 1_000) / total);
}
/** Per mille of all its sub-tasks, rounded down. */
export const successRateOf = ({ total, counts }: { total: number; counts: Counts }): number =>
  total === 0 ? 0 : Math.floor((counts.success * 1_000) / total);

/** The states of 1.10.2. */
export function vendorStatusOf({ phase, ending }: TaskState): "Pending" | "Running" | "Complete" | "Timeout" {
  switch (phase) {
    case "loading":
    case "expanding":
    case "scheduled":
      return "Pending";
    case "running":
      return "Running";
    case "closing":
      return ending === "Timeout" ? "Timeout" : "Running";
    case "ended":
    case "deleting":
      return ending === "Timeout" ? "Timeout" : "Complete"; // a stopped one, which the vendor does not know, too
    default:
      return phase satisfies never;
  }
}
