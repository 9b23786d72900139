import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import { startUpkeep } from "../../platform/upkeep";
import type { Worker } from "../../platform/worker";
import type { CommandSettings } from "./command";

type Parts = {
  readonly commands: { sweep(): Promise<void> };
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<CommandSettings, "sweepIntervalMs">;
};

/** Closes commands whose answer did not come and deletes old ones, now and then. */
export const startCommandUpkeep = ({ commands, clock, log, settings }: Parts): Worker =>
  startUpkeep({
    ...{ sweep: () => commands.sweep(), everyMs: settings.sweepIntervalMs, clock },
    failed: (error) => log.error("command_sweep_failed", { error }),
  });
