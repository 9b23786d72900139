import type { Database } from "bun:sqlite";
import type { AppId } from "../applications/application";
import type { Command, CommandFilter } from "./command";
import { type Delivery, isOpen } from "./delivery";

/** A command with what only its delivery needs. */
export type StoredCommand = { readonly command: Command; readonly mid: number; readonly carrierNo: number } & {
  readonly delivery: Delivery;
};
export type CommandToStore = Omit<Command, "no" | "status" | "issuedTimes"> & {
  readonly carrierNo: number;
  readonly mid: number;
  readonly answerUntil: number; // ms
};

/** What changes in the life of a command, beside its state. */
type DeliveryFacts = Pick<Command, "result" | "issuedTimes" | "sentAt" | "deliveredAt" | "executedAt">;

type CommandRow = {
  no: number;
  id: string;
  app_no: number;
  app_id: string;
  device_no: number;
  device_id: string;
  carrier_no: number;
  mid: number;
  origin: string;
  service_id: string;
  service_type: string;
  method: string;
  paras: string;
  mode: string;
  sender: string | null;
  to_type: string | null;
  receiver: string | null;
  callback_url: string | null;
  expire_time_s: number | null;
  max_retransmit: number | null;
  status: string;
  open: number;
  result: string | null;
  issued_times: number;
  answer_until_ms: number;
  created_ms: number;
  sent_ms: number | null;
  delivered_ms: number | null;
  executed_ms: number | null;
};
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
] as const satisfies (keyof CommandRow)[];

type Named = Record<string, string | number | null>;

export type CommandRepository = ReturnType<typeof commandRepository>;

/** Rows of `command` in registry.db. */
export function commandRepository(db: Database) {
  const insert = db.query<{ no: number }, Named>(
    `INSERT INTO command (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map((name) => `$${name}`).join(", ")}) RETURNING no`,
  );
  const update = db.query<null, Named>(
    `UPDATE command SET status = $status, open = $open, issued_times = $issued_times, result = $result,
       sent_ms = $sent_ms, delivered_ms = $delivered_ms, executed_ms = $executed_ms WHERE no = $no`,
  );
  const selectByNo = db.query<CommandRow, [number]>("SELECT * FROM command WHERE no = ?");
  const selectById = db.query<CommandRow, [string, string]>("SELECT * FROM command WHERE app_id = ? AND id = ?");
  const selectOpenMid = db.query<CommandRow, [number, number]>(
    "SELECT * FROM command WHERE carrier_no = ? AND mid = ? AND open = 1",
  );
  const selectOpenOf = db.query<CommandRow, [number]>(
    "SELECT * FROM command INDEXED BY command_open_mid WHERE carrier_no = ? AND open = 1 ORDER BY no",
  );
  const countOpenOf = db.query<{ count: number }, [number]>(
    "SELECT count(*) AS count FROM command WHERE carrier_no = ? AND open = 1",
  );
  const selectLastMid = db.query<{ mid: number }, [number]>(
    "SELECT mid FROM command WHERE carrier_no = ? ORDER BY no DESC LIMIT 1",
  );
  const selectOverdue = db.query<CommandRow, [number, number]>(
    "SELECT * FROM command WHERE open = 1 AND answer_until_ms <= ? ORDER BY answer_until_ms LIMIT ?",
  );
  const selectOpenAfter = db.query<CommandRow, [number, number]>(
    "SELECT * FROM command WHERE open = 1 AND no > ? ORDER BY no LIMIT ?",
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
      const row = insert.get({ ...toColumns(input), ...toState(delivery), ...toFacts({ ...input, issuedTimes: 0 }) });
      if (!row) throw new Error("command was not inserted");
      return this.get(row.no);
    },
    save(no: number, delivery: Delivery, changed: DeliveryFacts): void {
      update.run({ no, ...toState(delivery), ...toFacts(changed) });
    },
    get: (no: number): StoredCommand | undefined => fromRow(selectByNo.get(no)),
    findById: (appId: AppId, id: string): Command | undefined => fromRow(selectById.get(appId, id))?.command,
    findOpen: (carrierNo: number, mid: number): StoredCommand | undefined => fromRow(selectOpenMid.get(carrierNo, mid)),
    openOf: (carrierNo: number): StoredCommand[] => fromRows(selectOpenOf.all(carrierNo)),
    countOpenOf: (carrierNo: number): number => countOpenOf.get(carrierNo)?.count ?? 0,
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

const toColumns = (input: CommandToStore) => ({
  id: input.id,
  app_no: input.appNo,
  app_id: input.appId,
  device_no: input.deviceNo,
  device_id: input.deviceId,
  carrier_no: input.carrierNo,
  mid: input.mid,
  origin: input.origin,
  service_id: input.serviceId,
  service_type: input.serviceType,
  method: input.method,
  paras: JSON.stringify(input.paras),
  mode: input.mode,
  sender: input.from ?? null,
  to_type: input.toType ?? null,
  receiver: input.to ?? null,
  callback_url: input.callbackUrl ?? null,
  expire_time_s: input.expireTimeS ?? null,
  max_retransmit: input.maxRetransmit ?? null,
  answer_until_ms: input.answerUntil,
  created_ms: input.createdAt,
});

const toState = (delivery: Delivery) => ({
  status: delivery.state,
  open: isOpen(delivery) ? 1 : 0,
});

const toFacts = ({ result, issuedTimes, sentAt, deliveredAt, executedAt }: DeliveryFacts) => ({
  issued_times: issuedTimes,
  result: result === undefined ? null : JSON.stringify(result),
  sent_ms: sentAt ?? null,
  delivered_ms: deliveredAt ?? null,
  executed_ms: executedAt ?? null,
});

const fromRows = (rows: readonly CommandRow[]): StoredCommand[] =>
  rows.map((row) => fromRow(row)).filter((stored) => stored !== undefined);

function fromRow(row: CommandRow | null): StoredCommand | undefined {
  if (!row) return undefined;
  const command = {
    no: row.no,
    id: row.id,
    appNo: row.app_no,
    appId: row.app_id,
    deviceNo: row.device_no,
    deviceId: row.device_id,
    origin: row.origin,
    serviceId: row.service_id,
    serviceType: row.service_type,
    method: row.method,
    paras: JSON.parse(row.paras),
    mode: row.mode,
    from: row.sender ?? undefined,
    toType: row.to_type ?? undefined,
    to: row.receiver ?? undefined,
    callbackUrl: row.callback_url ?? undefined,
    expireTimeS: row.expire_time_s ?? undefined,
    maxRetransmit: row.max_retransmit ?? undefined,
    status: row.status,
    result: row.result === null ? undefined : JSON.parse(row.result),
    issuedTimes: row.issued_times,
    createdAt: row.created_ms,
    sentAt: row.sent_ms ?? undefined,
    deliveredAt: row.delivered_ms ?? undefined,
    executedAt: row.executed_ms ?? undefined,
  } as Command; // written by toColumns and toState only
  return { command, mid: row.mid, carrierNo: row.carrier_no, delivery: toDelivery(row) };
}

function toDelivery({ status, issued_times, open }: CommandRow): Delivery {
  const state = status as Command["status"];
  switch (state) {
    case "SENT":
      return { state, issued: issued_times, open: open === 1 };
    case "DELIVERED":
      return { state, open: open === 1 };
    default:
      return { state };
  }
}
