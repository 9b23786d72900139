import type { Database } from "bun:sqlite";
import type { JoinType, LoraKind } from "./lora";

/** What of a registration is no secret, as it was given; name, product and description are the device's. */
export type LoraFacts = {
  readonly eui: string;
  readonly appEUI?: string | undefined;
  readonly deviceClass?: string | undefined;
  readonly joinType?: JoinType | undefined;
  readonly devAddr?: string | undefined;
};
export type LoraRow = {
  device_no: number;
  kind: LoraKind;
  eui: string;
  server_no: number;
  server_id: string;
  facts: string;
  keys: Uint8Array;
};
export type PendingRow = {
  server_no: number;
  eui: string;
  kind: LoraKind;
  spelling: string;
  state: "registering" | "withdrawing";
  since_ms: number;
};

/** EUIs are the same in any spelling. */
export const euiKey = (eui: string) => eui.toLowerCase();

/** Plain statements over `lora_device` and `lora_pending`; changes are for use inside a transaction. */
export function loraRepository(db: Database) {
  const insert = db.query<null, LoraRow>(
    "INSERT INTO lora_device VALUES ($device_no, $kind, $eui, $server_no, $server_id, $facts, $keys)",
  );
  const byDevice = db.query<LoraRow, [number]>("SELECT * FROM lora_device WHERE device_no = ?");
  const byEui = db.query<LoraRow, [string]>("SELECT * FROM lora_device WHERE eui = ?");
  const remove = db.query<null, [number]>("DELETE FROM lora_device WHERE device_no = ?");
  const setPending = db.query<null, PendingRow>(
    `INSERT OR REPLACE INTO lora_pending (server_no, eui, kind, spelling, state, since_ms)
     VALUES ($server_no, $eui, $kind, $spelling, $state, $since_ms)`,
  );
  const removePending = db.query<null, [number, string]>("DELETE FROM lora_pending WHERE server_no = ? AND eui = ?");
  const removeOfServer = db.query<null, [number]>("DELETE FROM lora_pending WHERE server_no = ?");
  const registering = db.query<{ found: number }, [string]>(
    "SELECT 1 AS found FROM lora_pending WHERE eui = ? AND state = 'registering'",
  );
  const countRegistering = db.query<{ count: number }, [number]>(
    "SELECT count(*) AS count FROM lora_pending WHERE server_no = ? AND state = 'registering'",
  );
  const giveUpAll = db.query<null, [number]>(
    "UPDATE lora_pending SET state = 'withdrawing', since_ms = ? WHERE state = 'registering'",
  );
  const withdrawing = db.query<PendingRow, [number, string, number]>(
    `SELECT * FROM lora_pending WHERE (server_no, eui) > (?, ?) AND state = 'withdrawing'
     ORDER BY server_no, eui LIMIT ?`,
  );
  const sameWithdrawing = db.query<{ found: number }, [number, string, number]>(
    `SELECT 1 AS found FROM lora_pending
     WHERE server_no = ? AND eui = ? AND state = 'withdrawing' AND since_ms = ?`,
  );
  const removeWithdrawing = db.query<null, [number, string, number]>(
    "DELETE FROM lora_pending WHERE server_no = ? AND eui = ? AND state = 'withdrawing' AND since_ms = ?",
  );

  return {
    insert: (row: LoraRow) => void insert.run(row),
    find: (deviceNo: number) => byDevice.get(deviceNo) ?? undefined,
    findByEui: (eui: string) => byEui.get(euiKey(eui)) ?? undefined,
    remove: (deviceNo: number) => void remove.run(deviceNo),

    /** Instead of what was pending of this EUI at this server. */
    setPending: (row: Omit<PendingRow, "eui">) => void setPending.run({ ...row, eui: euiKey(row.spelling) }),
    removePending: (serverNo: number, eui: string) => void removePending.run(serverNo, euiKey(eui)),
    removePendingOfServer: (serverNo: number) => void removeOfServer.run(serverNo),
    /** At any server. */
    isRegistering: (eui: string) => registering.get(euiKey(eui)) !== null,
    countRegistering: (serverNo: number) => countRegistering.get(serverNo)?.count ?? 0,
    /** At the start: nobody waits for the answers any more. Returns how many there were. */
    giveUpAll: (nowMs: number) => giveUpAll.run(nowMs).changes,
    withdrawing: (after: Pick<PendingRow, "server_no" | "eui">, limit: number) =>
      withdrawing.all(after.server_no, after.eui, limit),
    /** Whether it still means the same; the next one changes nothing otherwise. */
    isWithdrawing: ({ server_no, eui, since_ms }: PendingRow) => sameWithdrawing.get(server_no, eui, since_ms) !== null,
    removeWithdrawing: ({ server_no, eui, since_ms }: PendingRow) =>
      void removeWithdrawing.run(server_no, eui, since_ms),
  };
}
export type LoraRepository = ReturnType<typeof loraRepository>;
