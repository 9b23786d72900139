import type { Database } from "bun:sqlite";
import { DEVICE_COLUMNS } from "./device-repository";
import { type ReadRow, textKey } from "./device-row";
import type { DeviceFilter, DeviceList } from "./device-service";

/** Under so many rows an index that does not hold all filters is worth its look-ups. */
const FEW = 1_000;

type Binding = string | number | Uint8Array;
type Condition = { readonly sql: string; readonly value: Binding };
type Conditions = Partial<Record<keyof DeviceFilter, Condition>>;

const SELECTIVE = [
  ["gatewayId", "device_by_gateway"],
  ["name", "device_by_name"],
  ["location", "device_by_location"],
  ["deviceType", "device_by_type"],
] as const;

/**
 * Lists and counts by any combination of filters without ever reading the table to find out which rows match, or reading
 * at most `FEW` of them. The index is chosen here, not by SQLite, which has no statistics about an application's habits.
 */
export function deviceListing(db: Database) {
  const totals = db.query<{ status: string; devices: number }, [number]>(
    "SELECT status, devices FROM device_count WHERE app_no = ?",
  );

  function conditionsOf(filter: DeviceFilter, gatewayNo: number | undefined): Conditions {
    const { nodeType, deviceType, location, name, status, startMs, endMs } = filter;
    return {
      ...(gatewayNo !== undefined && { gatewayId: { sql: "gateway_no = ?", value: gatewayNo } }),
      ...(name !== undefined && { name: { sql: "name_key = ?", value: textKey(name) } }),
      ...(location !== undefined && { location: { sql: "location_key = ?", value: textKey(location) } }),
      ...(deviceType !== undefined && { deviceType: { sql: "device_type = ?", value: deviceType } }),
      ...(nodeType !== undefined && { nodeType: { sql: "node_type = ?", value: nodeType } }),
      ...(status !== undefined && { status: { sql: "status = ?", value: status } }),
      ...(startMs !== undefined && { startMs: { sql: "created_at_ms >= ?", value: startMs } }),
      ...(endMs !== undefined && { endMs: { sql: "created_at_ms <= ?", value: endMs } }),
    };
  }

  function chooseIndex(appNo: number, conditions: Conditions): string {
    const kinds = Object.keys(conditions).filter((kind) => kind !== "startMs" && kind !== "endMs");
    for (const [kind, index] of SELECTIVE) {
      const condition = conditions[kind];
      if (condition && (kinds.length === 1 || isFew(appNo, index, condition))) return index;
    }
    return conditions.status ? "device_by_status" : "device_by_time";
  }

  function isFew(appNo: number, index: string, { sql, value }: Condition): boolean {
    const found = db
      .query<{ found: number }, Binding[]>(
        `SELECT COUNT(*) AS found FROM (SELECT 1 FROM device INDEXED BY ${index} WHERE app_no = ? AND ${sql} LIMIT ${FEW})`,
      )
      .get(appNo, value);
    return (found?.found ?? 0) < FEW;
  }

  /** From the counters where they know it. */
  function countByStatus(appNo: number, status: string | undefined): number {
    let sum = 0;
    for (const row of totals.all(appNo)) if (status === undefined || row.status === status) sum += row.devices;
    return sum;
  }

  return {
    /** `gatewayNo` is what `query.gatewayId` names. */
    list(appNo: number, gatewayNo: number | undefined, query: DeviceList): { rows: ReadRow[]; total: number } {
      const { sort, page, pageSize } = query;
      const conditions = conditionsOf(query, gatewayNo);
      const { matching, bindings } = plan(appNo, conditions, chooseIndex(appNo, conditions));
      const order = sort === "ASC" ? "created_at_ms, no" : "created_at_ms DESC, no DESC";
      const outerOrder =
        sort === "ASC" ? "wanted.created_at_ms, wanted.no" : "wanted.created_at_ms DESC, wanted.no DESC";
      const rows = db
        .query<ReadRow, Binding[]>(
          `WITH wanted AS MATERIALIZED (SELECT no, created_at_ms ${matching} ORDER BY ${order} LIMIT ? OFFSET ?)
           SELECT ${DEVICE_COLUMNS} FROM wanted CROSS JOIN device ON device.no = wanted.no
           ORDER BY ${outerOrder}`,
        )
        .all(...bindings, pageSize, page * pageSize);
      const isLastPage = rows.length < pageSize && (rows.length > 0 || page === 0);
      return { rows, total: isLastPage ? page * pageSize + rows.length : count(appNo, conditions, matching, bindings) };
    },
  };

  function count(appNo: number, conditions: Conditions, matching: string, bindings: Binding[]): number {
    const { status, ...others } = conditions;
    if (Object.keys(others).length === 0) return countByStatus(appNo, status?.value as string | undefined);
    return db.query<{ total: number }, Binding[]>(`SELECT COUNT(*) AS total ${matching}`).get(...bindings)?.total ?? 0;
  }
}

function plan(appNo: number, conditions: Conditions, index: string): { matching: string; bindings: Binding[] } {
  const used = Object.values(conditions);
  const where = ["app_no = ?", ...used.map(({ sql }) => sql)].join(" AND ");
  return {
    matching: `FROM device INDEXED BY ${index} WHERE ${where}`,
    bindings: [appNo, ...used.map(({ value }) => value)],
  };
}
