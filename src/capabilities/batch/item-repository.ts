import type { Database } from "bun:sqlite";
import type { Command, CommandId } from "../commands/command";
import type { DeviceId } from "../devices/device";
import type { Item, ItemError, ItemFilter, ItemState, WantedValues } from "./task";

type ItemRow = {
  task_no: number;
  pos: number;
  target: string;
  device_no: number | null;
  device_id: string | null;
  state: string;
  due_ms: number;
  tries: number;
  command_no: number | null;
  command_id: string | null;
  wanted: string | null;
  result: string | null;
  error: string | null;
  ended_ms: number | null;
};
type Named = Record<string, string | number | Uint8Array | null>;
type Key = Pick<Item, "taskNo" | "pos">;

export type NewItem = Pick<Item, "target" | "deviceNo" | "deviceId"> & {
  readonly error?: ItemError | undefined; // with one it has failed
  readonly sealed?: Uint8Array | undefined;
  readonly endedAt?: number | undefined;
};
/** What changes with its state. `undefined` leaves it as it is, `sealed: null` wipes it. */
export type ItemFacts = {
  readonly dueMs?: number | undefined;
  readonly tries?: number | undefined;
  readonly deviceNo?: number | undefined;
  readonly deviceId?: DeviceId | undefined;
  readonly commandNo?: number | undefined;
  readonly commandId?: CommandId | undefined;
  readonly wanted?: WantedValues | undefined;
  readonly sealed?: Uint8Array | null | undefined;
  readonly result?: Item["result"];
  /** Undefined takes an earlier one away. */
  readonly error?: ItemError | undefined;
};

const COLUMNS = `task_no, pos, target, device_no, device_id, state, due_ms, tries, command_no, command_id, wanted, result,
  error, ended_ms`;
const IS_OPEN = "device_no IS NOT NULL AND state IN ('Pending', 'WaitResult')"; // to the letter of the partial index

/** Rows of `batch_item`. Changes only inside a transaction. */
export function itemRepository(db: Database) {
  const insert = db.query<null, Named>(
    `INSERT INTO batch_item (task_no, pos, target, device_no, device_id, state, sealed, error, ended_ms)
     VALUES ($taskNo, $pos, $target, $deviceNo, $deviceId, $state, $sealed, $error, $endedAt)`,
  );
  const selectOne = db.query<ItemRow, [number, number]>(
    `SELECT ${COLUMNS} FROM batch_item WHERE task_no = ? AND pos = ?`,
  );
  const selectTarget = db.query<{ pos: number }, [number, string]>(
    "SELECT pos FROM batch_item INDEXED BY batch_item_target WHERE task_no = ? AND target = ? LIMIT 1",
  );
  const selectOfCommand = db.query<ItemRow, [string, number]>(
    `SELECT ${COLUMNS} FROM batch_item INDEXED BY batch_item_command WHERE command_id = ? AND command_no = ?`,
  );
  const selectOpenOfDevice = db.query<ItemRow, [number]>(
    `SELECT ${COLUMNS} FROM batch_item INDEXED BY batch_item_open_device WHERE device_no = ? AND ${IS_OPEN}`,
  );
  const selectDue = db.query<ItemRow, [number, number, number]>(
    `SELECT ${COLUMNS} FROM batch_item INDEXED BY batch_item_state
       WHERE task_no = ? AND state = 'Pending' AND due_ms <= ? ORDER BY due_ms, pos LIMIT ?`,
  );
  const selectNextDue = db.query<{ due_ms: number }, [number]>(
    `SELECT due_ms FROM batch_item INDEXED BY batch_item_state
       WHERE task_no = ? AND state = 'Pending' ORDER BY due_ms, pos LIMIT 1`,
  );
  const selectInState = db.query<ItemRow, [number, string, number]>(
    `SELECT ${COLUMNS} FROM batch_item INDEXED BY batch_item_state
       WHERE task_no = ? AND state = ? ORDER BY due_ms, pos LIMIT ?`,
  );
  const selectFrom = db.query<ItemRow & { sealed: Uint8Array | null }, [number, number, number]>(
    `SELECT ${COLUMNS}, sealed FROM batch_item WHERE task_no = ? AND pos >= ? ORDER BY pos LIMIT ?`,
  );
  const selectSealed = db.query<{ sealed: Uint8Array | null }, [number, number]>(
    "SELECT sealed FROM batch_item WHERE task_no = ? AND pos = ?",
  );
  const update = db.query<null, Named>(
    `UPDATE batch_item SET state = $state, due_ms = $dueMs, tries = coalesce($tries, tries),
       device_no = coalesce($deviceNo, device_no), device_id = coalesce($deviceId, device_id),
       command_no = coalesce($commandNo, command_no), command_id = coalesce($commandId, command_id),
       wanted = $wanted, sealed = CASE WHEN $wipe = 1 THEN $sealed ELSE sealed END,
       result = coalesce($result, result), error = $error, ended_ms = $endedAt
     WHERE task_no = $taskNo AND pos = $pos`,
  );
  const setWanted = db.query<null, [string, number, number]>(
    "UPDATE batch_item SET wanted = ? WHERE task_no = ? AND pos = ?",
  );
  const deleteSome = db.query<null, { taskNo: number; last: number }>(
    `DELETE FROM batch_item WHERE task_no = $taskNo AND pos <= coalesce(
       (SELECT pos FROM batch_item WHERE task_no = $taskNo ORDER BY pos LIMIT 1 OFFSET $last), 9007199254740991)`,
  );

  return {
    add(taskNo: number, pos: number, { target, deviceNo, deviceId, error, sealed, endedAt }: NewItem): void {
      insert.run({
        ...{ taskNo, pos, target },
        deviceNo: deviceNo ?? null,
        deviceId: deviceId ?? null,
        state: error ? "Fail" : "Pending",
        sealed: sealed ?? null,
        error: textOf(error),
        endedAt: endedAt ?? null,
      });
    },
    get: (taskNo: number, pos: number): Item | undefined => optional(selectOne.get(taskNo, pos)),
    hasTarget: (taskNo: number, target: string): boolean => selectTarget.get(taskNo, target) !== null,
    ofCommand: ({ id, no }: Pick<Command, "id" | "no">): Item | undefined => optional(selectOfCommand.get(id, no)),
    /** Of all tasks. */
    openOfDevice: (deviceNo: number): Item[] => selectOpenOfDevice.all(deviceNo).map(fromRow),
    due: (taskNo: number, now: number, limit: number): Item[] => selectDue.all(taskNo, now, limit).map(fromRow),
    /** When the next Pending one may start, ms; undefined: none is Pending. */
    nextDue: (taskNo: number): number | undefined => selectNextDue.get(taskNo)?.due_ms,
    inState: (taskNo: number, state: ItemState, limit: number): Item[] =>
      selectInState.all(taskNo, state, limit).map(fromRow),
    sealed: (taskNo: number, pos: number): Uint8Array | undefined => selectSealed.get(taskNo, pos)?.sealed ?? undefined,
    /** In the order of their positions. */
    from: (taskNo: number, pos: number, limit: number) =>
      selectFrom.all(taskNo, pos, limit).map((row) => ({ item: fromRow(row), sealed: row.sealed ?? undefined })),

    save({ taskNo, pos }: Key, state: ItemState, facts: ItemFacts, endedAt: number | undefined): void {
      update.run({
        ...{ taskNo, pos, state },
        dueMs: facts.dueMs ?? 0,
        tries: facts.tries ?? null,
        deviceNo: facts.deviceNo ?? null,
        deviceId: facts.deviceId ?? null,
        commandNo: facts.commandNo ?? null,
        commandId: facts.commandId ?? null,
        wanted: textOf(facts.wanted),
        wipe: facts.sealed === undefined ? 0 : 1,
        sealed: facts.sealed ?? null,
        result: textOf(facts.result),
        error: textOf(facts.error),
        endedAt: endedAt ?? null,
      });
    },
    setWanted: ({ taskNo, pos }: Key, wanted: WantedValues): void =>
      void setWanted.run(JSON.stringify(wanted), taskNo, pos),
    /** How many were deleted, at most `limit`. */
    deleteSome: (taskNo: number, limit: number): number => deleteSome.run({ taskNo, last: limit - 1 }).changes,

    /** `known`: how many match, when that is known without counting. */
    page(
      taskNo: number,
      { state, target, commandId }: ItemFilter,
      known: number | undefined,
      page: number,
      pageSize: number,
    ) {
      const values: Named = { taskNo };
      const conditions = ["task_no = $taskNo"];
      for (const [column, value] of Object.entries({ state, target, command_id: commandId })) {
        if (value === undefined) continue;
        conditions.push(`${column} = $${column}`);
        values[column] = value;
      }
      const isWhole = conditions.length === 1;
      const index = target !== undefined ? "target" : commandId !== undefined ? "command" : "state";
      const from = isWhole ? "batch_item" : `batch_item INDEXED BY batch_item_${index}`;
      const where = conditions.join(" AND ");
      const order = isWhole || index !== "state" ? "pos" : "due_ms, pos"; // as the index has it
      // The keys first: what is skipped is not read. Without a filter the position is the place in the list.
      const part = isWhole
        ? `AND pos >= $offset ORDER BY pos LIMIT $limit`
        : `ORDER BY ${order} LIMIT $limit OFFSET $offset`;
      const rows = db.query<ItemRow, Named>(
        `WITH wanted AS MATERIALIZED (SELECT pos, due_ms FROM ${from} WHERE ${where} ${part})
         SELECT ${COLUMNS.replace(/\w+/g, "it.$&")} FROM wanted
           CROSS JOIN batch_item AS it ON it.task_no = $taskNo AND it.pos = wanted.pos
         ORDER BY ${order.replace(/\w+/g, "wanted.$&")}`,
      );
      const count = db.query<{ total: number }, Named>(`SELECT count(*) AS total FROM ${from} WHERE ${where}`);
      return {
        items: rows.all({ ...values, limit: pageSize, offset: page * pageSize }).map(fromRow),
        total: known ?? count.get(values)?.total ?? 0,
      };
    },
  };
}
export type ItemRepository = ReturnType<typeof itemRepository>;

const textOf = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
const optional = (row: ItemRow | null): Item | undefined => (row ? fromRow(row) : undefined);
const parsed = (text: string | null) => (text === null ? undefined : JSON.parse(text));

const fromRow = (row: ItemRow): Item => ({
  taskNo: row.task_no,
  pos: row.pos,
  target: row.target,
  deviceNo: row.device_no ?? undefined,
  deviceId: (row.device_id ?? undefined) as DeviceId | undefined,
  state: row.state as ItemState, // written by `add` and `save` only
  tries: row.tries,
  commandNo: row.command_no ?? undefined,
  commandId: (row.command_id ?? undefined) as CommandId | undefined,
  wanted: parsed(row.wanted),
  result: parsed(row.result),
  error: parsed(row.error),
  endedAt: row.ended_ms ?? undefined,
});
