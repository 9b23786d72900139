import type { Database } from "bun:sqlite";
import type { EnclosedRow } from "../../platform/storage/storage-writer";
import type { ReplayWindow } from "../../wire/dtls";
import { type Acknowledged, fromMark, NOTHING_ACKNOWLEDGED, toMark } from "./merge-windows";
import type { Route } from "./routes";

export type SessionRow = {
  readonly no: number;
  readonly deviceNo: number;
  readonly sessionId: Uint8Array;
  readonly connectionId: Uint8Array | undefined;
  /** Undefined: closed, to be resumed only. */
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly sealed: Uint8Array;
  readonly generation: number;
  readonly nextSequence: number;
  readonly window: ReplayWindow;
  readonly usedMs: number;
};
export type NewSession = Omit<SessionRow, "no" | "usedMs" | "address" | "port"> & { address: string; port: number };
export type SessionProgress = Pick<NewSession, "generation" | "nextSequence" | "window" | "address" | "port"> & {
  readonly usedMs: number;
};

type Row = {
  no: number;
  device_no: number;
  session_id: Uint8Array;
  connection_id: Uint8Array | null;
  address: string | null;
  port: number | null;
  sealed: Uint8Array;
  generation: number;
  next_sequence: number;
  window_top: number;
  window_low: number;
  window_high: number;
  used_ms: number;
};
type PlaceRow = Pick<Row, "no" | "device_no" | "connection_id" | "address" | "port">;
/** A session that can be reached. */
export type SessionPlace = { readonly no: number; readonly deviceNo: number } & Route;

/** `registry` holds all of a session but the newest acknowledged record number, which `telemetry` holds. */
export function sessionRepository(registry: Database, telemetry: Database) {
  const byNo = registry.query<Row, [number]>("SELECT * FROM dtls_session WHERE no = ?");
  const bySessionId = registry.query<Row, [Uint8Array]>("SELECT * FROM dtls_session WHERE session_id = ?");
  const place = "SELECT no, device_no, connection_id, address, port FROM dtls_session";
  const ofDevice = registry.query<PlaceRow, [number]>(`${place} WHERE device_no = ?`);
  const expired = registry.query<PlaceRow, [number, number]>(`${place} WHERE used_ms < ? ORDER BY used_ms LIMIT ?`);
  const reachable = registry.query<PlaceRow, [number, number]>(
    `${place} WHERE no > ? AND address IS NOT NULL ORDER BY no LIMIT ?`,
  );
  const insert = registry.query<{ no: number }, (number | string | Uint8Array | null)[]>(
    `INSERT INTO dtls_session (device_no, session_id, connection_id, address, port, sealed, generation, next_sequence,
       window_top, window_low, window_high, opened_ms, used_ms)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12) RETURNING no`,
  );
  const update = registry.query<null, (number | string)[]>(
    `UPDATE dtls_session SET generation = ?2, next_sequence = ?3, window_top = ?4, window_low = ?5, window_high = ?6,
       address = ?7, port = ?8, used_ms = ?9 WHERE no = ?1 AND address IS NOT NULL`,
  );
  const close = registry.query<null, [number]>(
    "UPDATE dtls_session SET address = NULL, port = NULL, connection_id = NULL WHERE no = ?",
  );
  const remove = registry.query<null, [number]>("DELETE FROM dtls_session WHERE no = ?");
  const removeOfDevice = registry.query<null, [number]>("DELETE FROM dtls_session WHERE device_no = ?");
  const lastGeneration = registry.query<{ no: number }, []>("SELECT no FROM dtls_generation");
  const setGeneration = registry.query<null, [number]>("UPDATE dtls_generation SET no = ?");
  const acknowledged = telemetry.query<{ mark: number }, [number, number]>(
    "SELECT mark FROM dtls_window WHERE device_no = ? AND session_no = ?",
  );

  return {
    find: (no: number): SessionRow | undefined => optional(byNo.get(no)),
    findBySessionId: (sessionId: Uint8Array): SessionRow | undefined => optional(bySessionId.get(sessionId)),
    placeOfDevice(deviceNo: number): { no: number; route: Route | undefined } | undefined {
      const row = ofDevice.get(deviceNo);
      return row ? { no: row.no, route: routeOf(row) } : undefined;
    },
    /** In the order of their numbers. */
    reachable: (afterNo: number, limit: number): SessionPlace[] =>
      reachable.all(afterNo, limit).map((row) => ({ no: row.no, deviceNo: row.device_no, ...(routeOf(row) as Route) })),
    /** Takes the place of the device's earlier one. */
    insert(session: NewSession, nowMs: number): number {
      removeOfDevice.run(session.deviceNo);
      const { window } = session;
      const row = insert.get(
        ...[session.deviceNo, session.sessionId, session.connectionId ?? null, session.address, session.port],
        ...[session.sealed, session.generation, session.nextSequence, window.top, window.low, window.high, nowMs],
      );
      return (row as { no: number }).no;
    },
    /** Nothing for a session that is closed or gone. */
    update(no: number, { generation, nextSequence, window, address, port, usedMs }: SessionProgress): void {
      update.run(no, generation, nextSequence, window.top, window.low, window.high, address, port, usedMs);
    },
    /** It can only be resumed from here on. */
    close: (no: number) => void close.run(no),
    remove: (no: number) => void remove.run(no),
    removeOfDevice: (deviceNo: number) => void removeOfDevice.run(deviceNo),
    expired: (beforeMs: number, limit: number) =>
      expired.all(beforeMs, limit).map((row) => ({ no: row.no, deviceNo: row.device_no, route: routeOf(row) })),
    /**
     * Counts up. Hours are mixed in for a data folder that comes from a snapshot of the machine: what ran between the
     * snapshot and now had lower generations then, unless it began within the hour.
     */
    nextGeneration(nowMs: number): number {
      const last = lastGeneration.get()?.no ?? 0;
      const generation = Math.max(last + 1, Math.floor((nowMs - GENERATION_EPOCH_MS) / 3_600_000));
      setGeneration.run(generation);
      return generation;
    },
    acknowledged(deviceNo: number, no: number): Acknowledged {
      const row = acknowledged.get(deviceNo, no);
      return row ? fromMark(row.mark) : NOTHING_ACKNOWLEDGED;
    },
  };
}
export type SessionRepository = ReturnType<typeof sessionRepository>;

/**
 * For data that comes from a backup: record numbers went on after it was made, and must not be used again, nor may what was
 * acknowledged since be played again. The devices open new sessions. Also for files from before there were any.
 */
export function forgetStoredSessions(registry: Database): void {
  const table = registry.query("SELECT 1 FROM sqlite_master WHERE name = 'dtls_session'").get();
  if (table !== null) registry.run("DELETE FROM dtls_session");
}

const GENERATION_EPOCH_MS = Date.UTC(2026, 0, 1);

/** Row of `telemetry.db`, enclosed in the transaction of what is acknowledged. Numbers of sessions only grow. */
const WINDOW_MOVED = `INSERT INTO dtls_window (device_no, session_no, mark) VALUES (?, ?, ?)
ON CONFLICT (device_no) DO UPDATE SET
  mark = CASE WHEN session_no = excluded.session_no THEN MAX(mark, excluded.mark) ELSE excluded.mark END,
  session_no = excluded.session_no
WHERE excluded.session_no >= session_no`;
export const windowMoved = (deviceNo: number, sessionNo: number, acknowledged: Acknowledged): EnclosedRow => ({
  sql: WINDOW_MOVED,
  values: [deviceNo, sessionNo, toMark(acknowledged)],
});
/** For `deletedDevicesPurge`. */
export const DELETE_DTLS_WINDOW_OF_DEVICE = "DELETE FROM dtls_window WHERE device_no = ?";

function routeOf({ address, port, connection_id }: PlaceRow): Route | undefined {
  if (address === null || port === null) return undefined;
  return { address, port, connectionId: connection_id ?? undefined };
}

function optional(row: Row | null): SessionRow | undefined {
  if (row === null) return undefined;
  return {
    no: row.no,
    deviceNo: row.device_no,
    sessionId: row.session_id,
    connectionId: row.connection_id ?? undefined,
    address: row.address ?? undefined,
    port: row.port ?? undefined,
    sealed: row.sealed,
    generation: row.generation,
    nextSequence: row.next_sequence,
    window: { top: row.window_top, low: row.window_low, high: row.window_high },
    usedMs: row.used_ms,
  };
}
