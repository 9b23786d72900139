import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { StorageWriter, WriteStep } from "../../platform/storage/storage-writer";
import type { TraceEntry, TraceSink } from "../devices/trace-sink";
import { floodGate } from "./flood-gate";
import type { TraceSettings } from "./settings";
import { type TraceKey, type TraceRecord, traceRepository } from "./trace-repository";

const MAX_DETAIL_CHARS = 500;
const MAX_ID_CHARS = 256;
const TRIM_AFTER = 100; // entries of one device between two looks at how many it has
const MAX_COUNTED = 10_000;

export interface Traces extends TraceSink {
  /** Newest first; what was recorded less than `traceFlushMs` ago may be missing. */
  find(key: TraceKey, page: number, pageSize: number): { items: TraceRecord[]; total: number };
  /** Writes what is waiting and takes nothing more; resolves when it is on disk. */
  stop(): Promise<void>;
}

type Options = {
  writer: StorageWriter;
  reads: Database;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  settings: TraceSettings;
};

/** Keeps why something was refused (or accepted), for people who look it up within days. Never slows who records. */
export function createTraces({ writer, reads, clock, log, metrics, settings }: Options): Traces {
  const repository = traceRepository(reads);
  const admits = floodGate(settings);
  const counter = metrics.counter("islet_traces_total", "Trace entries by what became of them");
  const stored = counter.with({ outcome: "stored" });
  const thinned = counter.with({ outcome: "thinned" });
  const lost = counter.with({ outcome: "lost" });
  const sinceTrim = new Map<number | string, number>();
  let waiting: TraceRecord[] = [];
  let trims: TraceKey[] = [];
  let flushing: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  let stopped = false;

  function record(entry: TraceEntry): void {
    const key = entry.deviceNo ?? (entry.claimedId ?? "").slice(0, MAX_ID_CHARS);
    const atMs = clock.now();
    if (stopped || waiting.length >= settings.maxWaitingTraces || !admits(key, atMs)) {
      thinned.add();
      return;
    }
    waiting.push({
      deviceNo: entry.deviceNo,
      claimedId: entry.claimedId?.slice(0, MAX_ID_CHARS),
      atMs,
      kind: entry.kind,
      outcome: entry.outcome,
      reason: entry.reason,
      detail: entry.detail?.slice(0, MAX_DETAIL_CHARS),
    });
    countForTrim(key);
    if (!flushing) cancelTimer ??= clock.after(settings.traceFlushMs, startFlush);
  }

  function countForTrim(key: number | string): void {
    const count = (sinceTrim.get(key) ?? 0) + 1;
    if (count >= TRIM_AFTER) {
      trims.push(typeof key === "number" ? { deviceNo: key } : { claimedId: key });
      sinceTrim.delete(key);
      return;
    }
    if (sinceTrim.size >= MAX_COUNTED) sinceTrim.clear();
    sinceTrim.set(key, count);
  }

  function startFlush(): void {
    cancelTimer?.();
    cancelTimer = undefined;
    if (flushing || waiting.length === 0) return;
    const entries = waiting;
    const steps: WriteStep[] = [
      repository.insert(entries),
      ...trims.map((key) => repository.trim(key, settings.maxTracesPerDevice)),
    ];
    waiting = [];
    trims = [];
    flushing = writer.commit(steps).then(
      () => {
        stored.add(entries.length);
        flushed();
      },
      (error: unknown) => {
        lost.add(entries.length);
        log.error("trace_commit_failed", { entries: entries.length, error });
        flushed();
      },
    );
  }

  function flushed(): void {
    flushing = undefined;
    if (waiting.length > 0) cancelTimer ??= clock.after(settings.traceFlushMs, startFlush);
  }

  return {
    record,
    find: (key, page, pageSize) => repository.find(key, page, pageSize),
    async stop() {
      stopped = true;
      await flushing;
      startFlush();
      await flushing;
    },
  };
}
