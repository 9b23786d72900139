import { statSync } from "node:fs";
import type { Clock } from "../platform/clock";
import type { Metrics } from "../platform/metrics";
import type { DataPaths } from "./data-folder";
import { VERSION } from "./version";

const SAMPLE_MS = 10;
const DELAY_BOUNDS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];

/** What concerns the process as a whole: event-loop delay, memory, database sizes. Returns how to stop sampling. */
export function watchRuntime(metrics: Metrics, clock: Clock, paths: DataPaths): () => void {
  metrics.gauge("islet_info", "Version of this process", () => [{ labels: { version: VERSION }, value: 1 }]);
  metrics.gauge("process_resident_memory_bytes", "Resident memory", () => process.memoryUsage.rss());
  const startedAt = clock.now() / 1_000;
  metrics.gauge("process_start_time_seconds", "When the process started", () => startedAt);
  metrics.gauge("islet_database_bytes", "Size of a database with its write-ahead log", () =>
    [
      ["registry", paths.registry],
      ["telemetry", paths.telemetry],
    ].map(([name = "", path = ""]) => ({ labels: { database: name }, value: sizeOf(path) + sizeOf(`${path}-wal`) })),
  );
  return sampleEventLoop(metrics, clock);
}

/** A timer that should fire every 10 ms: what it is late by is what every socket waits as well. */
function sampleEventLoop(metrics: Metrics, clock: Clock): () => void {
  const delay = metrics.histogram("islet_event_loop_delay_seconds", "How late timers fire", DELAY_BOUNDS_S);
  let due = clock.monotonic() + SAMPLE_MS;
  let cancel = clock.after(SAMPLE_MS, sample);
  function sample() {
    delay.observe(Math.max(0, clock.monotonic() - due) / 1_000);
    due = clock.monotonic() + SAMPLE_MS;
    cancel = clock.after(SAMPLE_MS, sample);
  }
  return () => cancel();
}

const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
