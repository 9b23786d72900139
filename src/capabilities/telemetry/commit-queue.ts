import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { StorageWriter } from "../../platform/storage/storage-writer";
import type { Batch } from "./batch";
import { emptyBatch, handOver, type SealedBatch, sealBatch } from "./batch";
import type { IngestMetrics } from "./ingest-metrics";
import type { RecentBlock, RecentBlocks } from "./recent-blocks";
import type { AckSink } from "./report";
import type { IngestSettings } from "./settings";

type Settings = Pick<
  IngestSettings,
  "maxBatchMessages" | "maxBatchChars" | "maxBatchesInFlight" | "queueHighChars" | "queueLowChars"
>;
type Options = {
  writer: StorageWriter;
  recents: Pick<RecentBlocks, "takeNo" | "add">;
  clock: Clock;
  log: Log;
  settings: Settings;
  metrics(): IngestMetrics;
  grew(chars: number): void;
  /** When a batch has failed: what it should have written is not in the database. */
  failed(batch: Batch): void;
  schedule(run: () => void): void;
};
type Posted = {
  readonly batch: Batch;
  readonly recents: readonly RecentBlock[];
  readonly sinceMs: number;
  outcome: "pending" | "committed" | "failed";
};

export interface CommitQueue {
  /** The batch that takes the next message. Call `added` after each message. */
  readonly open: Batch;
  added(): void;
  readonly settledBatch: number;
  readonly chars: number;
  readonly batches: number;
  readonly congested: boolean;
  onDrain(listener: () => void): void;
  /** Resolves when nothing is waiting any more. */
  settled(): Promise<void>;
}

/**
 * Batches on their way to the disk. One is handed over at the end of a turn of the event loop while fewer than
 * `maxBatchesInFlight` are under way, else when one returns: the slower the disk, the larger the batches.
 */
export function commitQueue({ writer, recents, clock, log, settings, ...hooks }: Options): CommitQueue {
  const { maxBatchMessages, maxBatchChars, maxBatchesInFlight, queueHighChars, queueLowChars } = settings;
  let open = emptyBatch(1);
  const closed: SealedBatch[] = []; // in order; more than one only while batches fill up faster than they are written
  const inFlight: Posted[] = [];
  const drainListeners: (() => void)[] = [];
  let queuedChars = 0; // of everything but the open batch
  let settledBatch = 0;
  let scheduled = false;
  let congested = false;
  let idle = Promise.withResolvers<void>();
  idle.resolve();
  let isIdle = true;

  function endOfTurn(): void {
    scheduled = false;
    postNext();
  }

  function postNext(): void {
    while (inFlight.length < maxBatchesInFlight) {
      if (closed.length === 0 && open.sinks.length === 0) return;
      if (closed.length === 0) close();
      post(closed.shift() as SealedBatch);
    }
  }

  function close(): void {
    queuedChars += open.chars;
    closed.push(sealBatch(open, clock.now(), { takeBlockNo: recents.takeNo, grew: hooks.grew }));
    open = emptyBatch(open.no + 1);
  }

  function post(sealed: SealedBatch): void {
    const { batch } = sealed;
    const { steps, recents: blocks } = handOver(sealed);
    const posted: Posted = { batch, recents: blocks, sinceMs: clock.monotonic(), outcome: "pending" };
    inFlight.push(posted);
    // Nothing to write, too, keeps its place behind the batch before.
    const written = steps.length === 0 ? Promise.resolve() : writer.commit(steps);
    written.then(
      () => {
        posted.outcome = "committed";
        settleInOrder();
      },
      (error: unknown) => {
        log.error("ingest_commit_failed", { messages: batch.sinks.length, records: batch.records, error });
        posted.outcome = "failed";
        settleInOrder();
      },
    );
  }

  function settleInOrder(): void {
    const settled: Posted[] = [];
    while (inFlight[0] && inFlight[0].outcome !== "pending") settled.push(inFlight.shift() as Posted);
    if (!scheduled) postNext(); // first the disk gets its next batch, then the devices their answers
    for (const posted of settled) settle(posted);
    relieve();
    if (!isIdle && inFlight.length === 0 && closed.length === 0 && open.sinks.length === 0) {
      isIdle = true;
      idle.resolve();
    }
  }

  function settle({ batch, recents: blocks, sinceMs, outcome }: Posted): void {
    settledBatch = batch.no;
    queuedChars -= batch.chars;
    hooks.metrics().batchMessages.observe(batch.sinks.length);
    hooks.metrics().commitSeconds.observe((clock.monotonic() - sinceMs) / 1_000);
    if (outcome === "committed") {
      recents.add(blocks);
      for (const row of batch.committed) guarded(() => row.committed?.());
    } else {
      hooks.metrics().lost.add(batch.records);
      hooks.failed(batch);
    }
    answer(batch, outcome === "committed");
  }

  function answer({ sinks, tickets, doomed }: Batch, isStored: boolean): void {
    const touched = new Set<AckSink>();
    let previous: AckSink | undefined;
    let failures = 0;
    let firstError: unknown;
    for (let index = 0; index < sinks.length; index++) {
      const sink = sinks[index] as AckSink;
      if (sink !== previous) touched.add(sink);
      previous = sink;
      try {
        if (isStored && !(doomed.size > 0 && doomed.has(index))) sink.acknowledge(tickets[index] as number);
        else sink.abandon(tickets[index] as number);
      } catch (error) {
        if (failures++ === 0) firstError = error; // one connection must not take the answers of the others
      }
    }
    if (failures > 0) log.error("ingest_sink_failed", { failures, error: firstError });
    for (const sink of touched) guarded(() => sink.flush());
  }

  function guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      log.error("ingest_listener_failed", { error });
    }
  }

  function relieve(): void {
    if (!congested || queuedChars + open.chars > queueLowChars) return;
    congested = false;
    for (const listener of drainListeners) guarded(listener);
  }

  return {
    get open() {
      return open;
    },
    added() {
      if (isIdle) {
        isIdle = false;
        idle = Promise.withResolvers();
      }
      if (queuedChars + open.chars > queueHighChars) congested = true;
      if (open.sinks.length >= maxBatchMessages || open.chars >= maxBatchChars) close();
      if (!scheduled) {
        scheduled = true;
        hooks.schedule(endOfTurn);
      }
    },
    get settledBatch() {
      return settledBatch;
    },
    get chars() {
      return queuedChars + open.chars;
    },
    get batches() {
      return inFlight.length + closed.length;
    },
    get congested() {
      return congested;
    },
    onDrain(listener) {
      drainListeners.push(listener);
    },
    settled: () => idle.promise,
  };
}
