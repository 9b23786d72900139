import type { AttemptEnd } from "./course";
import type { SubTaskCounts, SubTaskStatus, TaskStatus, UpgradeTask } from "./upgrade";

/** What follows when an attempt has ended. Pure. */
export type AfterAttempt =
  | { readonly status: "success" }
  | { readonly status: "fail" }
  | { readonly status: "retry"; readonly at: number };

type Retrying = {
  /** Times that were used already. */
  readonly used: number;
  readonly times: number;
  readonly intervalS: number;
  readonly now: number;
  /** Until when something may begin, on the same time as `now`. */
  readonly until: number | undefined;
};

export function afterAttempt({ ok }: AttemptEnd, { used, times, intervalS, now, until }: Retrying): AfterAttempt {
  if (ok) return { status: "success" };
  const at = now + intervalS * 1_000;
  return used < times && (until === undefined || at < until) ? { status: "retry", at } : { status: "fail" };
}

export type Counted = { readonly status: SubTaskStatus; readonly timedOut: boolean };
export const NO_COUNTS: SubTaskCounts = { total: 0, wait: 0, processing: 0, success: 0, fail: 0, stop: 0, timeout: 0 };

/** Differences of the counters when a sub-task changes; `from` undefined: it is new. */
export function countsOf(from: Counted | undefined, to: Counted): SubTaskCounts {
  const counts: { -readonly [K in keyof SubTaskCounts]: number } = { ...NO_COUNTS };
  if (!from) counts.total += 1;
  else {
    counts[from.status] -= 1;
    if (from.timedOut) counts.timeout -= 1;
  }
  counts[to.status] += 1;
  if (to.timedOut) counts.timeout += 1;
  return counts;
}

export const unfinishedOf = ({ wait, processing }: SubTaskCounts): number => wait + processing;

/** Of ota.md 5.2. `stopped`: by hand, and not run again since. */
export function statusOf(
  counts: SubTaskCounts,
  { stopped, started }: { stopped: boolean; started: boolean },
): TaskStatus {
  if (stopped) return "stop";
  if (unfinishedOf(counts) > 0) return started ? "processing" : "wait";
  return counts.fail > 0 ? "failed" : "success";
}

/** Does it pause itself? `since`: what had ended and failed already when it was resumed the last time. */
export function failsTooOften(
  { counts, policy }: Pick<UpgradeTask, "counts" | "policy">,
  since: { readonly ended: number; readonly failed: number },
): boolean {
  const limit = policy.pauseOnFailure;
  if (!limit || unfinishedOf(counts) === 0) return false;
  const ended = counts.success + counts.fail - since.ended;
  const failed = counts.fail - since.failed;
  return ended >= limit.minEnded && failed > 0 && failed * 100 >= limit.percent * ended;
}
