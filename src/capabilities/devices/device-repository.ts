import type { Database } from "bun:sqlite";
import type { ProtocolType } from "../products/product";
import type { DeviceStatus, NodeType } from "./device";
import type { DeviceRow, ReadRow } from "./device-row";

export const DEVICE_COLUMNS = `device.no, device.id, device.app_no, device.product_no, device.node_id, device.gateway_no,
  device.node_type, device.device_type, device.info, device.status, device.status_detail, device.muted, device.is_secure,
  device.tags, device.custom_fields, device.muted_commands, device.data_aging_days, device.activated, device.bound,
  device.created_at_ms, device.modified_at_ms, device.expires_at_ms, device.contacted_at_ms,
  CASE WHEN device.gateway_no = device.no THEN device.id
    ELSE (SELECT id FROM device AS gateway WHERE gateway.no = device.gateway_no) END AS gateway_id`;
const SELECT_DEVICE = `SELECT ${DEVICE_COLUMNS} FROM device`;

const COLUMNS = [
  "no",
  "id",
  "app_no",
  "product_no",
  "node_id",
  "gateway_no",
  "node_type",
  "device_type",
  "name_key",
  "location_key",
  "info",
  "status",
  "status_detail",
  "muted",
  "is_secure",
  "tags",
  "custom_fields",
  "muted_commands",
  "data_aging_days",
  "activated",
  "bound",
  "secret",
  "psk",
  "verify_key",
  "created_at_ms",
  "modified_at_ms",
  "expires_at_ms",
  "contacted_at_ms",
] as const satisfies (keyof DeviceRow)[];

/** What an application can change of a device. */
export type Editable = Pick<
  DeviceRow,
  | "product_no"
  | "node_type"
  | "device_type"
  | "name_key"
  | "location_key"
  | "info"
  | "muted"
  | "is_secure"
  | "tags"
  | "custom_fields"
  | "muted_commands"
  | "data_aging_days"
  | "modified_at_ms"
>;
export type LoginRow = Pick<DeviceRow, "no" | "id" | "node_id" | "app_no" | "secret">;
/** What the CoAP side checks a device against when it registers. */
export type EndpointRow = Pick<DeviceRow, "no" | "id" | "node_id" | "app_no" | "is_secure" | "muted"> & {
  protocol_type: ProtocolType | null;
};
export type LiveRow = Pick<DeviceRow, "no" | "id" | "app_no" | "product_no" | "node_id" | "gateway_no" | "muted"> &
  Pick<DeviceRow, "is_secure" | "status" | "bound"> &
  Pick<ReadRow, "gateway_id">;
type PresenceRow = Pick<DeviceRow, "no" | "status" | "status_detail" | "activated" | "bound" | "expires_at_ms"> &
  Pick<DeviceRow, "contacted_at_ms">;
export type SilentRow = Pick<DeviceRow, "no" | "status" | "status_detail"> & {
  /** What silence is counted from unless something newer is known; for rows older than the column: the last change. */
  contact_ms: number;
};
type Credentials = Pick<
  DeviceRow,
  "no" | "node_id" | "verify_key" | "status" | "status_detail" | "expires_at_ms" | "modified_at_ms"
>;
type CountRow = { status: DeviceStatus; devices: number; frozen: number; non_secure: number };

/** Plain statements; what they mean together is decided by whoever calls them inside a transaction. */
export function deviceRepository(db: Database) {
  const insert = db.query<null, DeviceRow>(
    `INSERT INTO device (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map((column) => `$${column}`).join(", ")})`,
  );
  const byNo = db.query<ReadRow, [number]>(`${SELECT_DEVICE} WHERE device.no = ?`);
  const byId = db.query<ReadRow, [string]>(`${SELECT_DEVICE} WHERE device.id = ?`);
  const byNodeId = db.query<ReadRow, [string]>(`${SELECT_DEVICE} WHERE device.node_id = ?`);
  const behind = db.query<ReadRow, [number, number]>(
    `${SELECT_DEVICE} WHERE device.gateway_no = ? ORDER BY device.created_at_ms, device.no LIMIT ?`,
  );
  const countBehind = db.query<{ devices: number }, [number]>(
    "SELECT devices FROM sub_device_count WHERE gateway_no = ?",
  );
  const numberOfId = db.query<{ no: number }, [string]>("SELECT no FROM device WHERE id = ?");
  const numberOfNodeId = db.query<{ no: number }, [string]>("SELECT no FROM device WHERE node_id = ?");
  const numberOfVerifyKey = db.query<{ no: number }, [Uint8Array]>("SELECT no FROM device WHERE verify_key = ?");
  const loginById = db.query<LoginRow, [string]>("SELECT no, id, node_id, app_no, secret FROM device WHERE id = ?");
  const loginByNodeId = db.query<LoginRow, [string]>(
    "SELECT no, id, node_id, app_no, secret FROM device WHERE node_id = ?",
  );
  // No join: SQLite plans those anew for each value that is bound, which costs five times the look-up.
  const byEndpoint = db.query<EndpointRow, [string]>(
    `SELECT no, id, node_id, app_no, is_secure, muted,
       (SELECT protocol_type FROM product WHERE product.no = device.product_no) AS protocol_type
     FROM device WHERE node_id = ?`,
  );
  const psk = db.query<{ psk: Uint8Array }, [number]>("SELECT psk FROM device WHERE no = ?");
  const live = db.query<LiveRow, [number]>(
    `SELECT no, id, app_no, product_no, node_id, gateway_no, muted, is_secure, status, bound,
       (SELECT id FROM device AS gateway WHERE gateway.no = device.gateway_no) AS gateway_id
     FROM device WHERE no = ?`,
  );
  const edit = db.query<null, Editable & { no: number }>(
    `UPDATE device SET product_no = $product_no, node_type = $node_type, device_type = $device_type,
       name_key = $name_key, location_key = $location_key, info = $info, muted = $muted, is_secure = $is_secure,
       tags = $tags, custom_fields = $custom_fields, muted_commands = $muted_commands,
       data_aging_days = $data_aging_days, modified_at_ms = $modified_at_ms
     WHERE no = $no`,
  );
  const setInfo = db.query<null, [string, number, number]>(
    "UPDATE device SET info = ?, modified_at_ms = ? WHERE no = ?",
  );
  const setPresence = db.query<null, PresenceRow>(
    `UPDATE device SET status = $status, status_detail = $status_detail, activated = $activated, bound = $bound,
       expires_at_ms = $expires_at_ms, contacted_at_ms = $contacted_at_ms
     WHERE no = $no`,
  );
  const setCredentials = db.query<null, Credentials>(
    `UPDATE device SET node_id = $node_id, verify_key = $verify_key, status = $status,
       status_detail = $status_detail, bound = 0, expires_at_ms = $expires_at_ms, modified_at_ms = $modified_at_ms
     WHERE no = $no`,
  );
  const setSecret = db.query<null, [Uint8Array, number]>("UPDATE device SET secret = ? WHERE no = ?");
  const setPsk = db.query<null, [Uint8Array, number]>("UPDATE device SET psk = ? WHERE no = ?");
  const setGateway = db.query<null, [number, number]>("UPDATE device SET gateway_no = ? WHERE no = ?");
  const setNodeType = db.query<null, [string, number]>("UPDATE device SET node_type = ? WHERE no = ?");
  const remove = db.query<null, [number]>("DELETE FROM device WHERE no = ?");
  const addPurge = db.query<null, [number]>("INSERT INTO device_purge VALUES (?)");
  const selectPurges = db.query<{ device_no: number }, [number]>(
    "SELECT device_no FROM device_purge ORDER BY device_no LIMIT ?",
  );
  const removePurge = db.query<null, [number]>("DELETE FROM device_purge WHERE device_no = ?");
  const selectExpired = db.query<{ no: number }, [number, number]>(
    "SELECT no FROM device INDEXED BY device_expiring WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?",
  );
  const selectOnline = db.query<{ no: number }, []>(
    `SELECT device.no FROM device INDEXED BY device_online LEFT JOIN product ON product.no = device.product_no
     WHERE device.status = 'ONLINE' AND device.gateway_no = device.no
       AND (product.protocol_type IS NULL OR product.protocol_type = 'MQTT')`,
  );
  const selectSilentProducts = db.query<{ no: number }, []>(
    "SELECT no FROM product WHERE protocol_type IN ('CoAP', 'LWM2M') ORDER BY no",
  );
  const selectSilent = db.query<SilentRow, [number, string, number, number]>(
    `SELECT no, status, status_detail, COALESCE(contacted_at_ms, modified_at_ms) AS contact_ms
     FROM device INDEXED BY device_by_silence
     WHERE product_no = ? AND status = ? AND no > ? AND bound = 1 AND gateway_no = no ORDER BY no LIMIT ?`,
  );
  const selectCounts = db.query<CountRow, [number]>(
    "SELECT status, devices, frozen, non_secure FROM device_count WHERE app_no = ?",
  );
  const selectAging = db.query<{ deviceNo: number; days: number }, [number, number]>(
    `SELECT no AS deviceNo, data_aging_days AS days FROM device INDEXED BY device_aging
     WHERE no > ? AND data_aging_days > 0 ORDER BY no LIMIT ?`,
  );
  const anyOf = db.query<{ no: number }, [number]>("SELECT no FROM device WHERE app_no = ? LIMIT 1");
  // Given numbers keep the sequence up to date, and a rolled back one is simply skipped.
  let lastNo = db.query<{ seq: number }, []>("SELECT seq FROM sqlite_sequence WHERE name = 'device'").get()?.seq ?? 0;

  return {
    /** Before the row exists, so that its secrets can be sealed for it. */
    nextNo: () => ++lastNo,
    insert: (row: DeviceRow) => void insert.run(row),
    findByNo: (no: number) => byNo.get(no) ?? undefined,
    findById: (id: string) => byId.get(id) ?? undefined,
    findByNodeId: (nodeId: string) => byNodeId.get(nodeId) ?? undefined,
    /** The gateway itself and what is behind it. */
    behind: (gatewayNo: number, limit: number) => behind.all(gatewayNo, limit),
    /** Without the gateway itself. */
    countBehind: (gatewayNo: number) => countBehind.get(gatewayNo)?.devices ?? 0,
    numberOfId: (id: string) => numberOfId.get(id)?.no,
    numberOfNodeId: (nodeId: string) => numberOfNodeId.get(nodeId)?.no,
    numberOfVerifyKey: (key: Uint8Array) => numberOfVerifyKey.get(key)?.no,
    loginById: (id: string) => loginById.get(id) ?? undefined,
    loginByNodeId: (nodeId: string) => loginByNodeId.get(nodeId) ?? undefined,
    byEndpoint: (nodeId: string) => byEndpoint.get(nodeId) ?? undefined,
    psk: (no: number) => psk.get(no)?.psk,
    live: (no: number) => live.get(no) ?? undefined,
    /** JSON; nothing of it that has a column of its own. */
    setInfo: (no: number, info: string, modifiedAt: number) => void setInfo.run(info, modifiedAt, no),
    edit: (row: Editable & { no: number }) => void edit.run(row),
    setPresence: (row: PresenceRow) => void setPresence.run(row),
    setCredentials: (row: Credentials) => void setCredentials.run(row),
    setSecret: (no: number, sealed: Uint8Array) => void setSecret.run(sealed, no),
    setPsk: (no: number, sealed: Uint8Array) => void setPsk.run(sealed, no),
    setGateway: (no: number, gatewayNo: number) => void setGateway.run(gatewayNo, no),
    setNodeType: (no: number, nodeType: NodeType) => void setNodeType.run(nodeType, no),
    /** Leaves a note for telemetry to purge what it has of the device. */
    remove(no: number): void {
      remove.run(no);
      addPurge.run(no);
    },
    agingOverrides: (afterNo: number, limit: number) => selectAging.all(afterNo, limit),
    purges: (limit: number) => selectPurges.all(limit).map((row) => row.device_no),
    removePurge: (no: number) => void removePurge.run(no),
    expired: (nowMs: number, limit: number) => selectExpired.all(nowMs, limit).map(({ no }) => no),
    /** ONLINE by a connection of their own. */
    onlineByConnection: () => selectOnline.all().map(({ no }) => no),
    /** Products whose devices have no long connection. */
    productsWithoutConnection: () => selectSilentProducts.all().map(({ no }) => no),
    /** Bound, directly connected devices of a product that are in this status, in the order of their numbers. */
    inStatus: (productNo: number, status: DeviceStatus, afterNo: number, limit: number) =>
      selectSilent.all(productNo, status, afterNo, limit),
    counts: (appNo: number) => selectCounts.all(appNo),
    hasAny: (appNo: number) => anyOf.get(appNo) !== null,
  };
}
export type DeviceRepository = ReturnType<typeof deviceRepository>;
