/** How failed logins under one name slow the next ones down. Pure. */
export type BackOff = { readonly failures: number; readonly lastFailureAt: number; readonly notBefore: number }; // ms, monotonic

export type BackOffSettings = {
  /** Failures that cost nothing: typing errors. */
  readonly freeFailures: number;
  /** Wait after the first failure that costs; it doubles with each further one. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** After so long without a failure all is forgotten. */
  readonly forgetAfterMs: number;
};
export const BACK_OFF_DEFAULTS: BackOffSettings = {
  freeFailures: 3,
  firstDelayMs: 250,
  maxDelayMs: 4_000,
  forgetAfterMs: 15 * 60_000,
};

export function afterFailure(from: BackOff | undefined, now: number, settings: BackOffSettings): BackOff {
  const isFresh = from !== undefined && now - from.lastFailureAt < settings.forgetAfterMs;
  const failures = isFresh ? from.failures + 1 : 1;
  const doublings = failures - settings.freeFailures - 1;
  const delay = doublings < 0 ? 0 : Math.min(settings.firstDelayMs * 2 ** doublings, settings.maxDelayMs);
  return { failures, lastFailureAt: now, notBefore: now + delay };
}

export const waitBefore = (state: BackOff | undefined, now: number): number =>
  Math.max(0, (state?.notBefore ?? now) - now);
