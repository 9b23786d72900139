import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { StorageWriter, WriteStep } from "../../platform/storage/storage-writer";
import type { Worker } from "../../platform/worker";
import type { PurgeSettings } from "./settings";

/** One small piece of work. Without `steps` it was only a search; `committed` runs when the steps are on disk. */
export type PurgeStep = {
  readonly steps: readonly WriteStep[];
  readonly rows: number;
  committed?(): void | Promise<void>;
};
export type PurgeTask = {
  readonly name: string;
  /** One round over what may go. `maxRows()` is how many rows the next step may have. May be left at any step. */
  round(maxRows: () => number): Iterable<PurgeStep>;
};

type Options = {
  tasks: readonly PurgeTask[];
  writer: StorageWriter;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  settings: PurgeSettings;
};

/**
 * Removes what is over its time in small steps through the writer thread, between the batches of the ingest path. A step
 * is sized by the time that it takes, and then there is a pause: `dutyCycle` is the share that purging may have. Nothing
 * has to be remembered: a round that was cut off is begun again. Freed pages are used again, so the file keeps its size
 * and needs no VACUUM.
 */
export function startPurge({ tasks, writer, clock, log, metrics, settings }: Options): Worker {
  const { purgeIntervalMs, targetStepMs, minStepRows, maxStepRows, dutyCycle, maxPauseMs } = settings;
  const rowsPurged = metrics.counter("islet_purged_rows_total", "Rows removed, by task");
  const stepSeconds = metrics.histogram(
    "islet_purge_step_seconds",
    "How long a purge step held the writer thread",
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
  );
  const stopping = new AbortController();
  let stepRows = minStepRows;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      for (const task of tasks) await runRound(task);
      await clock.sleep(purgeIntervalMs, stopping.signal);
    }
  }

  async function runRound({ name, round }: PurgeTask): Promise<void> {
    try {
      for (const step of round(() => stepRows)) {
        const took = await runStep(step);
        if (step.rows > 0) rowsPurged.with({ task: name }).add(step.rows);
        await clock.sleep(Math.min(maxPauseMs, took * (1 / dutyCycle - 1)), stopping.signal);
        if (stopping.signal.aborted) return;
      }
    } catch (error) {
      log.error("purge_failed", { task: name, error }); // tried again in the next round
    }
  }

  async function runStep({ steps, committed }: PurgeStep): Promise<number> {
    const since = clock.monotonic();
    let inThread: number | undefined;
    if (steps.length > 0)
      await writer.commit(steps, (ms) => {
        inThread = ms;
      });
    const roundTrip = clock.monotonic() - since;
    await committed?.();
    if (steps.length === 0) return roundTrip;
    // What the statements took, where it is told: a step that only waited behind the ingest path was not too large.
    const took = inThread ?? roundTrip;
    stepSeconds.observe(took / 1_000);
    if (took > targetStepMs) stepRows = Math.max(minStepRows, Math.floor(stepRows / 2));
    else if (took * 2 < targetStepMs) stepRows = Math.min(maxStepRows, stepRows * 2);
    return roundTrip;
  }

  const finished = run();
  return {
    finished,
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}
