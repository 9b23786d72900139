import type { Database } from "bun:sqlite";
import { type CommandRow, fromRow, fromRows, type StoredCommand } from "./command-row";

/** A queued command whose acknowledgement is awaited, or that waits in line. */
export type AwaitedCommand = { readonly no: number; readonly deviceNo: number; readonly until: number };

export type QueueRepository = ReturnType<typeof queueRepository>;

/** The rows of `command` that have their place in the queue of a device that sleeps. */
export function queueRepository(db: Database) {
  // What was sent before, then immediate ones, then what waits; the oldest of each.
  const selectNextQueued = db.query<CommandRow, [number]>(
    `SELECT * FROM command WHERE queued = 1 AND device_no = +?
       ORDER BY CASE WHEN status = 'PENDING' THEN 2 WHEN issued_times = 0 THEN 1 ELSE 0 END, no LIMIT 1`,
  );
  const selectPendingOf = db.query<CommandRow, [number, number]>(
    `SELECT * FROM command INDEXED BY command_queue
       WHERE queued = 1 AND device_no = +? AND status = 'PENDING' AND answer_until_ms > +? ORDER BY no`,
  );
  const countPendingOf = db.query<{ count: number }, [number, number]>(
    `SELECT count(*) AS count FROM command INDEXED BY command_queue
       WHERE queued = 1 AND device_no = ? AND status = 'PENDING' AND answer_until_ms > ?`,
  );
  const countPending = db.query<{ count: number }, []>(
    "SELECT count(*) AS count FROM command WHERE status = 'PENDING'",
  );
  const selectExpired = db.query<CommandRow, [number, number]>(
    "SELECT * FROM command WHERE status = 'PENDING' AND answer_until_ms <= ? ORDER BY answer_until_ms LIMIT ?",
  );
  const selectNextExpiry = db.query<{ until: number | null }, []>(
    "SELECT min(answer_until_ms) AS until FROM command WHERE status = 'PENDING'",
  );
  const selectQueuedDevices = db.query<{ no: number }, []>(
    "SELECT DISTINCT device_no AS no FROM command WHERE queued = 1",
  );
  const selectAwaited = db.query<AwaitedCommand, []>(
    `SELECT no, device_no AS deviceNo, answer_until_ms AS until FROM command WHERE queued = 1 AND status = 'SENT'`,
  );
  const selectOfDevice = db.query<{ no: number; status: string }, [number]>(
    "SELECT no, status FROM command INDEXED BY command_queue WHERE queued = 1 AND device_no = ?",
  );

  return {
    /** What has its turn in the queue of a device that sleeps. */
    nextQueued: (deviceNo: number): StoredCommand | undefined => fromRow(selectNextQueued.get(deviceNo)),
    /** What still waits at that time, oldest first. */
    pendingOf: (deviceNo: number, now: number): StoredCommand[] => fromRows(selectPendingOf.all(deviceNo, now)),
    countPendingOf: (deviceNo: number, now: number): number => countPendingOf.get(deviceNo, now)?.count ?? 0,
    /** Of all devices, expired ones that nobody has seen to included. */
    countPending: (): number => countPending.get()?.count ?? 0,
    expired: (now: number, limit: number): StoredCommand[] => fromRows(selectExpired.all(now, limit)),
    /** ms; undefined when nothing waits. */
    nextExpiry: (): number | undefined => selectNextExpiry.get()?.until ?? undefined,
    /** All that a device has in its queue. */
    ofDevice(deviceNo: number): { numbers: number[]; pendingCount: number } {
      const rows = selectOfDevice.all(deviceNo);
      const pendingCount = rows.filter(({ status }) => status === "PENDING").length;
      return { numbers: rows.map(({ no }) => no), pendingCount };
    },
    queuedDevices: (): number[] => selectQueuedDevices.all().map(({ no }) => no),
    awaited: (): AwaitedCommand[] => selectAwaited.all(),
  };
}
