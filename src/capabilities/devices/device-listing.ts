import type { Database } from "bun:sqlite";
import { DEVICE_COLUMNS } from "./device-repository";
import { type ReadRow, textKey } from "./device-row";
import type { DeviceFilter, DeviceList } from "./device-service";

/** Under so many rows an index that does not hold all filters is worth its look-ups. */
const FEW = 1_000;

type Binding = string | number | Uint8Array;
type Condition = { readonly sql: string; readonly value: Binding };
type Conditions = Partial<Record<keyof DeviceFilter, Condition>>;
/** What the ids of a query name. */
type Named = {
  readonly gatewayNo: number | undefined;
  readonly tag: { readonly no: number; readonly devices: number } | undefined;
};
/** Where rows are found, and the columns that say which they are and in which order. */
type Plan = {
  readonly no: string;
  readonly time: string;
  readonly matching: string;
  readonly bindings: readonly Binding[];
};

const SELECTIVE = [
  ["gatewayId", "device_by_gateway"],
  ["name", "device_by_name"],
  ["location", "device_by_location"],
  ["deviceType", "device_by_type"],
] as const;

/**
 * Lists and counts by any combination of filters without ever reading the table to find out which rows match, or reading
 * at most `few` of them, or those of a tag. The index is chosen here, not by SQLite, which has no statistics about an application's habits.
 */
export function deviceListing(db: Database, few = FEW) {
  const totals = db.query<{ status: string; devices: number }, [number]>(
    "SELECT status, devices FROM device_count WHERE app_no = ?",
  );

  function conditionsOf(filter: DeviceFilter, { gatewayNo, tag }: Named): Conditions {
    const { nodeType, deviceType, location, name, status, startMs, endMs } = filter;
    return {
      ...(gatewayNo !== undefined && { gatewayId: { sql: "gateway_no = +?", value: gatewayNo } }),
      ...(name !== undefined && { name: { sql: "name_key = +?", value: textKey(name) } }),
      ...(location !== undefined && { location: { sql: "location_key = +?", value: textKey(location) } }),
      ...(deviceType !== undefined && { deviceType: { sql: "device_type = +?", value: deviceType } }),
      ...(nodeType !== undefined && { nodeType: { sql: "node_type = +?", value: nodeType } }),
      ...(status !== undefined && { status: { sql: "status = +?", value: status } }),
      ...(tag !== undefined && { tag: { sql: HAS_TAG, value: tag.no } }),
      ...(startMs !== undefined && { startMs: { sql: "created_at_ms >= +?", value: startMs } }),
      ...(endMs !== undefined && { endMs: { sql: "created_at_ms <= +?", value: endMs } }),
    };
  }

  /** Undefined: none of the table `device`, but the tag's. */
  function chooseIndex(appNo: number, conditions: Conditions, { tag }: Named): string | undefined {
    const kinds = Object.keys(conditions).filter((kind) => kind !== "startMs" && kind !== "endMs");
    if (tag && (kinds.length === 1 || tag.devices < few)) return undefined;
    for (const [kind, index] of SELECTIVE) {
      const condition = conditions[kind];
      if (condition && (kinds.length === 1 || isFew(appNo, index, condition))) return index;
    }
    const { status } = conditions;
    // Whichever holds less; to look up a device costs less than to look up whether it has the tag.
    if (tag && !(status && countByStatus(appNo, status.value) < tag.devices / 2)) return undefined;
    return status ? "device_by_status" : "device_by_time";
  }

  function isFew(appNo: number, index: string, { sql, value }: Condition): boolean {
    const found = db
      .query<{ found: number }, Binding[]>(
        `SELECT COUNT(*) AS found FROM (SELECT 1 FROM device INDEXED BY ${index} WHERE app_no = ? AND ${sql} LIMIT ${few})`,
      )
      .get(appNo, value);
    return (found?.found ?? 0) < few;
  }

  /** From the counters where they know it. */
  function countByStatus(appNo: number, status: Binding | undefined): number {
    let sum = 0;
    for (const row of totals.all(appNo)) if (status === undefined || row.status === status) sum += row.devices;
    return sum;
  }

  return {
    list(appNo: number, named: Named, query: DeviceList): { rows: ReadRow[]; total: number } {
      const { sort, page, pageSize } = query;
      const conditions = conditionsOf(query, named);
      const found = plan(appNo, conditions, chooseIndex(appNo, conditions, named));
      const { no, time, matching, bindings } = found;
      const direction = sort === "ASC" ? "" : " DESC";
      const rows = db
        .query<ReadRow, Binding[]>(
          `WITH wanted AS MATERIALIZED (SELECT ${no} AS no, ${time} AS created_at_ms ${matching}
             ORDER BY ${time}${direction}, ${no}${direction} LIMIT (? + 0) OFFSET (? + 0))
           SELECT ${DEVICE_COLUMNS} FROM wanted CROSS JOIN device ON device.no = wanted.no
           ORDER BY wanted.created_at_ms${direction}, wanted.no${direction}`,
        )
        .all(...bindings, pageSize, page * pageSize);
      const isLastPage = rows.length < pageSize && (rows.length > 0 || page === 0);
      return { rows, total: isLastPage ? page * pageSize + rows.length : count(appNo, conditions, named, found) };
    },
  };

  function count(appNo: number, conditions: Conditions, { tag }: Named, { matching, bindings }: Plan): number {
    const { status, ...others } = conditions;
    const kinds = Object.keys(others);
    if (kinds.length === 0) return countByStatus(appNo, status?.value);
    if (tag && !status && kinds.length === 1) return tag.devices;
    return db.query<{ total: number }, Binding[]>(`SELECT COUNT(*) AS total ${matching}`).get(...bindings)?.total ?? 0;
  }
}

const HAS_TAG = `EXISTS (SELECT 1 FROM device_tag
  WHERE tag_no = ? AND registered_ms = device.created_at_ms AND device_no = device.no)`;

function plan(appNo: number, conditions: Conditions, index: string | undefined): Plan {
  if (index === undefined) return planByTag(conditions);
  const used = Object.values(conditions);
  const where = ["app_no = +?", ...used.map(({ sql }) => sql)].join(" AND ");
  return {
    no: "device.no",
    time: "device.created_at_ms",
    matching: `FROM device INDEXED BY ${index} WHERE ${where}`,
    bindings: [appNo, ...used.map(({ value }) => value)],
  };
}

/** Along the devices of the tag, in the order of their registration; each is looked up if other filters ask about it. */
function planByTag({ tag, startMs, endMs, ...others }: Conditions): Plan {
  const period = [startMs, endMs].flatMap((it) =>
    it ? [{ ...it, sql: it.sql.replace("created_at_ms", "registered_ms") }] : [],
  );
  const asked = Object.values(others);
  const used = [...(tag ? [{ sql: "tag_no = +?", value: tag.value }] : []), ...period, ...asked];
  const join = asked.length > 0 ? "CROSS JOIN device ON device.no = device_tag.device_no" : "";
  return {
    no: "device_tag.device_no",
    time: "device_tag.registered_ms",
    matching: `FROM device_tag ${join} WHERE ${used.map(({ sql }) => sql).join(" AND ")}`,
    bindings: used.map(({ value }) => value),
  };
}
