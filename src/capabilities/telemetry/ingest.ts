import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { EnclosedRow, StorageWriter } from "../../platform/storage/storage-writer";
import type { LiveDevice } from "../devices/device";
import type { TraceSink } from "../devices/trace-sink";
import { addEnclosed, type Batch } from "./batch";
import { commitQueue } from "./commit-queue";
import { isDeeperThan } from "./data-limits";
import { type DeviceState, deviceStates } from "./device-states";
import { append, hasRoom, openBlock } from "./history-block";
import { type Drop, ingestMetrics, type Refusal } from "./ingest-metrics";
import type { RecentBlocks } from "./recent-blocks";
import type { AcceptedReport, AckSink, Ingest, ReportNotifier, ServiceReport } from "./report";
import { emptyState, mergeReport } from "./reported-state";
import type { IngestSettings } from "./settings";

const MESSAGE_CHARS = 64; // about what a message without data takes in a batch

type Options = {
  writer: StorageWriter;
  recents: RecentBlocks;
  /** telemetry.db, read-only. */
  reads: Database;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  trace: TraceSink;
  notifier: ReportNotifier;
  settings: IngestSettings;
  /** End of the turn of the event loop. */
  schedule?: (run: () => void) => void;
};

type Refused = { readonly reason: Refusal; readonly detail: string };

export type IngestPipeline = Ingest & {
  /** Resolves when everything reported so far is on disk (or lost, and told so). */
  settled(): Promise<void>;
  /** When the device last said something, as far as it is known in memory; see `lastSeen`. */
  seenInMemory(deviceNo: number): number | undefined;
};

/** The way of every report to the disk: check, join the state in memory, join the batch. platform.md 6. */
export function createIngest(options: Options): IngestPipeline {
  const { reads, clock, log, trace, notifier, settings } = options;
  const { futureToleranceMs, maxDataChars, maxDataDepth, lastSeenStepMs } = settings;
  const queue = commitQueue({
    ...options,
    schedule: options.schedule ?? setImmediate,
    metrics: () => metrics,
    grew: (chars) => states.grew(chars),
    failed(batch) {
      for (const state of batch.seen) state.writtenSeenMs = Number.MIN_SAFE_INTEGER;
    },
  });
  const states = deviceStates({
    reads,
    maxStates: settings.maxStates,
    maxStateChars: settings.maxStateChars,
    settledBatch: () => queue.settledBatch,
    unreadable: (deviceNo, serviceId, error) => log.error("shadow_unreadable", { deviceNo, serviceId, error }),
  });
  const metrics = ingestMetrics(options.metrics, {
    queueChars: () => queue.chars,
    batches: () => queue.batches,
    states: () => states.size,
  });

  // What fits of the message under way. Reused, so that a message costs no arrays of its own.
  const fitting: ServiceReport[] = [];
  const texts: string[] = [];

  function report(
    device: LiveDevice,
    reports: readonly ServiceReport[],
    sink: AckSink,
    ticket: number,
    enclosed?: EnclosedRow,
  ): void {
    const batch = queue.open;
    const index = batch.sinks.push(sink) - 1;
    batch.tickets.push(ticket);
    batch.chars += MESSAGE_CHARS;
    try {
      take(batch, device, reports);
      if (enclosed) addEnclosed(batch, enclosed);
    } catch (error) {
      batch.doomed.add(index); // a fault of ours: the device keeps the message and sends it again
      log.error("ingest_failed", { deviceId: device.id, error });
    }
    queue.added();
  }

  function take(batch: Batch, device: LiveDevice, reports: readonly ServiceReport[]): void {
    const drop = reasonToDrop(device);
    if (drop === "device_deleted") {
      metrics.dropped.device_deleted.add(reports.length);
      return;
    }
    const now = clock.now();
    const state = states.use(device);
    join(batch, state, now);
    if (drop) {
      metrics.dropped[drop].add(reports.length);
      return;
    }
    const isForwarded = device.product === undefined || device.product.passThrough;
    fitting.length = 0;
    texts.length = 0;
    for (let index = 0; index < reports.length; index++) {
      const report = reports[index] as ServiceReport;
      const refused = check(device, report, isForwarded);
      if (refused) refuse(device.no, report.serviceId, refused);
    }
    if (fitting.length === 0) return;
    notify(batch, device, now);
    if (isForwarded) metrics.forwarded.add(fitting.length);
    else store(batch, state, now);
  }

  function join(batch: Batch, state: DeviceState, now: number): void {
    state.seenMs = now;
    if (state.batch === batch.no) return;
    state.batch = batch.no;
    batch.devices.push(state);
    if (Math.abs(now - state.writtenSeenMs) >= lastSeenStepMs) batch.seen.push(state);
  }

  /** Joins what fits to `fitting`; else says why not. */
  function check(device: LiveDevice, report: ServiceReport, isForwarded: boolean): Refused | undefined {
    const { serviceId, data } = report;
    if (isDeeperThan(data, maxDataDepth)) return { reason: "too_deep", detail: `over ${maxDataDepth} levels` };
    if (!isForwarded) {
      const service = device.product?.services.get(serviceId);
      if (!service) return { reason: "unknown_service", detail: "not in the product model" };
      const misfit = service.checkReport(data);
      if (misfit !== undefined) return { reason: "misfit", detail: misfit };
    }
    const text = JSON.stringify(data);
    if (text.length > maxDataChars) return { reason: "too_large", detail: `over ${maxDataChars} characters` };
    fitting.push(report);
    texts.push(text);
    return undefined;
  }

  function refuse(deviceNo: number, serviceId: string, { reason, detail }: Refused): void {
    metrics.refused[reason].add();
    trace.record({ deviceNo, kind: "report", outcome: "failed", reason, detail: `${serviceId}: ${detail}` });
  }

  function notify(batch: Batch, device: LiveDevice, now: number): void {
    if (!device.pushEnabled || notifier.wants?.(device) === false) return;
    const accepted = fitting.map(
      ({ serviceId, data, eventTimeMs }): AcceptedReport => ({
        serviceId,
        serviceType: device.product?.services.get(serviceId)?.serviceType ?? serviceId,
        data,
        timestampMs: timeOf(eventTimeMs, now),
      }),
    );
    try {
      for (const row of notifier.rowsFor(device, accepted)) addEnclosed(batch, row);
    } catch (error) {
      // A notification that cannot be rendered must not keep the data out: the device would send them for ever.
      log.error("ingest_notify_failed", { deviceId: device.id, error });
    }
  }

  const timeOf = (eventTimeMs: number | undefined, now: number) =>
    eventTimeMs === undefined || eventTimeMs > now + futureToleranceMs ? now : eventTimeMs;

  function store(batch: Batch, owner: DeviceState, now: number): void {
    for (let index = 0; index < fitting.length; index++) {
      const { serviceId, data, eventTimeMs } = fitting[index] as ServiceReport;
      const text = texts[index] as string;
      const timestampMs = timeOf(eventTimeMs, now);
      let { block } = owner;
      if (!block || !hasRoom(block, timestampMs)) {
        block = openBlock(owner.device.no, timestampMs);
        owner.block = block;
        batch.blocks.push(block);
      }
      append(block, serviceId, timestampMs, text);
      // A clock that runs ahead must not shut out what the device says after it has been put right.
      reported(batch, owner, serviceId, data, Math.min(timestampMs, now));
      batch.chars += text.length;
    }
    batch.records += fitting.length;
    metrics.stored.add(fitting.length);
  }

  function reported(
    batch: Batch,
    owner: DeviceState,
    serviceId: string,
    data: ServiceReport["data"],
    timestampMs: number,
  ): void {
    let service = owner.services.get(serviceId);
    if (!service) {
      service = { state: emptyState(serviceId, timestampMs), owner, batch: 0, chars: 0 };
      owner.services.set(serviceId, service);
    }
    mergeReport(service.state, data, timestampMs);
    if (service.batch === batch.no) return;
    service.batch = batch.no;
    batch.services.push(service);
  }

  return {
    report,
    pass(sink, ticket, enclosed) {
      const batch = queue.open;
      batch.sinks.push(sink);
      batch.tickets.push(ticket);
      batch.chars += MESSAGE_CHARS;
      if (enclosed) addEnclosed(batch, enclosed);
      queue.added();
    },
    get congested() {
      return queue.congested;
    },
    onDrain: (listener) => queue.onDrain(listener),
    settled: () => queue.settled(),
    seenInMemory: (deviceNo) => states.peek(deviceNo)?.seenMs,
  };
}

function reasonToDrop(device: LiveDevice): Drop | undefined {
  if (device.deleted) return "device_deleted";
  if (device.muted) return "device_muted";
  return device.storeHistory ? undefined : "history_off";
}
