import type { Database } from "bun:sqlite";
import type { SqlValue } from "../../platform/storage/storage-writer";

/** A message that is on disk and not yet delivered. `source` says in which of the two databases. */
export type OutboxRow = {
  readonly source: OutboxSource;
  readonly targetNo: number;
  readonly id: number;
  readonly subscriptionNo: number; // 0: not from a subscription
  readonly type: string;
  readonly orderKey: number;
  readonly body: string;
  readonly createdMs: number; // steady time
  readonly attempts: number; // that failed
  readonly retryMs: number; // steady time; not before this
};
export type OutboxSource = "registry" | "telemetry";
export const OUTBOX_SOURCES: readonly OutboxSource[] = ["registry", "telemetry"];

export const INSERT_OUTBOX =
  "INSERT INTO outbox (target_no, id, subscription_no, type, order_key, body, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)";
export const DELETE_OUTBOX = "DELETE FROM outbox WHERE target_no = ? AND id = ?";
export const DELAY_OUTBOX = "UPDATE outbox SET attempts = ?, retry_ms = ? WHERE target_no = ? AND id = ?";

export const toInsertValues = (row: OutboxRow): SqlValue[] => [
  row.targetNo,
  row.id,
  row.subscriptionNo,
  row.type,
  row.orderKey,
  row.body,
  row.createdMs,
];

export interface OutboxReader {
  /** In the order of their ids. */
  page(targetNo: number, afterId: number, limit: number): OutboxRow[];
  depths(): { targetNo: number; rows: number }[];
  lastId(): number;
}

type Row = {
  target_no: number;
  id: number;
  subscription_no: number;
  type: string;
  order_key: number;
  body: string;
  created_ms: number;
  attempts: number;
  retry_ms: number;
};

export function outboxReader(db: Database, source: OutboxSource): OutboxReader {
  const selectPage = db.query<Row, [number, number, number]>(
    "SELECT * FROM outbox WHERE target_no = ? AND id > ? ORDER BY id LIMIT ?",
  );
  const selectDepths = db.query<{ targetNo: number; rows: number }, []>(
    "SELECT target_no AS targetNo, count(*) AS rows FROM outbox GROUP BY target_no",
  );
  const selectLast = db.query<{ id: number | null }, []>("SELECT max(id) AS id FROM outbox");
  const toRow = (row: Row): OutboxRow => ({
    source,
    targetNo: row.target_no,
    id: row.id,
    subscriptionNo: row.subscription_no,
    type: row.type,
    orderKey: row.order_key,
    body: row.body,
    createdMs: row.created_ms,
    attempts: row.attempts,
    retryMs: row.retry_ms,
  });
  return {
    page: (targetNo, afterId, limit) => selectPage.all(targetNo, afterId, limit).map(toRow),
    depths: () => selectDepths.all(),
    lastId: () => selectLast.get()?.id ?? 0,
  };
}
