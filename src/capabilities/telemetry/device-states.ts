import type { Database } from "bun:sqlite";
import type { LiveDevice } from "../devices/device";
import type { OpenBlock } from "./history-block";
import { type ReportedState, restoreState } from "./reported-state";

/** What the ingest path keeps in memory of a device that reports. */
export type DeviceState = {
  device: LiveDevice;
  readonly services: Map<string, ServiceState>;
  /** Where its next record goes; undefined when the open batch has none of it. */
  block: OpenBlock | undefined;
  /** The last batch that this device is part of. Until that one has settled the state is newer than the database. */
  batch: number;
  seenMs: number;
  /** What of `seenMs` is on its way to the database, or there. */
  writtenSeenMs: number;
};
export type ServiceState = {
  readonly state: ReportedState;
  readonly owner: DeviceState;
  /** The batch that will write it; a second report in the same batch costs no second row. */
  batch: number;
  chars: number; // about what it holds
};

export interface DeviceStates {
  /** From memory, else from the database. Throws what the database throws. */
  use(device: LiveDevice): DeviceState;
  /** In memory only. */
  peek(deviceNo: number): DeviceState | undefined;
  /** The state of a service has grown (or shrunk) by so many characters. */
  grew(chars: number): void;
  readonly size: number;
}

type Options = {
  reads: Database;
  maxStates: number;
  maxStateChars: number;
  /** The newest batch that has settled: what is not part of a later one may leave the memory. */
  settledBatch(): number;
  unreadable(deviceNo: number, serviceId: string, error: unknown): void;
};
type ShadowRow = { service_id: string; reported: string; event_ms: number; times: string | null };

/**
 * A cache of two generations: what is used moves to the young one; when that is full, what was not used since the last
 * turn is dropped. No list to keep in order, no timer, and never more than `maxStates` (but for those in flight).
 */
export function deviceStates({ reads, maxStates, maxStateChars, settledBatch, unreadable }: Options): DeviceStates {
  const selectShadow = reads.query<ShadowRow, [number]>(
    "SELECT service_id, reported, event_ms, times FROM shadow WHERE device_no = ?",
  );
  const selectSeen = reads.query<{ seen_ms: number }, [number]>("SELECT seen_ms FROM device_seen WHERE device_no = ?");
  let young = new Map<number, DeviceState>();
  let old = new Map<number, DeviceState>();
  let youngChars = 0;

  function load(device: LiveDevice): DeviceState {
    const seenMs = selectSeen.get(device.no)?.seen_ms ?? Number.MIN_SAFE_INTEGER;
    const owner: DeviceState = {
      device,
      services: new Map(),
      block: undefined,
      batch: 0,
      seenMs,
      writtenSeenMs: seenMs,
    };
    for (const row of selectShadow.all(device.no)) {
      try {
        const state = restoreState(row.service_id, row.reported, row.event_ms, row.times);
        owner.services.set(row.service_id, { state, owner, batch: 0, chars: row.reported.length });
      } catch (error) {
        unreadable(device.no, row.service_id, error); // the next report replaces it
      }
    }
    return owner;
  }

  function insert(state: DeviceState): void {
    young.set(state.device.no, state);
    for (const { chars } of state.services.values()) youngChars += chars;
    if (young.size * 2 > maxStates || youngChars * 2 > maxStateChars) turn();
  }

  function turn(): void {
    const settled = settledBatch();
    const dropped = old;
    old = young;
    young = new Map();
    youngChars = 0;
    for (const [no, state] of dropped) if (state.batch > settled) young.set(no, state);
  }

  return {
    use(device) {
      let state = young.get(device.no);
      if (!state) {
        state = old.get(device.no) ?? load(device);
        old.delete(device.no);
        insert(state);
      }
      state.device = device;
      return state;
    },
    peek: (deviceNo) => young.get(deviceNo) ?? old.get(deviceNo),
    grew(chars) {
      youngChars += chars;
    },
    get size() {
      return young.size + old.size;
    },
  };
}
