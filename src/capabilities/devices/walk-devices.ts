import type { Database } from "bun:sqlite";
import { DEVICE_COLUMNS } from "./device-repository";
import { type ReadRow, textKey } from "./device-row";

/** Texts are compared whole and exactly. */
export type DeviceSelection =
  | { readonly by: "all" }
  | { readonly by: "deviceType"; readonly deviceType: string }
  | { readonly by: "location"; readonly location: string };
/** After this device, in the order of registration. */
export type WalkPosition = { readonly createdAtMs: number; readonly no: number };
export const WALK_START: WalkPosition = { createdAtMs: -1, no: 0 };

const BY = {
  all: { index: "device_by_time", sql: "" },
  deviceType: { index: "device_by_type", sql: "AND device_type = ?" },
  location: { index: "device_by_location", sql: "AND location_key = ?" },
} as const;

type Binding = string | number | Uint8Array;

/**
 * Devices of an application in steps that cost as much as they give, however many there are: each goes on in its index
 * where the last one ended. `untilMs`: those registered later are left out, so that a walk ends.
 */
export function deviceWalk(db: Database) {
  return (
    appNo: number,
    selection: DeviceSelection,
    { createdAtMs, no }: WalkPosition,
    untilMs: number,
    limit: number,
  ): ReadRow[] => {
    const { index, sql } = BY[selection.by];
    const select = `SELECT no FROM device INDEXED BY ${index} WHERE app_no = ? ${sql}`;
    const bindings = [appNo, ...bindingsOf(selection)];
    // In two steps: of a comparison of rows, SQLite takes only the first column to its index.
    const sameTime = db
      .query<{ no: number }, Binding[]>(`${select} AND created_at_ms = ? AND no > ? ORDER BY no LIMIT ?`)
      .all(...bindings, createdAtMs, no, createdAtMs <= untilMs ? limit : 0);
    const later = db
      .query<{ no: number }, Binding[]>(
        `${select} AND created_at_ms > ? AND created_at_ms <= ? ORDER BY created_at_ms, no LIMIT ?`,
      )
      .all(...bindings, createdAtMs, untilMs, limit - sameTime.length);
    const one = db.query<ReadRow, [number]>(`SELECT ${DEVICE_COLUMNS} FROM device WHERE device.no = ?`);
    return [...sameTime, ...later].flatMap((row) => one.get(row.no) ?? []);
  };
}

function bindingsOf(selection: DeviceSelection): Binding[] {
  switch (selection.by) {
    case "all":
      return [];
    case "deviceType":
      return [selection.deviceType];
    case "location":
      return [textKey(selection.location)];
    default:
      return selection satisfies never;
  }
}
