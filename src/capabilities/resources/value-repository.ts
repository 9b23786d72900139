import type { Database } from "bun:sqlite";
import type { WriteStep } from "../../platform/storage/storage-writer";
import type { LwM2mType } from "../../wire/lwm2m";
import type { JsonValue } from "./resource";

/** What is kept of a resource: by its three ids. */
export type KeptValue = {
  readonly objectId: number;
  readonly instanceId: number;
  readonly resourceId: number;
  /** Undefined: it is there, no value was seen. */
  readonly type: LwM2mType | undefined;
  readonly value: JsonValue | undefined;
  readonly omittedChars: number | undefined;
  readonly seenMs: number;
};
export type ValueRow = { readonly deviceNo: number; readonly kept: KeptValue };
export type InstanceKey = { readonly deviceNo: number; readonly objectId: number; readonly instanceId: number };

type Row = {
  object_id: number;
  instance_id: number;
  resource_id: number;
  type: LwM2mType | null;
  value: string | null;
  omitted_chars: number | null;
  seen_ms: number;
};

/** For `deletedDevicesPurge`. */
export const DELETE_RESOURCE_VALUES_OF_DEVICE = "DELETE FROM resource_value WHERE device_no = ?";

const COLUMNS = "device_no, object_id, instance_id, resource_id, type, value, omitted_chars, seen_ms";
const INSERT = `INSERT INTO resource_value (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;

/** `resource_value` in telemetry.db: read here, written by the steps. */
export function valueRepository(reads: Database) {
  const columns = "object_id, instance_id, resource_id, type, value, omitted_chars, seen_ms";
  const selectOne = reads.query<Row, [number, number, number, number]>(
    `SELECT ${columns} FROM resource_value
     WHERE device_no = ? AND object_id = ? AND instance_id = ? AND resource_id = ?`,
  );
  const selectAll = reads.query<Row, [number]>(`SELECT ${columns} FROM resource_value WHERE device_no = ?`);

  return {
    find(deviceNo: number, objectId: number, instanceId: number, resourceId: number): KeptValue | undefined {
      const row = selectOne.get(deviceNo, objectId, instanceId, resourceId);
      return row ? fromRow(row) : undefined;
    },
    of: (deviceNo: number): KeptValue[] => selectAll.all(deviceNo).map(fromRow),

    steps: {
      removeInstances: (keys: readonly InstanceKey[]): WriteStep => ({
        sql: "DELETE FROM resource_value WHERE device_no = ? AND object_id = ? AND instance_id = ?",
        columns: [
          keys.map(({ deviceNo }) => deviceNo),
          keys.map(({ objectId }) => objectId),
          keys.map(({ instanceId }) => instanceId),
        ],
      }),
      put: (rows: readonly ValueRow[]): WriteStep => ({
        sql: `${INSERT} ON CONFLICT DO UPDATE SET
          type = excluded.type, value = excluded.value, omitted_chars = excluded.omitted_chars, seen_ms = excluded.seen_ms`,
        columns: columnsOf(rows),
      }),
      /** What is known already stays as it is. */
      addKnown: (rows: readonly ValueRow[]): WriteStep => ({
        sql: `${INSERT} ON CONFLICT DO NOTHING`,
        columns: columnsOf(rows),
      }),
      /** Leaves those `keep` of a device that were seen last. */
      trim: (deviceNos: readonly number[], keep: number): WriteStep => ({
        sql: `DELETE FROM resource_value WHERE device_no = ?1
          AND (SELECT COUNT(*) FROM resource_value WHERE device_no = ?1) > ?2
          AND (object_id, instance_id, resource_id) IN (
            SELECT object_id, instance_id, resource_id FROM resource_value
            WHERE device_no = ?1 ORDER BY seen_ms DESC LIMIT -1 OFFSET ?2)`,
        columns: [deviceNos, deviceNos.map(() => keep)],
      }),
    },
  };
}

const columnsOf = (rows: readonly ValueRow[]): WriteStep["columns"] => [
  rows.map(({ deviceNo }) => deviceNo),
  rows.map(({ kept }) => kept.objectId),
  rows.map(({ kept }) => kept.instanceId),
  rows.map(({ kept }) => kept.resourceId),
  rows.map(({ kept }) => kept.type ?? null),
  rows.map(({ kept }) => (kept.value === undefined ? null : JSON.stringify(kept.value))),
  rows.map(({ kept }) => kept.omittedChars ?? null),
  rows.map(({ kept }) => kept.seenMs),
];

const fromRow = (row: Row): KeptValue => ({
  objectId: row.object_id,
  instanceId: row.instance_id,
  resourceId: row.resource_id,
  type: row.type ?? undefined,
  value: row.value === null ? undefined : (JSON.parse(row.value) as JsonValue),
  omittedChars: row.omitted_chars ?? undefined,
  seenMs: row.seen_ms,
});
