import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import { startUpkeep } from "../../platform/upkeep";
import type { Worker } from "../../platform/worker";
import type { DiagnosisSettings } from "./task";

type Parts = {
  readonly diagnosis: { sweep(): Promise<void> };
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<DiagnosisSettings, "sweepIntervalMs">;
};

/** Lets time pass for the tasks; what fell due while the process was down is found at the start. */
export const startDiagnosisUpkeep = ({ diagnosis, clock, log, settings }: Parts): Worker =>
  startUpkeep({
    ...{ sweep: () => diagnosis.sweep(), everyMs: settings.sweepIntervalMs, clock },
    failed: (error) => log.error("diagnosis_sweep_failed", { error }),
  });
