import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import { startUpkeep } from "../../platform/upkeep";
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
  const purging = startUpkeep({
    ...{ sweep: () => shadow.purge(), everyMs: settings.purgeIntervalMs, clock },
    failed: (error) => log.error("shadow_purge_failed", { error }),
  });
  return {
    finished: purging.finished,
    async stop() {
      const purged = purging.stop();
      await shadow.stop();
      await purged;
    },
  };
}
