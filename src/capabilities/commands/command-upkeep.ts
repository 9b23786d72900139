import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Worker } from "../../platform/worker";
import type { CommandSettings } from "./command";

type Parts = {
  readonly commands: { sweep(): Promise<void> };
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<CommandSettings, "sweepIntervalMs">;
};

/** Closes commands whose answer did not come and deletes old ones, now and then. */
export function startCommandUpkeep({ commands, clock, log, settings }: Parts): Worker {
  const stopping = new AbortController();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // A full disk passes; the next round tries again.
      await commands.sweep().catch((error: unknown) => log.error("command_sweep_failed", { error }));
      await clock.sleep(settings.sweepIntervalMs, stopping.signal);
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
