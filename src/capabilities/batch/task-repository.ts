import type { Database } from "bun:sqlite";
import type { AppId } from "../applications/application";
import type { Counts, Task, TaskEnding, TaskFilter, TaskId, TaskKind, TaskPhase, TaskSpec, TaskState } from "./task";

type TaskRow = {
  no: number;
  id: string;
  app_no: number;
  app_id: string;
  kind: string;
  name: string;
  operator: string;
  origin: string;
  tags: string | null;
  phase: string;
  ending: string | null;
  target_cursor: string | null;
  timeout_s: number | null;
  start_ms: number;
  deadline_ms: number | null;
  created_ms: number;
  ended_ms: number | null;
} & { [K in keyof Counts | "total"]: number };
type Named = Record<string, string | number | null>;

export type NewTaskRow = Omit<Task, "no" | "ending" | "endedAt" | "total" | "counts">;

const IS_OPEN = "phase <> 'ended'"; // to the letter of the partial index
const UNFINISHED = "phase NOT IN ('ended', 'deleting')";

/** Rows of `batch_task` and `batch_spec`. Changes only inside a transaction. */
export function taskRepository(db: Database) {
  const insert = db.query<TaskRow, Named>(
    `INSERT INTO batch_task (id, app_no, app_id, kind, name, operator, origin, tags, phase, timeout_s, start_ms,
       deadline_ms, created_ms)
     VALUES ($id, $appNo, $appId, $kind, $name, $operator, $origin, $tags, $phase, $timeoutS, $startAt, $deadline,
       $createdAt) RETURNING *`,
  );
  const insertSpec = db.query<null, [number, string]>("INSERT INTO batch_spec (task_no, spec) VALUES (?, ?)");
  const selectSpec = db.query<{ spec: string }, [number]>("SELECT spec FROM batch_spec WHERE task_no = ?");
  const selectByNo = db.query<TaskRow, [number]>("SELECT * FROM batch_task WHERE no = ?");
  const selectById = db.query<TaskRow, [string]>("SELECT * FROM batch_task WHERE id = ?");
  const selectByName = db.query<{ no: number }, [number, string, string]>(
    "SELECT no FROM batch_task WHERE app_no = ? AND kind = ? AND name = ? AND phase <> 'deleting'",
  );
  const countUnfinished = db.query<{ count: number }, [number, string]>(
    `SELECT count(*) AS count FROM batch_task INDEXED BY batch_task_open
       WHERE ${IS_OPEN} AND ${UNFINISHED} AND app_no = ? AND kind = ?`,
  );
  const countOpen = db.query<{ count: number }, []>(
    `SELECT count(*) AS count FROM batch_task INDEXED BY batch_task_open WHERE ${IS_OPEN} AND ${UNFINISHED}`,
  );
  const selectOpen = db.query<TaskRow, []>(
    `SELECT * FROM batch_task INDEXED BY batch_task_open WHERE ${IS_OPEN} ORDER BY no`,
  );
  const selectEnded = db.query<TaskRow, [number]>(
    "SELECT * FROM batch_task INDEXED BY batch_task_age WHERE phase = 'ended' AND ended_ms < ? ORDER BY ended_ms LIMIT 1",
  );
  const selectOfApp = db.query<TaskRow, [number]>("SELECT * FROM batch_task WHERE app_no = ? ORDER BY no");
  const update = db.query<TaskRow, [string, string | null, number | null, number]>(
    "UPDATE batch_task SET phase = ?, ending = ?, ended_ms = ? WHERE no = ? RETURNING *",
  );
  const addCounts = db.query<TaskRow, Named>(
    `UPDATE batch_task SET waiting = waiting + $waiting, success = success + $success, fail = fail + $fail,
       timeout = timeout + $timeout, expired = expired + $expired WHERE no = $no RETURNING *`,
  );
  const addTotal = db.query<null, [number, number]>("UPDATE batch_task SET total = total + ? WHERE no = ?");
  const setCursor = db.query<null, [string | null, number]>("UPDATE batch_task SET target_cursor = ? WHERE no = ?");
  const remove = db.query<null, [number]>("DELETE FROM batch_task WHERE no = ?");

  const optional = (row: TaskRow | null): Task | undefined => (row ? fromRow(row) : undefined);
  function changed(row: TaskRow | null): Task {
    if (!row) throw new Error("a task that was to be changed is not there");
    return fromRow(row);
  }

  return {
    add({ tags, timeoutS, deadline, ...task }: NewTaskRow, spec: TaskSpec): Task {
      const optionals = { timeoutS: timeoutS ?? null, deadline: deadline ?? null };
      const added = changed(
        insert.get({ ...task, ...optionals, tags: tags.length === 0 ? null : JSON.stringify(tags) }),
      );
      insertSpec.run(added.no, JSON.stringify(spec));
      return added;
    },
    get: (no: number): Task | undefined => optional(selectByNo.get(no)),
    find: (id: string): Task | undefined => optional(selectById.get(id)),
    isNameTaken: (appNo: number, kind: TaskKind, name: string): boolean => selectByName.get(appNo, kind, name) !== null,
    countUnfinished: (appNo: number, kind: TaskKind): number => countUnfinished.get(appNo, kind)?.count ?? 0,
    /** Of all applications. */
    countOpen: (): number => countOpen.get()?.count ?? 0,
    /** All that something may be to be done for: few, as applications may not have many. */
    open: (): Task[] => selectOpen.all().map(fromRow),
    /** The oldest that ended before then. */
    endedBefore: (ms: number): Task | undefined => optional(selectEnded.get(ms)),
    ofApp: (appNo: number): Task[] => selectOfApp.all(appNo).map(fromRow),
    spec(no: number): TaskSpec {
      const row = selectSpec.get(no);
      if (!row) throw new Error(`task ${no} has no specification`);
      return JSON.parse(row.spec) as TaskSpec; // written by `add` only
    },

    setState: (no: number, { phase, ending }: TaskState, endedAt: number | undefined): Task =>
      changed(update.get(phase, ending ?? null, endedAt ?? null, no)),
    count: (no: number, counts: Counts): Task => changed(addCounts.get({ ...counts, no })),
    addTotal: (no: number, added: number): void => void addTotal.run(added, no),
    /** JSON; undefined: at the beginning. */
    cursor: (no: number): unknown => {
      const text = selectByNo.get(no)?.target_cursor;
      return text ? JSON.parse(text) : undefined;
    },
    setCursor: (no: number, cursor: unknown): void => void setCursor.run(JSON.stringify(cursor), no),
    remove: (no: number): void => void remove.run(no),

    /** Newest first; without those that are not there yet, or no longer. */
    page({ appNo, kind, phase }: TaskFilter, page: number, pageSize: number): { items: Task[]; total: number } {
      const conditions = ["phase NOT IN ('loading', 'deleting')"];
      const values: Named = {};
      for (const [column, value] of Object.entries({ app_no: appNo, kind, phase })) {
        if (value === undefined) continue;
        conditions.push(`${column} = $${column}`);
        values[column] = value;
      }
      const where = conditions.join(" AND ");
      const total = db.query<{ total: number }, Named>(`SELECT count(*) AS total FROM batch_task WHERE ${where}`);
      const rows = db.query<TaskRow, Named>(
        `SELECT * FROM batch_task WHERE ${where} ORDER BY no DESC LIMIT $limit OFFSET $offset`,
      );
      return {
        items: rows.all({ ...values, limit: pageSize, offset: page * pageSize }).map(fromRow),
        total: total.get(values)?.total ?? 0,
      };
    },
  };
}
export type TaskRepository = ReturnType<typeof taskRepository>;

const fromRow = (row: TaskRow): Task => ({
  no: row.no,
  id: row.id as TaskId,
  appNo: row.app_no,
  appId: row.app_id as AppId,
  kind: row.kind as TaskKind, // these four: written by `add` and `setState` only
  phase: row.phase as TaskPhase,
  ending: (row.ending ?? undefined) as TaskEnding | undefined,
  origin: row.origin as Task["origin"],
  name: row.name,
  operator: row.operator,
  tags: row.tags === null ? [] : JSON.parse(row.tags),
  timeoutS: row.timeout_s ?? undefined,
  startAt: row.start_ms,
  deadline: row.deadline_ms ?? undefined,
  createdAt: row.created_ms,
  endedAt: row.ended_ms ?? undefined,
  total: row.total,
  counts: {
    waiting: row.waiting,
    success: row.success,
    fail: row.fail,
    timeout: row.timeout,
    expired: row.expired,
  },
});
