import type { Database } from "bun:sqlite";
import type { DeviceId } from "../devices/device";
import type { PackageId } from "../packages/package";
import type { Attempt, Progress } from "./course";
import type { StoredSubTask } from "./stored";
import type { SubOperationId, SubTask, SubTaskStatus, UpgradeKind } from "./upgrade";
import type { Stage, UpgradeWay } from "./upgrade-link";

type Row = {
  no: number;
  id: string;
  task_no: number;
  device_no: number;
  device_id: string;
  kind: string;
  created_ms: number;
} & Changing;
type Changing = {
  status: string;
  claims: number;
  parked: number;
  executions: number;
  retries: number;
  due_ms: number | null;
  stage: string | null;
  sent: string | null;
  progress: string | null;
  claimed: number;
  stage_due_ms: number | null;
  ready_until_ms: number | null;
  slot_until_ms: number | null;
  place: string | null;
  token: Uint8Array | null;
  token_until_ms: number | null;
  way: string | null;
  package_no: number | null;
  package_id: string | null;
  source_version: string | null;
  current_version: string | null;
  target_version: string | null;
  detail: string | null;
  error_code: string | null;
  timed_out: number;
  started_ms: number | null;
  download_started_ms: number | null;
  downloaded_ms: number | null;
  ended_ms: number | null;
};
const CHANGING = [
  ...["status", "claims", "parked", "executions", "retries", "due_ms", "stage", "sent", "progress", "claimed"],
  ...["stage_due_ms", "ready_until_ms", "slot_until_ms", "place", "token", "token_until_ms", "way", "package_no"],
  ...["package_id", "source_version", "current_version", "target_version", "detail", "error_code", "timed_out"],
  ...["started_ms", "download_started_ms", "downloaded_ms", "ended_ms"],
];
type Named = Record<string, string | number | Uint8Array | null>;

export type NewSubTask = Pick<SubTask, "id" | "taskNo" | "deviceNo" | "deviceId" | "kind" | "createdAt"> & {
  /** Where there is only one package, it is known. */
  readonly package: { readonly no: number; readonly fileId: PackageId; readonly version: string } | undefined;
};
const OPEN = "status IN ('wait', 'processing')"; // to the letter of the partial index

/** Rows of `upgrade_sub_task`. Changes only inside a transaction. */
export function subTaskRepository(db: Database) {
  const insert = db.query<null, Named>(
    `INSERT OR IGNORE INTO upgrade_sub_task (id, task_no, device_no, device_id, kind, status, created_ms, package_no,
       package_id, target_version)
     VALUES ($id, $taskNo, $deviceNo, $deviceId, $kind, 'wait', $createdAt, $packageNo, $packageId, $targetVersion)`,
  );
  const update = db.query<null, Named>(
    `UPDATE upgrade_sub_task SET ${CHANGING.map((column) => `${column} = $${column}`).join(", ")} WHERE no = $no`,
  );
  const selectByNo = db.query<Row, [number]>("SELECT * FROM upgrade_sub_task WHERE no = ?");
  const selectDue = db.query<Row, [number, number]>(
    `SELECT * FROM upgrade_sub_task INDEXED BY upgrade_sub_task_due
     WHERE due_ms IS NOT NULL AND due_ms <= ? ORDER BY due_ms LIMIT ?`,
  );
  const selectNextDue = db.query<{ due_ms: number }, []>(
    `SELECT due_ms FROM upgrade_sub_task INDEXED BY upgrade_sub_task_due
     WHERE due_ms IS NOT NULL ORDER BY due_ms LIMIT 1`,
  );
  const setDue = db.query<null, [number, number]>("UPDATE upgrade_sub_task SET due_ms = ? WHERE no = ?");
  const selectActive = db.query<Row, []>(
    "SELECT * FROM upgrade_sub_task INDEXED BY upgrade_sub_task_active WHERE stage IS NOT NULL",
  );
  const selectFar = db.query<Row, [number]>(
    `SELECT * FROM upgrade_sub_task INDEXED BY upgrade_sub_task_due
     WHERE due_ms IS NOT NULL AND due_ms > ? AND stage IS NULL`,
  );
  const countOpen = db.query<{ n: number }, []>(`SELECT count(*) AS n FROM upgrade_sub_task WHERE ${OPEN}`);
  const selectOpenOfDevice = db.query<Row, [number]>(`SELECT * FROM upgrade_sub_task WHERE device_no = ? AND ${OPEN}`);
  const selectClaim = db.query<{ no: number }, [number]>(
    "SELECT no FROM upgrade_sub_task INDEXED BY upgrade_sub_task_claim WHERE claims = 1 AND device_no = ?",
  );
  const selectAfter = db.query<Row, [number, number, number]>(
    `SELECT * FROM upgrade_sub_task INDEXED BY upgrade_sub_task_of_task WHERE task_no = ? AND no > ? ORDER BY no LIMIT ?`,
  );
  const selectOpenOfTask = db.query<Row, [number, number]>(
    `SELECT * FROM upgrade_sub_task INDEXED BY upgrade_sub_task_status
     WHERE task_no = ? AND ${OPEN} ORDER BY status, no LIMIT ?`,
  );
  const selectParked = db.query<Row, [number, number]>(
    "SELECT * FROM upgrade_sub_task INDEXED BY upgrade_sub_task_parked WHERE parked = 1 AND task_no = ? LIMIT ?",
  );
  const selectRetrying = db.query<{ no: number }, [number]>(
    `SELECT no FROM upgrade_sub_task INDEXED BY upgrade_sub_task_status
     WHERE task_no = ? AND status = 'processing' AND stage IS NULL LIMIT 1`,
  );
  const SOME =
    "SELECT no FROM upgrade_sub_task INDEXED BY upgrade_sub_task_of_task WHERE task_no = ? ORDER BY no LIMIT ?";
  const deleteSome = db.query<{ status: string }, [number, number]>(
    `DELETE FROM upgrade_sub_task WHERE no IN (${SOME}) RETURNING status`,
  );

  return {
    /** False: the task has this device already. */
    add({ package: only, ...sub }: NewSubTask): boolean {
      const known = {
        ...{ packageNo: only?.no ?? null, packageId: only?.fileId ?? null, targetVersion: only?.version ?? null },
      };
      return insert.run({ ...sub, ...known }).changes > 0;
    },
    get: (no: number): StoredSubTask | undefined => optional(selectByNo.get(no)),
    save: ({ sub, ...stored }: StoredSubTask): void => void update.run({ no: sub.no, ...toRow({ sub, ...stored }) }),
    due: (now: number, limit: number): StoredSubTask[] => selectDue.all(now, limit).map(fromRow),
    nextDue: (): number | undefined => selectNextDue.get()?.due_ms,
    setDue: (no: number, due: number): void => void setDue.run(due, no),
    /** With an attempt under way. */
    active: (): Iterable<StoredSubTask> => mapped(selectActive.iterate()),
    /** Without an attempt, and not to be looked at before that time. */
    dueAfter: (ms: number): Iterable<StoredSubTask> => mapped(selectFar.iterate(ms)),
    countOpen: (): number => countOpen.get()?.n ?? 0,
    openOfDevice: (deviceNo: number): StoredSubTask[] => selectOpenOfDevice.all(deviceNo).map(fromRow),
    claimOf: (deviceNo: number): number | undefined => selectClaim.get(deviceNo)?.no,
    /** Of a task, in their order. */
    after: (taskNo: number, no: number, limit: number): StoredSubTask[] =>
      selectAfter.all(taskNo, no, limit).map(fromRow),
    open: (taskNo: number, limit: number): StoredSubTask[] => selectOpenOfTask.all(taskNo, limit).map(fromRow),
    parked: (taskNo: number, limit: number): StoredSubTask[] => selectParked.all(taskNo, limit).map(fromRow),
    waitsForRetry: (taskNo: number): boolean => selectRetrying.get(taskNo) !== null,
    /** How many were deleted, at most `limit`; `open`: of those that had not ended. */
    deleteSome(taskNo: number, limit: number): { deleted: number; open: number } {
      const gone = deleteSome.all(taskNo, limit);
      return { deleted: gone.length, open: gone.filter(({ status }) => status === "wait").length };
    },

    /** In the order of their creation. */
    page(taskNo: number, status: SubTaskStatus | undefined, page: number, pageSize: number): SubTask[] {
      const where = status === undefined ? "task_no = $taskNo" : "task_no = $taskNo AND status = $status";
      const index = status === undefined ? "of_task" : "status";
      const rows = db.query<Row, Named>(
        `WITH wanted AS MATERIALIZED (
           SELECT no FROM upgrade_sub_task INDEXED BY upgrade_sub_task_${index}
           WHERE ${where} ORDER BY no LIMIT $limit OFFSET $offset)
         SELECT it.* FROM wanted CROSS JOIN upgrade_sub_task AS it ON it.no = wanted.no ORDER BY wanted.no`,
      );
      const values = { taskNo, limit: pageSize, offset: page * pageSize, ...(status !== undefined && { status }) };
      return rows.all(values).map((row) => fromRow(row).sub);
    },
  };
}
export type SubTaskRepository = ReturnType<typeof subTaskRepository>;

const optional = (row: Row | null): StoredSubTask | undefined => (row ? fromRow(row) : undefined);
function* mapped(rows: Iterable<Row>): Iterable<StoredSubTask> {
  for (const row of rows) yield fromRow(row);
}

function toRow({ sub, course, token, ...stored }: StoredSubTask): Changing {
  return {
    status: sub.status,
    claims: Number(stored.claims),
    parked: Number(stored.parked),
    executions: sub.executions,
    retries: stored.retries,
    due_ms: stored.due ?? null,
    stage: course?.stage ?? null,
    sent: course?.sent ?? null,
    progress: course?.progress ?? null,
    claimed: Number(course?.claimed ?? false),
    stage_due_ms: course?.due ?? null,
    ready_until_ms: course?.readyUntil ?? null,
    slot_until_ms: course?.slotUntil ?? null,
    place: stored.place ?? null,
    token: token?.sealed ?? null,
    token_until_ms: token?.until ?? null,
    way: sub.way ?? null,
    package_no: stored.packageNo ?? null,
    package_id: sub.packageId ?? null,
    source_version: sub.sourceVersion ?? null,
    current_version: sub.currentVersion ?? null,
    target_version: sub.targetVersion ?? null,
    detail: sub.detail ?? null,
    error_code: sub.errorCode ?? null,
    timed_out: Number(stored.timedOut),
    started_ms: sub.startedAt ?? null,
    download_started_ms: sub.downloadStartedAt ?? null,
    downloaded_ms: sub.downloadedAt ?? null,
    ended_ms: sub.endedAt ?? null,
  };
}

function fromRow(row: Row): StoredSubTask {
  const course = courseOf(row);
  const isWaiting = row.status === "processing" && course === undefined;
  return {
    sub: {
      no: row.no,
      id: row.id as SubOperationId,
      taskNo: row.task_no,
      deviceNo: row.device_no,
      deviceId: row.device_id as DeviceId,
      kind: row.kind as UpgradeKind, // words: written from here only
      status: row.status as SubTaskStatus,
      way: (row.way ?? undefined) as UpgradeWay | undefined,
      stage: course?.stage,
      retryAt: isWaiting ? (row.due_ms ?? undefined) : undefined,
      executions: row.executions,
      packageId: (row.package_id ?? undefined) as PackageId | undefined,
      sourceVersion: row.source_version ?? undefined,
      currentVersion: row.current_version ?? undefined,
      targetVersion: row.target_version ?? undefined,
      detail: row.detail ?? undefined,
      errorCode: row.error_code ?? undefined,
      createdAt: row.created_ms,
      startedAt: row.started_ms ?? undefined,
      downloadStartedAt: row.download_started_ms ?? undefined,
      downloadedAt: row.downloaded_ms ?? undefined,
      endedAt: row.ended_ms ?? undefined,
    },
    claims: row.claims === 1,
    parked: row.parked === 1,
    retries: row.retries,
    timedOut: row.timed_out === 1,
    due: row.due_ms ?? undefined,
    course,
    place: row.place ?? undefined,
    packageNo: row.package_no ?? undefined,
    token: row.token && row.token_until_ms !== null ? { sealed: row.token, until: row.token_until_ms } : undefined,
  };
}

function courseOf(row: Row): Attempt | undefined {
  if (row.stage === null) return undefined;
  return {
    stage: row.stage as Stage,
    sent: (row.sent ?? "no") as Attempt["sent"],
    progress: (row.progress ?? "idle") as Progress,
    claimed: row.claimed === 1,
    due: row.stage_due_ms ?? 0,
    readyUntil: row.ready_until_ms ?? 0,
    slotUntil: row.slot_until_ms ?? undefined,
  };
}
