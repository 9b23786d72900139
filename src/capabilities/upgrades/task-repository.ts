import type { Database } from "bun:sqlite";
import type { AppId } from "../applications/application";
import type { PackageId } from "../packages/package";
import type { StoredTask, TaskWork } from "./stored";
import type { OperationId, SubTaskCounts, TaskStatus, UpgradeFilter, UpgradeTask } from "./upgrade";

type Row = {
  no: number;
  id: string;
  app_no: number;
  app_id: string;
  kind: string;
  name: string;
  operator: string;
  origin: string;
  packages: string;
  targets: string;
  policy: string;
  status: string;
  work: string | null;
  work_cursor: number;
  unpark: number;
  paused: string | null;
  stopped: number;
  window_end_ms: number | null;
  since_ended: number;
  since_failed: number;
  created_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
} & SubTaskCounts;
type Named = Record<string, string | number | null>;

export type NewTaskRow = Pick<
  UpgradeTask,
  "id" | "appNo" | "appId" | "kind" | "name" | "operator" | "origin" | "targets" | "policy" | "createdAt"
> & {
  readonly packages: readonly { readonly no: number; readonly id: PackageId }[];
  readonly product: Readonly<Record<"deviceType" | "manufacturerName" | "model", string>>;
};

/** What is written once, parsed once: the rows change with every sub-task. */
type Spec = Pick<UpgradeTask, "targets" | "policy" | "packages"> & { readonly packageNos: readonly number[] };
const MAX_SPECS = 1_000;
const HIDDEN = "(work IS NULL OR work NOT IN ('loading', 'deleting'))";

/** Rows of `upgrade_task` and `upgrade_package_use`. Changes only inside a transaction. */
export function taskRepository(db: Database) {
  const specs = new Map<number, Spec>();
  const insert = db.query<Row, Named>(
    `INSERT INTO upgrade_task (id, app_no, app_id, kind, name, operator, origin, device_type, manufacturer_name, model,
       packages, targets, policy, status, work, window_end_ms, created_ms)
     VALUES ($id, $appNo, $appId, $kind, $name, $operator, $origin, $deviceType, $manufacturerName, $model,
       $packages, $targets, $policy, 'wait', 'loading', $windowEnd, $createdAt) RETURNING *`,
  );
  const selectByNo = db.query<Row, [number]>("SELECT * FROM upgrade_task WHERE no = ?");
  const selectById = db.query<Row, [string]>("SELECT * FROM upgrade_task WHERE id = ?");
  const selectAtWork = db.query<Row, []>(
    "SELECT * FROM upgrade_task INDEXED BY upgrade_task_work WHERE work IS NOT NULL OR unpark = 1 ORDER BY no LIMIT 100",
  );
  const selectLoading = db.query<{ no: number }, []>(
    `SELECT no FROM upgrade_task INDEXED BY upgrade_task_work
     WHERE (work IS NOT NULL OR unpark = 1) AND work = 'loading'`,
  );
  const selectEnded = db.query<{ no: number }, [number]>(
    `SELECT no FROM upgrade_task INDEXED BY upgrade_task_age
     WHERE ended_ms IS NOT NULL AND ended_ms < ? AND work IS NULL ORDER BY ended_ms LIMIT 1`,
  );
  const selectOfApp = db.query<{ no: number }, [number]>("SELECT no FROM upgrade_task WHERE app_no = ?");
  const addCounts = db.query<Row, Named>(
    `UPDATE upgrade_task SET total = total + $total, wait = wait + $wait, processing = processing + $processing,
       success = success + $success, fail = fail + $fail, stop = stop + $stop, timeout = timeout + $timeout
     WHERE no = $no RETURNING *`,
  );
  const setStatus = db.query<null, [string, number | null, number | null, number]>(
    "UPDATE upgrade_task SET status = ?, started_ms = ?, ended_ms = ? WHERE no = ?",
  );
  const setWork = db.query<null, [string | null, number, number]>(
    "UPDATE upgrade_task SET work = ?, work_cursor = ? WHERE no = ?",
  );
  const setStopped = db.query<null, [number, number]>("UPDATE upgrade_task SET stopped = ? WHERE no = ?");
  const setPaused = db.query<null, [string | null, number, number]>(
    "UPDATE upgrade_task SET paused = ?, unpark = ? WHERE no = ?",
  );
  const setUnparked = db.query<null, [number]>("UPDATE upgrade_task SET unpark = 0 WHERE no = ?");
  const setSince = db.query<null, [number, number, number]>(
    "UPDATE upgrade_task SET since_ended = ?, since_failed = ? WHERE no = ?",
  );
  const openWindow = db.query<null, [number]>("UPDATE upgrade_task SET window_end_ms = NULL WHERE no = ?");
  const remove = db.query<null, [number]>("DELETE FROM upgrade_task WHERE no = ?");
  const addUse = db.query<null, [number, number]>("INSERT OR IGNORE INTO upgrade_package_use VALUES (?, ?)");
  const dropUses = db.query<null, [number]>("DELETE FROM upgrade_package_use WHERE task_no = ?");
  const selectUse = db.query<{ task_no: number }, [number]>(
    "SELECT task_no FROM upgrade_package_use WHERE package_no = ? LIMIT 1",
  );

  function specOf(row: Row): Spec {
    const known = specs.get(row.no);
    if (known) return known;
    const packages = JSON.parse(row.packages) as { no: number; id: PackageId }[]; // all three written by `add` only
    const spec: Spec = {
      targets: JSON.parse(row.targets),
      policy: JSON.parse(row.policy),
      packages: packages.map(({ id }) => id),
      packageNos: packages.map(({ no }) => no),
    };
    if (specs.size >= MAX_SPECS) specs.clear();
    specs.set(row.no, spec);
    return spec;
  }

  function fromRow(row: Row): StoredTask {
    const { targets, policy, packages, packageNos } = specOf(row);
    const { total, wait, processing, success, fail, stop, timeout } = row;
    return {
      task: {
        no: row.no,
        id: row.id as OperationId,
        appNo: row.app_no,
        appId: row.app_id as AppId,
        kind: row.kind as UpgradeTask["kind"], // these four are written from here only
        origin: row.origin as UpgradeTask["origin"],
        status: row.status as TaskStatus,
        paused: (row.paused ?? undefined) as UpgradeTask["paused"],
        name: row.name,
        operator: row.operator,
        ...{ packages, targets, policy },
        counts: { total, wait, processing, success, fail, stop, timeout },
        createdAt: row.created_ms,
        startedAt: row.started_ms ?? undefined,
        endedAt: row.ended_ms ?? undefined,
      },
      packageNos,
      work: (row.work ?? undefined) as TaskWork | undefined,
      cursor: row.work_cursor,
      stopped: row.stopped === 1,
      windowEnd: row.window_end_ms ?? undefined,
      since: { ended: row.since_ended, failed: row.since_failed },
    };
  }
  const optional = (row: Row | null): StoredTask | undefined => (row ? fromRow(row) : undefined);
  function existing(row: Row | null): StoredTask {
    if (!row) throw new Error("an upgrade task that was to be changed is not there");
    return fromRow(row);
  }

  return {
    /** It is loading then. */
    add({ packages, targets, policy, product, ...task }: NewTaskRow): StoredTask {
      const json = {
        packages: JSON.stringify(packages),
        targets: JSON.stringify(targets),
        policy: JSON.stringify(policy),
      };
      const windowEnd = (policy.executeType === "custom" ? policy.endAt : undefined) ?? null;
      return existing(insert.get({ ...task, ...product, ...json, windowEnd }));
    },
    get: (no: number): StoredTask => existing(selectByNo.get(no)),
    lookUp: (no: number): StoredTask | undefined => optional(selectByNo.get(no)),
    find: (id: string): StoredTask | undefined => optional(selectById.get(id)),
    /** Those that something is to be done for, some of them at most. */
    atWork: (): StoredTask[] => selectAtWork.all().map(fromRow),
    loading: (): number[] => selectLoading.all().map(({ no }) => no),
    endedBefore: (ms: number): number | undefined => selectEnded.get(ms)?.no,
    ofApp: (appNo: number): number[] => selectOfApp.all(appNo).map(({ no }) => no),

    count: (no: number, counts: SubTaskCounts): StoredTask => existing(addCounts.get({ ...counts, no })),
    setStatus: (no: number, status: TaskStatus, startedAt: number | undefined, endedAt: number | undefined): void =>
      void setStatus.run(status, startedAt ?? null, endedAt ?? null, no),
    setWork: (no: number, work: TaskWork | undefined, cursor = 0): void => void setWork.run(work ?? null, cursor, no),
    setStopped: (no: number, stopped: boolean): void => void setStopped.run(Number(stopped), no),
    /** Not paused any more: what is parked goes on. */
    setPaused: (no: number, paused: UpgradeTask["paused"]): void =>
      void setPaused.run(paused ?? null, paused === undefined ? 1 : 0, no),
    isUnparking: (no: number): boolean => selectByNo.get(no)?.unpark === 1,
    setUnparked: (no: number): void => void setUnparked.run(no),
    setSince: (no: number, ended: number, failed: number): void => void setSince.run(ended, failed, no),
    openWindow: (no: number): void => void openWindow.run(no),
    remove(no: number): void {
      remove.run(no);
      specs.delete(no);
    },

    usePackages: (no: number, packageNos: readonly number[]): void => {
      for (const packageNo of packageNos) addUse.run(packageNo, no);
    },
    dropPackages: (no: number): void => void dropUses.run(no),
    isPackageInUse: (packageNo: number): boolean => selectUse.get(packageNo) !== null,

    /** Newest first; without those that are not there yet, or no longer. */
    page(filter: UpgradeFilter, page: number, pageSize: number): { items: UpgradeTask[]; total: number } {
      const { deviceId, ...columns } = filter;
      const conditions = [HIDDEN];
      const values: Named = {};
      const given = {
        ...{ app_no: columns.appNo, kind: columns.kind, status: columns.status, device_type: columns.deviceType },
        ...{ model: columns.model, manufacturer_name: columns.manufacturerName },
      };
      for (const [column, value] of Object.entries(given)) {
        if (value === undefined) continue;
        conditions.push(`${column} = $${column}`);
        values[column] = value;
      }
      if (deviceId !== undefined) {
        conditions.push("no IN (SELECT task_no FROM upgrade_sub_task WHERE device_id = $deviceId)");
        values.deviceId = deviceId;
      }
      const where = conditions.join(" AND ");
      const total = db.query<{ total: number }, Named>(`SELECT count(*) AS total FROM upgrade_task WHERE ${where}`);
      const rows = db.query<Row, Named>(
        `SELECT * FROM upgrade_task WHERE ${where} ORDER BY no DESC LIMIT $limit OFFSET $offset`,
      );
      return {
        items: rows.all({ ...values, limit: pageSize, offset: page * pageSize }).map((row) => fromRow(row).task),
        total: total.get(values)?.total ?? 0,
      };
    },
  };
}
export type TaskRepository = ReturnType<typeof taskRepository>;
