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
    const found = db.query<{ no: number; created_at_ms: number }, Binding[]>(
      `SELECT no, created_at_ms FROM device INDEXED BY ${index}
       WHERE app_no = ? ${sql} AND (created_at_ms, no) > (?, ?) AND created_at_ms <= ?
       ORDER BY created_at_ms, no LIMIT ?`,
    );
    const bindings = [appNo, ...bindingsOf(selection), createdAtMs, no, untilMs, limit];
    const one = db.query<ReadRow, [number]>(`SELECT ${DEVICE_COLUMNS} FROM device WHERE device.no = ?`);
    return found.all(...bindings).flatMap((row) => one.get(row.no) ?? []);
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
