import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import { afterFailure, BACK_OFF_DEFAULTS, type BackOff, type BackOffSettings, waitBefore } from "./back-off";

export type AttemptSettings = BackOffSettings & {
  /** Different guesses under one name that may wait; one more is refused. */
  readonly maxWaitingPerName: number;
  readonly maxWaiting: number;
  /** Names whose failures are remembered; the one unused for longest is forgotten first. */
  readonly maxNames: number;
};
export const ATTEMPT_DEFAULTS: AttemptSettings = {
  ...BACK_OFF_DEFAULTS,
  maxWaitingPerName: 8,
  maxWaiting: 1_024,
  maxNames: 10_000,
};

type Lane = {
  backOff: BackOff | undefined;
  /** Resolves when the guess before is answered. Never rejects. */
  last: Promise<unknown>;
  /** Guesses under way; the same guess twice shares one answer. */
  readonly open: Map<string, Promise<boolean>>;
};

/**
 * Lets guesses under one name through one at a time, each after the wait that earlier failures cost. Guesses under
 * other names are not held up. Throws CONGESTED when too many wait.
 */
export function attemptGate(clock: Clock, settings: AttemptSettings) {
  const lanes = new Map<string, Lane>(); // in the order of their last use
  let waiting = 0;

  async function attempt(lane: Lane, check: () => Promise<boolean>): Promise<boolean> {
    await lane.last;
    const waitMs = waitBefore(lane.backOff, clock.monotonic());
    if (waitMs > 0) await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    const isRight = await check();
    lane.backOff = isRight ? undefined : afterFailure(lane.backOff, clock.monotonic(), settings);
    return isRight;
  }

  function use(name: string): Lane {
    const lane = lanes.get(name) ?? { backOff: undefined, last: Promise.resolve(), open: new Map() };
    lanes.delete(name);
    lanes.set(name, lane);
    if (lanes.size > settings.maxNames) forgetOldest();
    return lane;
  }

  function forgetOldest(): void {
    for (const [name, { open }] of lanes) {
      if (open.size > 0) continue; // at most maxWaiting of these
      lanes.delete(name);
      return;
    }
  }

  return {
    /** `guess` stands for the secret (a digest of it); `check` does the slow work. */
    run(name: string, guess: string, check: () => Promise<boolean>): Promise<boolean> {
      const lane = use(name);
      const same = lane.open.get(guess);
      if (same !== undefined) return same;
      if (lane.open.size >= settings.maxWaitingPerName || waiting >= settings.maxWaiting)
        return Promise.reject(new DomainError("CONGESTED", { reason: "too many logins are waiting" }));
      waiting++;
      const answer = attempt(lane, check).finally(() => {
        waiting--;
        lane.open.delete(guess);
        if (lane.open.size === 0 && !lane.backOff && lanes.get(name) === lane) lanes.delete(name);
      });
      lane.open.set(guess, answer);
      lane.last = answer.catch(() => {});
      return answer;
    },
    /** For tests: names that are remembered. */
    size: () => lanes.size,
  };
}
