import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Worker } from "../../platform/worker";
import type { ShadowSettings } from "./desired";

type Parts = {
  readonly shadow: { purge(): Promise<void>; stop(): Promise<void> };
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<ShadowSettings, "purgeIntervalMs">;
};

/** Deletes old history now and then; its stop also ends the sending. */
export function startShadowUpkeep({ shadow, clock, log, settings }: Parts): Worker {
  const stopping = new AbortController();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // A full disk passes; the next round tries again.
      await shadow.purge().catch((error: unknown) => log.error("shadow_purge_failed", { error }));
      await clock.sleep(settings.purgeIntervalMs, stopping.signal);
    }
  }

  const finished = run();
  return {
    finished,
    async stop() {
      stopping.abort();
      await shadow.stop();
      await finished;
    },
  };
}
