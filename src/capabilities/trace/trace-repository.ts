import type { Database } from "bun:sqlite";
import type { WriteStep } from "../../platform/storage/storage-writer";
import type { TraceEntry } from "../devices/trace-sink";

export type TraceRecord = {
  readonly deviceNo: number | undefined;
  readonly claimedId: string | undefined;
  readonly atMs: number;
  readonly kind: TraceEntry["kind"];
  readonly outcome: TraceEntry["outcome"];
  readonly reason: string;
  readonly detail: string | undefined;
};
export type TraceKey = { readonly deviceNo: number } | { readonly claimedId: string };

type Row = {
  device_no: number | null;
  claimed_id: string | null;
  at_ms: number;
  kind: TraceEntry["kind"];
  outcome: TraceEntry["outcome"];
  reason: string;
  detail: string | null;
};

const columnOf = (key: TraceKey) => ("deviceNo" in key ? "device_no" : "claimed_id");
const keyOf = (key: TraceKey) => ("deviceNo" in key ? key.deviceNo : key.claimedId);

/** For `deletedDevicesPurge`. */
export const DELETE_TRACES_OF_DEVICE = "DELETE FROM trace WHERE device_no = ?";

export function traceRepository(reads: Database) {
  const prepare = (column: "device_no" | "claimed_id") => ({
    page: reads.query<Row, [number | string, number, number]>(
      `SELECT device_no, claimed_id, at_ms, kind, outcome, reason, detail FROM trace
       WHERE ${column} = ? ORDER BY no DESC LIMIT ? OFFSET ?`,
    ),
    count: reads.query<{ total: number }, [number | string]>(`SELECT COUNT(*) AS total FROM trace WHERE ${column} = ?`),
  });
  const queries = { device_no: prepare("device_no"), claimed_id: prepare("claimed_id") };

  return {
    find(key: TraceKey, page: number, pageSize: number): { items: TraceRecord[]; total: number } {
      const { page: select, count } = queries[columnOf(key)];
      return {
        items: select.all(keyOf(key), pageSize, page * pageSize).map(fromRow),
        total: count.get(keyOf(key))?.total ?? 0,
      };
    },

    insert: (records: readonly TraceRecord[]): WriteStep => ({
      sql: "INSERT INTO trace (device_no, claimed_id, at_ms, kind, outcome, reason, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
      columns: [
        records.map(({ deviceNo }) => deviceNo ?? null),
        records.map(({ claimedId }) => claimedId ?? null),
        records.map(({ atMs }) => atMs),
        records.map(({ kind }) => kind),
        records.map(({ outcome }) => outcome),
        records.map(({ reason }) => reason),
        records.map(({ detail }) => detail ?? null),
      ],
    }),

    /** Leaves the newest `keep` entries. */
    trim(key: TraceKey, keep: number): WriteStep {
      const column = columnOf(key);
      return {
        sql: `DELETE FROM trace WHERE ${column} = ?1 AND no <=
          (SELECT no FROM trace WHERE ${column} = ?1 ORDER BY no DESC LIMIT 1 OFFSET ?2)`,
        columns: [[keyOf(key)], [keep]],
      };
    },
  };
}

const fromRow = ({ device_no, claimed_id, at_ms, kind, outcome, reason, detail }: Row): TraceRecord => ({
  deviceNo: device_no ?? undefined,
  claimedId: claimed_id ?? undefined,
  atMs: at_ms,
  kind,
  outcome,
  reason,
  detail: detail ?? undefined,
});
