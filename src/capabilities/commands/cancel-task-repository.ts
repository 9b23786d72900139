import type { Database } from "bun:sqlite";
import type { AppId } from "../applications/application";
import type { DeviceId } from "../devices/device";
import type { CancelTask, CancelTaskFilter, CancelTaskStatus } from "./cancel-task";
import { type CommandRow, fromRows, type StoredCommand } from "./command-row";

type TaskRow = {
  no: number;
  id: string;
  app_id: string;
  device_no: number;
  device_id: string;
  status: string;
  total: number;
  cancelled: number;
  created_ms: number;
};
/** A task without its commands. */
export type StoredTask = Omit<CancelTask, "commands"> & { readonly cancelled: number };

type Named = Record<string, string | number>;
const IS_OPEN = "status IN ('WAITTING', 'RUNNING')"; // to the letter of the partial index

/** Rows of `command_cancel_task` and `command_cancel_item`. */
export function cancelTaskRepository(db: Database) {
  const insert = db.query<TaskRow, Named>(
    `INSERT INTO command_cancel_task (id, app_id, device_no, device_id, status, total, cancelled, created_ms)
       VALUES ($id, $appId, $deviceNo, $deviceId, 'WAITTING', $total, 0, $createdAt) RETURNING *`,
  );
  const insertItem = db.query<null, [number, number]>(
    "INSERT INTO command_cancel_item (task_no, command_no, done) VALUES (?, ?, 0)",
  );
  const selectByNo = db.query<TaskRow, [number]>("SELECT * FROM command_cancel_task WHERE no = ?");
  const selectOpen = db.query<{ no: number }, [number, number]>(
    `SELECT no FROM command_cancel_task WHERE ${IS_OPEN} AND no > ? ORDER BY no LIMIT ?`,
  );
  const selectUndone = db.query<CommandRow, [number, number]>(
    `SELECT command.* FROM command_cancel_item JOIN command ON command.no = command_no
       WHERE task_no = ? AND done = 0 ORDER BY command_no LIMIT ?`,
  );
  const selectCommands = db.query<CommandRow, [number]>(
    `SELECT command.* FROM command_cancel_item JOIN command ON command.no = command_no
       WHERE task_no = ? ORDER BY command_no`,
  );
  const setDone = db.query<null, [number, number]>(
    "UPDATE command_cancel_item SET done = 1 WHERE task_no = ? AND command_no = ?",
  );
  const update = db.query<null, [string, number, number]>(
    "UPDATE command_cancel_task SET status = ?, cancelled = ? WHERE no = ?",
  );
  const deleteEnded = db.query<null, [number, number]>(
    `DELETE FROM command_cancel_task WHERE no IN (
       SELECT no FROM command_cancel_task WHERE created_ms < ? AND NOT (${IS_OPEN}) ORDER BY created_ms LIMIT ?)`,
  );
  const deleteOfDevice = db.query<null, [number]>("DELETE FROM command_cancel_task WHERE device_no = ?");

  return {
    add(
      task: Pick<CancelTask, "id" | "appId" | "deviceNo" | "deviceId" | "createdAt">,
      commandNumbers: readonly number[],
    ): StoredTask {
      const row = insert.get({ ...task, total: commandNumbers.length });
      if (!row) throw new Error("cancel task was not inserted");
      for (const commandNo of commandNumbers) insertItem.run(row.no, commandNo);
      return fromTaskRow(row);
    },
    get(no: number): StoredTask | undefined {
      const row = selectByNo.get(no);
      return row ? fromTaskRow(row) : undefined;
    },
    openAfter: (no: number, limit: number): number[] => selectOpen.all(no, limit).map(({ no }) => no),
    undone: (no: number, limit: number): StoredCommand[] => fromRows(selectUndone.all(no, limit)),
    setDone: (no: number, commandNo: number): void => void setDone.run(no, commandNo),
    save: (no: number, status: CancelTaskStatus, cancelled: number): void => void update.run(status, cancelled, no),
    /** How many ended tasks from before that time were deleted, at most `limit`. */
    deleteEnded: (createdBefore: number, limit: number): number => deleteEnded.run(createdBefore, limit).changes,
    deleteOfDevice: (deviceNo: number): void => void deleteOfDevice.run(deviceNo),
    commandsOf: (no: number): StoredCommand[] => fromRows(selectCommands.all(no)),

    /** `deviceNo` instead of the filter's deviceId. */
    page(appId: AppId, deviceNo: number | undefined, filter: CancelTaskFilter) {
      const conditions = ["app_id = $appId"];
      const values: Named = { appId };
      const given = {
        "device_no = $deviceNo": deviceNo,
        "id = $taskId": filter.taskId,
        "status = $status": filter.status,
        "created_ms > $createdAfter": filter.createdAfter,
        "created_ms < $createdBefore": filter.createdBefore,
      };
      for (const [condition, value] of Object.entries(given)) {
        if (value === undefined) continue;
        conditions.push(condition);
        values[condition.slice(condition.indexOf("$") + 1)] = value;
      }
      // Without the +, the planner may take the index of the application for the tasks of one device.
      const where = conditions.join(" AND ").replace("app_id", deviceNo === undefined ? "app_id" : "+app_id");
      const total = db.query<{ total: number }, Named>(
        `SELECT coalesce(sum(total), 0) AS total FROM command_cancel_task WHERE ${where}`,
      );
      const rows = db.query<TaskRow, Named>(
        `SELECT * FROM command_cancel_task WHERE ${where} ORDER BY created_ms DESC, no DESC LIMIT $limit OFFSET $offset`,
      );
      const page = { limit: filter.pageSize, offset: filter.pageNo * filter.pageSize };
      return {
        items: rows.all({ ...values, ...page }).map(fromTaskRow),
        totalCommands: total.get(values)?.total ?? 0,
      };
    },
  };
}

const fromTaskRow = (row: TaskRow): StoredTask => ({
  no: row.no,
  id: row.id,
  appId: row.app_id as AppId,
  deviceNo: row.device_no,
  deviceId: row.device_id as DeviceId,
  status: row.status as CancelTaskStatus, // written by `add` and `save` only
  total: row.total,
  cancelled: row.cancelled,
  createdAt: row.created_ms,
});
