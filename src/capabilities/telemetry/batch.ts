import type { EnclosedRow, SqlValue, WriteStep } from "../../platform/storage/storage-writer";
import type { DeviceState, ServiceState } from "./device-states";
import { type OpenBlock, renderBlock } from "./history-block";
import type { RecentBlock } from "./recent-blocks";
import type { AckSink } from "./report";
import { renderTimes } from "./reported-state";

const INSERT_RECENT =
  "INSERT INTO history_recent (device_no, no, stored_ms, min_ms, max_ms, count, records) VALUES (?, ?, ?, ?, ?, ?, ?)";
const UPSERT_SHADOW = `INSERT INTO shadow (device_no, service_id, reported, event_ms, times) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET reported = excluded.reported, event_ms = excluded.event_ms, times = excluded.times`;
const UPSERT_SEEN = `INSERT INTO device_seen (device_no, seen_ms) VALUES (?, ?)
  ON CONFLICT DO UPDATE SET seen_ms = excluded.seen_ms`;

/** Everything of one commit. Column-wise and flat: a message adds numbers and references, but no object of its own. */
export type Batch = {
  readonly no: number;
  readonly sinks: AckSink[];
  readonly tickets: number[];
  /** Positions of messages that could not be taken in; they are abandoned whatever becomes of the batch. */
  readonly doomed: Set<number>;
  readonly blocks: OpenBlock[];
  readonly devices: DeviceState[];
  readonly services: ServiceState[];
  readonly seen: DeviceState[];
  readonly enclosed: Map<string, SqlValue[][]>;
  readonly committed: EnclosedRow[];
  records: number;
  chars: number;
};

export const emptyBatch = (no: number): Batch => ({
  no,
  sinks: [],
  tickets: [],
  doomed: new Set(),
  blocks: [],
  devices: [],
  services: [],
  seen: [],
  enclosed: new Map(),
  committed: [],
  records: 0,
  chars: 0,
});

/** Rows of one statement go together, whoever they come from: that is one step, prepared once. */
export function addEnclosed(batch: Batch, row: EnclosedRow): void {
  let columns = batch.enclosed.get(row.sql);
  if (!columns) {
    columns = row.values.map(() => []);
    batch.enclosed.set(row.sql, columns);
  }
  for (let index = 0; index < columns.length; index++) {
    const value = row.values[index] as SqlValue;
    columns[index]?.push(value);
    if (typeof value === "string") batch.chars += value.length;
  }
  if (row.committed) batch.committed.push(row);
}

/** The statements of a closed batch: `own` has the device number in its first column. */
export type SealedBatch = {
  readonly batch: Batch;
  readonly recents: readonly RecentBlock[];
  readonly own: readonly WriteStep[];
  readonly others: WriteStep[];
};
type SealHooks = { takeBlockNo(): number; grew(chars: number): void };

/**
 * Nothing can be added to the batch afterwards, and the state in memory goes its way: what is rendered here is what the
 * reports of this batch and those before it have made of it. `grew` hears by how many characters the states have changed.
 */
export function sealBatch(batch: Batch, nowMs: number, { takeBlockNo, grew }: SealHooks): SealedBatch {
  for (const device of batch.devices) device.block = undefined; // the next record begins a block of the next batch
  const recents = batch.blocks.map((block): RecentBlock => ({ no: takeBlockNo(), storedMs: nowMs, block }));
  const own = [recentStep(recents), shadowStep(batch, grew), seenStep(batch)];
  return { batch, recents, own, others: [...batch.enclosed].map(([sql, columns]) => ({ sql, columns })) };
}

/**
 * What belongs to a device that was deleted meanwhile is left out: its purge runs behind this batch in the same queue
 * and must find everything there is. To be asked when the batch is handed over.
 */
export function handOver({ batch, recents, own, others }: SealedBatch) {
  const deleted = new Set<SqlValue>();
  for (const { device } of batch.devices) if (device.deleted) deleted.add(device.no);
  const kept = deleted.size === 0 ? own : own.map((step) => withoutDevices(step, deleted));
  return {
    steps: [...kept, ...others].filter(({ columns }) => columns[0] && columns[0].length > 0),
    /** The history blocks among them. */
    recents: deleted.size === 0 ? recents : recents.filter(({ block }) => !deleted.has(block.deviceNo)),
  };
}

function withoutDevices({ sql, columns }: WriteStep, deleted: ReadonlySet<SqlValue>): WriteStep {
  const isKept = columns[0]?.map((deviceNo) => !deleted.has(deviceNo)) ?? [];
  return { sql, columns: columns.map((column) => column.filter((_, row) => isKept[row])) };
}

function recentStep(recents: readonly RecentBlock[]): WriteStep {
  const columns: [number[], number[], number[], number[], number[], number[], string[]] = [[], [], [], [], [], [], []];
  for (const { no, storedMs, block } of recents) {
    columns[0].push(block.deviceNo);
    columns[1].push(no);
    columns[2].push(storedMs);
    columns[3].push(block.minMs);
    columns[4].push(block.maxMs);
    columns[5].push(block.count);
    columns[6].push(renderBlock(block));
  }
  return { sql: INSERT_RECENT, columns };
}

function shadowStep({ services }: Batch, grew: (chars: number) => void): WriteStep {
  const columns: [number[], string[], string[], number[], (string | null)[]] = [[], [], [], [], []];
  for (const service of services) {
    const { state, owner } = service;
    const reported = JSON.stringify(state.values);
    grew(reported.length - service.chars);
    service.chars = reported.length;
    columns[0].push(owner.device.no);
    columns[1].push(state.serviceId);
    columns[2].push(reported);
    columns[3].push(state.eventMs);
    columns[4].push(renderTimes(state));
  }
  return { sql: UPSERT_SHADOW, columns };
}

function seenStep({ seen }: Batch): WriteStep {
  const columns: [number[], number[]] = [[], []];
  for (const state of seen) {
    columns[0].push(state.device.no);
    columns[1].push(state.seenMs);
    state.writtenSeenMs = state.seenMs;
  }
  return { sql: UPSERT_SEEN, columns };
}
