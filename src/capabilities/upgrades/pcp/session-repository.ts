import type { Database } from "bun:sqlite";

export type StoredExecute = {
  readonly subTaskNo: number;
  readonly attempt: number;
  /** The very message that told the device to install. */
  readonly datagram: Uint8Array;
  readonly sentAtMs: number;
};

/** Of PCP: what must be the same again after a restart. Writes belong into transactions of the caller. */
export function sessionRepository(db: Database) {
  const putExecute = db.query<null, [number, number, number, Uint8Array, number]>(
    "INSERT OR REPLACE INTO pcp_execute (device_no, sub_task_no, attempt, datagram, sent_at_ms) VALUES (?, ?, ?, ?, ?)",
  );
  const execute = db.query<
    { sub_task_no: number; attempt: number; datagram: Uint8Array; sent_at_ms: number },
    [number]
  >("SELECT sub_task_no, attempt, datagram, sent_at_ms FROM pcp_execute WHERE device_no = ?");
  const dropExecute = db.query<null, [number, number]>(
    "DELETE FROM pcp_execute WHERE device_no = ? AND sub_task_no = ?",
  );
  const putAnswered = db.query<null, [number, Uint8Array]>(
    "INSERT OR REPLACE INTO pcp_answered (device_no, request) VALUES (?, ?)",
  );
  const answered = db.query<{ request: Uint8Array }, [number]>("SELECT request FROM pcp_answered WHERE device_no = ?");
  const dropAnswered = db.query<null, [number]>("DELETE FROM pcp_answered WHERE device_no = ?");
  const removals = ["pcp_execute", "pcp_answered"].map((table) =>
    db.query<null, [number]>(`DELETE FROM ${table} WHERE device_no = ?`),
  );

  return {
    putExecute: (deviceNo: number, { subTaskNo, attempt, datagram, sentAtMs }: StoredExecute): void =>
      void putExecute.run(deviceNo, subTaskNo, attempt, datagram, sentAtMs),
    executeOf(deviceNo: number): StoredExecute | undefined {
      const row = execute.get(deviceNo);
      if (!row) return undefined;
      const { sub_task_no: subTaskNo, attempt, datagram, sent_at_ms: sentAtMs } = row;
      return { subTaskNo, attempt, datagram: new Uint8Array(datagram), sentAtMs };
    },
    dropExecute: (deviceNo: number, subTaskNo: number): void => void dropExecute.run(deviceNo, subTaskNo),
    /** The last request of a device that ended an attempt, and was answered with success. */
    putAnswered: (deviceNo: number, request: Uint8Array): void => void putAnswered.run(deviceNo, request),
    answeredOf: (deviceNo: number): Uint8Array | undefined => answered.get(deviceNo)?.request,
    dropAnswered: (deviceNo: number): void => void dropAnswered.run(deviceNo),
    removeDevice(deviceNo: number): void {
      for (const removal of removals) removal.run(deviceNo);
    },
  };
}
export type SessionRepository = ReturnType<typeof sessionRepository>;
