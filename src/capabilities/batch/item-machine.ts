import type { Counts, ItemState } from "./task";

/** Life of a sub-task. Pure. */
export type ItemEvent =
  /** What it is for is under way: a command, values in the shadow. */
  | { readonly type: "started" }
  | { readonly type: "succeeded" }
  | { readonly type: "failed" }
  /** Failed, and is tried again later. */
  | { readonly type: "postponed" }
  /** `expired`: nothing was ever sent. */
  | { readonly type: "timedOut"; readonly expired: boolean };
export type ItemStep = { readonly next: ItemState; readonly counts: Counts };

/** Undefined when the event does not concern it: what has ended stays so, whatever comes late. */
export function stepItem(from: ItemState, event: ItemEvent): ItemStep | undefined {
  if (from !== "Pending" && from !== "WaitResult") return undefined;
  const isWaiting = from === "WaitResult";
  const to = (next: ItemState, counts: Partial<Counts> = {}): ItemStep => ({
    next,
    counts: { ...NONE, waiting: Number(next === "WaitResult") - Number(isWaiting), ...counts },
  });
  switch (event.type) {
    case "started":
      return isWaiting ? undefined : to("WaitResult");
    case "succeeded":
      return to("Success", { success: 1 });
    case "failed":
      return to("Fail", { fail: 1 });
    case "postponed":
      return to("Pending"); // also from there: its start failed
    case "timedOut":
      return to("Timeout", { timeout: 1, expired: event.expired ? 1 : 0 });
    default:
      return event satisfies never;
  }
}
const NONE: Counts = { waiting: 0, success: 0, fail: 0, timeout: 0, expired: 0 };
