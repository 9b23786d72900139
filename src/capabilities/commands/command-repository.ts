import type { Database } from "bun:sqlite";
import type { AppId } from "../applications/application";
import type { Command, CommandFilter } from "./command";
import {
  type CommandRow,
  type CommandToStore,
  type DeliveryFacts,
  fromRow,
  fromRows,
  type StoredCommand,
  toColumns,
  toFacts,
  toState,
} from "./command-row";
import type { Delivery } from "./delivery";

const COLUMNS = [
  "id",
  "app_no",
  "app_id",
  "device_no",
  "device_id",
  "carrier_no",
  "mid",
  "origin",
  "service_id",
  "service_type",
  "method",
  "paras",
  "mode",
  "sender",
  "to_type",
  "receiver",
  "callback_url",
  "expire_time_s",
  "max_retransmit",
  "status",
  "open",
  "result",
  "issued_times",
  "answer_until_ms",
  "created_ms",
  "sent_ms",
  "delivered_ms",
  "executed_ms",
  "dispatch",
  "queued",
  "callback_app_no",
] as const satisfies (keyof CommandRow)[];

type Named = Record<string, string | number | Uint8Array | null>;

export type CommandRepository = ReturnType<typeof commandRepository>;

/** Rows of `command` in registry.db. */
export function commandRepository(db: Database) {
  const insert = db.query<{ no: number }, Named>(
    `INSERT INTO command (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map((name) => `$${name}`).join(", ")}) RETURNING no`,
  );
  const update = db.query<null, Named>(
    `UPDATE command SET status = $status, open = $open, issued_times = $issued_times, result = $result,
       sent_ms = $sent_ms, delivered_ms = $delivered_ms, executed_ms = $executed_ms,
       queued = $queued, answer_until_ms = $answer_until_ms, datagram = $datagram WHERE no = $no`,
  );
  const selectByNo = db.query<CommandRow, [number]>("SELECT * FROM command WHERE no = ?");
  const selectById = db.query<CommandRow, [string, string]>("SELECT * FROM command WHERE app_id = ? AND id = ?");
  const selectOpenMid = db.query<CommandRow, [number, number]>(
    "SELECT * FROM command WHERE carrier_no = ? AND mid = ? AND open = 1",
  );
  const selectOpenOf = db.query<CommandRow, [number]>(
    `SELECT * FROM command INDEXED BY command_open_mid WHERE carrier_no = +? AND open = 1
       AND dispatch = 'connected' ORDER BY no`,
  );
  const countOpenOf = db.query<{ count: number }, [number]>(
    "SELECT count(*) AS count FROM command WHERE carrier_no = ? AND open = 1",
  );
  const countOpenTo = db.query<{ count: number }, [number, number]>(
    "SELECT count(*) AS count FROM command WHERE carrier_no = ? AND device_no = ? AND open = 1",
  );
  const selectLastMid = db.query<{ mid: number }, [number]>(
    "SELECT mid FROM command WHERE carrier_no = +? ORDER BY no DESC LIMIT 1",
  );
  const selectOverdue = db.query<CommandRow, [number, number]>(
    "SELECT * FROM command WHERE open = 1 AND queued = 0 AND answer_until_ms <= ? ORDER BY answer_until_ms LIMIT ?",
  );
  const selectOpenAfter = db.query<CommandRow, [number, number]>(
    "SELECT * FROM command WHERE open = 1 AND dispatch = 'connected' AND no > ? ORDER BY no LIMIT ?",
  );
  const deleteEnded = db.query<null, [number, number]>(
    `DELETE FROM command WHERE no IN (
       SELECT no FROM command WHERE open = 0 AND created_ms < ? ORDER BY created_ms LIMIT ?)`,
  );
  const deleteOfDevice = db.query<null, [number]>("DELETE FROM command WHERE device_no = ?");

  return {
    /** Undefined when the application has used this id before. */
    add(input: CommandToStore, delivery: Delivery): StoredCommand | undefined {
      if (selectById.get(input.appId, input.id)) return undefined;
      const row = insert.get({
        ...toColumns(input),
        ...toState(input.dispatch, delivery),
        ...toFacts({ ...input, issuedTimes: 0 }),
        answer_until_ms: input.until,
      });
      if (!row) throw new Error("command was not inserted");
      return this.get(row.no);
    },
    save(
      { no, dispatch }: Pick<Command, "no" | "dispatch">,
      delivery: Delivery,
      changed: DeliveryFacts,
      { until, datagram }: Pick<StoredCommand, "until" | "datagram">,
    ): void {
      const state = toState(dispatch, delivery);
      const kept = state.queued === 1 && datagram ? datagram : null;
      update.run({ no, ...state, ...toFacts(changed), answer_until_ms: until, datagram: kept });
    },
    get: (no: number): StoredCommand | undefined => fromRow(selectByNo.get(no)),
    findById: (appId: AppId, id: string): StoredCommand | undefined => fromRow(selectById.get(appId, id)),
    findOpen: (carrierNo: number, mid: number): StoredCommand | undefined => fromRow(selectOpenMid.get(carrierNo, mid)),
    /** Of connected devices, as the next two. */
    openOf: (carrierNo: number): StoredCommand[] => fromRows(selectOpenOf.all(carrierNo)),
    /** Whatever the way to the device. */
    countOpenOf: (carrierNo: number): number => countOpenOf.get(carrierNo)?.count ?? 0,
    /** To one device behind its carrier, or to the carrier itself. */
    countOpenTo: (carrierNo: number, deviceNo: number): number => countOpenTo.get(carrierNo, deviceNo)?.count ?? 0,
    /** 0 when nothing is known of earlier ones. */
    lastMid: (carrierNo: number): number => selectLastMid.get(carrierNo)?.mid ?? 0,
    isMidOpen: (carrierNo: number, mid: number): boolean => selectOpenMid.get(carrierNo, mid) !== null,
    overdue: (now: number, limit: number): StoredCommand[] => fromRows(selectOverdue.all(now, limit)),
    openAfter: (no: number, limit: number): StoredCommand[] => fromRows(selectOpenAfter.all(no, limit)),
    /** How many ended commands from before that time were deleted, at most `limit`. */
    deleteEnded: (createdBefore: number, limit: number): number => deleteEnded.run(createdBefore, limit).changes,
    deleteOfDevice: (deviceNo: number): number => deleteOfDevice.run(deviceNo).changes,

    /** `deviceNo` instead of the filter's deviceId. */
    page(appId: AppId, deviceNo: number | undefined, filter: CommandFilter): { items: Command[]; total: number } {
      const conditions = ["app_id = $appId"];
      const values: Named = { appId };
      const given = {
        "device_no = $deviceNo": deviceNo,
        "created_ms > $createdAfter": filter.createdAfter,
        "created_ms < $createdBefore": filter.createdBefore,
        "status = $status": filter.status,
        "origin = $origin": filter.origin,
      };
      for (const [condition, value] of Object.entries(given)) {
        if (value === undefined) continue;
        conditions.push(condition);
        values[condition.slice(condition.indexOf("$") + 1)] = value;
      }
      // Without the +, the planner may take the index of the application for the commands of one device.
      const where = conditions.join(" AND ").replace("app_id", deviceNo === undefined ? "app_id" : "+app_id");
      const total = db.query<{ count: number }, Named>(`SELECT count(*) AS count FROM command WHERE ${where}`);
      const rows = db.query<CommandRow, Named>(
        `SELECT * FROM command WHERE ${where} ORDER BY created_ms DESC, no DESC LIMIT $limit OFFSET $offset`,
      );
      const page = { limit: filter.pageSize, offset: filter.pageNo * filter.pageSize };
      return {
        items: fromRows(rows.all({ ...values, ...page })).map(({ command }) => command),
        total: total.get(values)?.count ?? 0,
      };
    },
  };
}
