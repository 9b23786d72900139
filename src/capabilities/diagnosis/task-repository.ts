import type { Database } from "bun:sqlite";
import type { Course } from "./course";
import type { CollectedLog, DiagnosisTask, TaskFailure, TaskFilter, TaskKind, TaskState } from "./task";

/** A task with what only its course needs; times on the time that does not jump. */
export type StoredTask = {
  readonly task: DiagnosisTask;
  readonly course: Course;
  /** When it must have been sent. */
  readonly sendUntil: number;
  /** When the present state has lasted too long. */
  readonly due: number | undefined;
};
export type TaskToAdd = Pick<DiagnosisTask, "id" | "deviceNo" | "deviceId" | "kind" | "createdAt"> & {
  readonly sendUntil: number;
  readonly due: number;
};
type Changed = Pick<DiagnosisTask, "detail" | "processingAt" | "sentAt" | "endedAt"> &
  Pick<StoredTask, "course" | "sendUntil" | "due">;

type Row = {
  no: number;
  id: string;
  device_no: number;
  device_id: string;
  kind: TaskKind;
  state: TaskState;
  sent: number;
  reason: TaskFailure | null;
  detail: string | null;
  created_ms: number;
  processing_ms: number | null;
  sent_ms: number | null;
  ended_ms: number | null;
  send_until_ms: number;
  due_ms: number | null;
  log_bytes: number | null;
};
type Named = Record<string, string | number | null>;

const FROM = "FROM diagnosis_task LEFT JOIN diagnosis_log ON task_no = no";
const SELECT = `SELECT diagnosis_task.*, length(content) AS log_bytes ${FROM}`;

export type TaskRepository = ReturnType<typeof taskRepository>;

/** `diagnosis_task` and `diagnosis_log` in registry.db. */
export function taskRepository(db: Database) {
  const insert = db.query<{ no: number }, Named>(
    `INSERT INTO diagnosis_task (id, device_no, device_id, kind, state, sent, created_ms, send_until_ms, due_ms)
     VALUES ($id, $device_no, $device_id, $kind, 'Waiting', 0, $created_ms, $send_until_ms, $due_ms) RETURNING no`,
  );
  const update = db.query<null, Named>(
    `UPDATE diagnosis_task SET state = $state, sent = $sent, reason = $reason, detail = $detail,
       processing_ms = $processing_ms, sent_ms = $sent_ms, ended_ms = $ended_ms, send_until_ms = $send_until_ms,
       due_ms = $due_ms WHERE no = $no`,
  );
  const selectByNo = db.query<Row, [number]>(`${SELECT} WHERE no = ?`);
  const selectById = db.query<Row, [string]>(`${SELECT} WHERE id = ?`);
  const selectOpen = db.query<Row, [number, string]>(
    `${SELECT} WHERE device_no = ? AND kind = ? AND due_ms IS NOT NULL`,
  );
  const selectDue = db.query<Row, [number, number]>(
    `${SELECT} WHERE due_ms IS NOT NULL AND due_ms <= ? ORDER BY due_ms LIMIT ?`,
  );
  const selectUnfinished = db.query<Row, []>(`${SELECT} WHERE due_ms IS NOT NULL`);
  const insertLog = db.query<null, [number, string, Uint8Array]>(
    "INSERT INTO diagnosis_log (task_no, content_type, content) VALUES (?, ?, ?)",
  );
  const selectLog = db.query<{ content_type: string; content: Uint8Array }, [number]>(
    "SELECT content_type, content FROM diagnosis_log WHERE task_no = ?",
  );
  const trim = db.query<null, Named>(
    `DELETE FROM diagnosis_task WHERE device_no = $device_no AND kind = $kind AND due_ms IS NULL AND no <= (
       SELECT no FROM diagnosis_task WHERE device_no = $device_no AND kind = $kind AND due_ms IS NULL
       ORDER BY no DESC LIMIT 1 OFFSET $keep)`,
  );
  const deleteOfDevice = db.query<null, [number]>("DELETE FROM diagnosis_task WHERE device_no = ?");
  const clampDue = db.query<null, Named>(
    "UPDATE diagnosis_task SET due_ms = $due_ms, send_until_ms = $send_until_ms WHERE no = $no",
  );

  const get = (no: number): StoredTask | undefined => optional(selectByNo.get(no));

  return {
    get,
    add(task: TaskToAdd): StoredTask {
      const row = insert.get({
        ...{ id: task.id, device_no: task.deviceNo, device_id: task.deviceId, kind: task.kind },
        ...{ created_ms: task.createdAt, send_until_ms: task.sendUntil, due_ms: task.due },
      });
      const added = row && get(row.no);
      if (!added) throw new Error("diagnosis task was not inserted");
      return added;
    },
    save(no: number, { course, ...changed }: Changed): void {
      update.run({
        no,
        state: course.state,
        sent: "sent" in course && course.sent ? 1 : 0,
        reason: "reason" in course ? course.reason : null,
        detail: changed.detail ?? null,
        processing_ms: changed.processingAt ?? null,
        sent_ms: changed.sentAt ?? null,
        ended_ms: changed.endedAt ?? null,
        send_until_ms: changed.sendUntil,
        due_ms: changed.due ?? null,
      });
    },
    findById: (id: string): StoredTask | undefined => optional(selectById.get(id)),
    findOpen: (deviceNo: number, kind: TaskKind): StoredTask | undefined => optional(selectOpen.get(deviceNo, kind)),
    due: (now: number, limit: number): StoredTask[] => selectDue.all(now, limit).map(fromRow),
    unfinished: (): StoredTask[] => selectUnfinished.all().map(fromRow),
    setTimes: (no: number, due: number, sendUntil: number): void =>
      void clampDue.run({ no, due_ms: due, send_until_ms: sendUntil }),
    putLog: (no: number, { contentType, content }: CollectedLog): void => void insertLog.run(no, contentType, content),
    log(no: number): CollectedLog | undefined {
      const row = selectLog.get(no);
      return row ? { contentType: row.content_type, content: row.content } : undefined;
    },
    /** Leaves the newest ended ones of the device and kind. */
    trim: (deviceNo: number, kind: TaskKind, keep: number): void => void trim.run({ device_no: deviceNo, kind, keep }),
    deleteOfDevice: (deviceNo: number): void => void deleteOfDevice.run(deviceNo),

    page({ deviceNo, kind, state, page, pageSize }: TaskFilter): { items: DiagnosisTask[]; total: number } {
      const values: Named = {};
      const conditions: string[] = [];
      for (const [name, value] of Object.entries({ device_no: deviceNo, kind, state })) {
        if (value === undefined) continue;
        conditions.push(`${name} = $${name}`);
        values[name] = value;
      }
      const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
      const total = db.query<{ n: number }, Named>(`SELECT COUNT(*) AS n FROM diagnosis_task ${where}`);
      const rows = db.query<Row, Named>(`${SELECT} ${where} ORDER BY no DESC LIMIT $limit OFFSET $offset`);
      return {
        items: rows.all({ ...values, limit: pageSize, offset: page * pageSize }).map((row) => fromRow(row).task),
        total: total.get(values)?.n ?? 0,
      };
    },
  };
}

const optional = (row: Row | null): StoredTask | undefined => (row ? fromRow(row) : undefined);

function fromRow(row: Row): StoredTask {
  const task = {
    no: row.no,
    id: row.id,
    deviceNo: row.device_no,
    deviceId: row.device_id,
    kind: row.kind,
    state: row.state,
    sent: row.sent === 1,
    reason: row.reason ?? undefined,
    detail: row.detail ?? undefined,
    createdAt: row.created_ms,
    processingAt: row.processing_ms ?? undefined,
    sentAt: row.sent_ms ?? undefined,
    endedAt: row.ended_ms ?? undefined,
    logBytes: row.log_bytes ?? undefined,
  } as DiagnosisTask;
  return { task, course: courseOf(row), sendUntil: row.send_until_ms, due: row.due_ms ?? undefined };
}

function courseOf({ state, sent, reason }: Row): Course {
  switch (state) {
    case "Waiting":
    case "Success":
      return { state };
    case "Processing":
      return { state, sent: sent === 1 };
    case "Fail":
      return { state, reason: reason ?? "no_answer" };
    default:
      return state satisfies never;
  }
}
