import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Worker } from "../../platform/worker";
import type { DiagnosisSettings } from "./task";

type Parts = {
  readonly diagnosis: { sweep(): Promise<void> };
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<DiagnosisSettings, "sweepIntervalMs">;
};

/** Lets time pass for the tasks; what fell due while the process was down is found at the start. */
export function startDiagnosisUpkeep({ diagnosis, clock, log, settings }: Parts): Worker {
  const stopping = new AbortController();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // A full disk passes; the next round tries again.
      await diagnosis.sweep().catch((error: unknown) => log.error("diagnosis_sweep_failed", { error }));
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
