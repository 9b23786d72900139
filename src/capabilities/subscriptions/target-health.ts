/** Is an address worth sending to? Pure; times are steady milliseconds. platform.md 5 "Delivery rule". */
export type TargetHealth =
  | { readonly state: "valid"; readonly failedRetries: number; readonly countedAt: number | undefined }
  | { readonly state: "invalid"; readonly since: number };

export type HealthEvent =
  /** Any HTTP answer that is not a reason to retry: somebody is there. */
  | { readonly type: "answered" }
  | { readonly type: "probeSucceeded" }
  | { readonly type: "retryFailed"; readonly at: number };

type Limits = { readonly maxFailedRetries: number; readonly retryIntervalMs: number };

export const HEALTHY: TargetHealth = { state: "valid", failedRetries: 0, countedAt: undefined };

export function nextHealth(from: TargetHealth, event: HealthEvent, limits: Limits): TargetHealth {
  switch (event.type) {
    case "answered":
    case "probeSucceeded":
      return from.state === "valid" && from.failedRetries === 0 ? from : HEALTHY;
    case "retryFailed":
      return from.state === "valid" ? countFailure(from, event.at, limits) : from;
    default:
      return event satisfies never;
  }
}

/**
 * Retries of many messages fail together when a server restarts: they count once per interval, or a pause of half a
 * minute would invalidate a busy address. A quarter of the interval is given for timers.
 */
function countFailure(
  { failedRetries, countedAt }: Extract<TargetHealth, { state: "valid" }>,
  at: number,
  { maxFailedRetries, retryIntervalMs }: Limits,
): TargetHealth {
  if (countedAt !== undefined && at - countedAt < retryIntervalMs * 0.75)
    return { state: "valid", failedRetries, countedAt };
  if (failedRetries + 1 >= maxFailedRetries) return { state: "invalid", since: at };
  return { state: "valid", failedRetries: failedRetries + 1, countedAt: at };
}
