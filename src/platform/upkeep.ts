import type { Clock } from "./clock";
import type { Worker } from "./worker";

type Options = {
  /** One round. */
  readonly sweep: () => Promise<void>;
  readonly everyMs: number;
  readonly clock: Pick<Clock, "sleep">;
  /** Told of a round that failed: a full disk, say. The next round tries again. */
  readonly failed: (error: unknown) => void;
};

/** Does `sweep` at once and then again and again, `everyMs` after it has ended. The stop waits for the round under way. */
export function startUpkeep({ sweep, everyMs, clock, failed }: Options): Worker {
  const stopping = new AbortController();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sweep().catch(failed);
      await clock.sleep(everyMs, stopping.signal);
    }
  }

  const finished = run();
  return {
    finished,
    stop() {
      stopping.abort();
      return finished;
    },
  };
}
