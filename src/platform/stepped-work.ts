import type { Clock } from "./clock";
import type { Worker } from "./worker";

export type SteppedWorkSettings = {
  /** Share of the time that steps may take, 0 to 1. */
  readonly dutyCycle: number;
  readonly maxPauseMs: number;
  /** Pause after a step that failed: a full disk passes. */
  readonly faultPauseMs: number;
};
type Options = {
  /** One bounded step; how long it held the event loop (ms, its commit left out), undefined: there was nothing to do. */
  readonly step: () => Promise<number | undefined>;
  /** Until there may be something to do, unless it is woken. */
  readonly msUntilNext: () => number;
  /** Told of each step, in seconds. */
  readonly observe: (seconds: number) => void;
  /** Told of a step that failed; it is tried again. */
  readonly failed: (error: unknown) => void;
  readonly clock: Pick<Clock, "sleep">;
  readonly settings: SteppedWorkSettings;
};

/** Large work in the background that never holds up the event loop: a step, a pause that is as long as it has to be, the next. */
export function steppedWork({ step, msUntilNext, observe, failed, clock, settings }: Options) {
  let wakeUp = new AbortController();

  async function run(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      try {
        const took = await step();
        if (took === undefined) {
          await clock.sleep(msUntilNext(), wakeUp.signal);
          wakeUp = new AbortController();
          continue;
        }
        observe(took / 1_000);
        await clock.sleep(Math.min(settings.maxPauseMs, took * (1 / settings.dutyCycle - 1)), stopping);
      } catch (error) {
        failed(error);
        await clock.sleep(settings.faultPauseMs, stopping);
      }
    }
  }

  return {
    /** There is something to do, or to look at again. */
    wake: (): void => wakeUp.abort(),
    start(): Worker {
      const stopping = new AbortController();
      const finished = run(stopping.signal);
      return {
        finished,
        stop() {
          stopping.abort();
          wakeUp.abort();
          return finished;
        },
      };
    },
  };
}

/** One after the other until it has taken `ms`, at least one; how many were done. */
export function inBounds<T>(
  list: readonly T[],
  work: (one: T) => void,
  { ms, clock }: { readonly ms: number; readonly clock: Pick<Clock, "monotonic"> },
): number {
  const until = clock.monotonic() + ms;
  for (const [at, one] of list.entries()) {
    work(one);
    if (clock.monotonic() >= until) return at + 1;
  }
  return list.length;
}
