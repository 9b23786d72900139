import type { CounterChild, Histogram, Metrics } from "../../platform/metrics";

export const REFUSALS = ["unknown_service", "misfit", "too_deep", "too_large"] as const;
export type Refusal = (typeof REFUSALS)[number];
/** Reports that are acknowledged and leave nothing behind. */
export const DROPS = ["device_deleted", "device_muted", "history_off"] as const;
export type Drop = (typeof DROPS)[number];

export type IngestMetrics = {
  readonly stored: CounterChild;
  readonly forwarded: CounterChild;
  readonly lost: CounterChild;
  readonly refused: Readonly<Record<Refusal, CounterChild>>;
  readonly dropped: Readonly<Record<Drop, CounterChild>>;
  readonly batchMessages: Histogram;
  readonly commitSeconds: Histogram;
};

/** `read…` are called at each scrape. */
export function ingestMetrics(
  metrics: Metrics,
  read: { queueChars(): number; batches(): number; states(): number },
): IngestMetrics {
  const reports = metrics.counter("islet_reports_total", "Service reports by what became of them");
  const child = (outcome: string, reason: string) => reports.with({ outcome, reason });
  metrics.gauge("islet_ingest_queue_chars", "Characters accepted and not yet on disk", read.queueChars);
  metrics.gauge("islet_ingest_batches", "Batches accepted and not yet on disk", read.batches);
  metrics.gauge("islet_ingest_states", "Devices whose reported state is held in memory", read.states);
  return {
    stored: child("stored", "fits"),
    forwarded: child("forwarded", "pass_through"),
    lost: child("lost", "store_failed"),
    refused: {
      unknown_service: child("refused", "unknown_service"),
      misfit: child("refused", "misfit"),
      too_deep: child("refused", "too_deep"),
      too_large: child("refused", "too_large"),
    },
    dropped: {
      device_deleted: child("dropped", "device_deleted"),
      device_muted: child("dropped", "device_muted"),
      history_off: child("dropped", "history_off"),
    },
    batchMessages: metrics.histogram(
      "islet_ingest_batch_messages",
      "Messages of one commit",
      [1, 4, 16, 64, 256, 1024, 4096, 16384],
    ),
    commitSeconds: metrics.histogram(
      "islet_ingest_commit_seconds",
      "From handing a batch to the writer thread until it is on disk",
      [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5],
    ),
  };
}
