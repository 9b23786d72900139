import type { Database } from "bun:sqlite";
import type { DesiredHistoryQuery, DesiredProperty, DesiredRecord, DesiredService, Values } from "./desired";
import { isOpen } from "./desired-delivery";

type ServiceRow = { service_id: string; properties: string };
type HistoryRow = { device_no: number; service_id: string; desired: string; set_at_ms: number };
type Filter = {
  deviceNos: string;
  serviceId: string | null;
  property: string | null;
  fromMs: number | null;
  toMs: number | null;
};

export type Properties = ReadonlyMap<string, DesiredProperty>;

/** Plain statements; transactions belong to the service. */
export function desiredRepository(db: Database) {
  const select = db.query<ServiceRow, [number, string]>(
    "SELECT service_id, properties FROM desired_service WHERE device_no = ? AND service_id = ?",
  );
  const selectAll = db.query<ServiceRow, [number]>(
    "SELECT service_id, properties FROM desired_service WHERE device_no = +? ORDER BY service_id",
  );
  const selectOpen = db.query<ServiceRow, [number]>(
    "SELECT service_id, properties FROM desired_service WHERE device_no = +? AND open = 1 ORDER BY service_id",
  );
  const selectAnyOpen = db.query<{ one: number }, [number]>(
    "SELECT 1 AS one FROM desired_service INDEXED BY desired_service_open WHERE device_no = ? AND open = 1 LIMIT 1",
  );
  const selectOpenDevices = db.query<{ device_no: number }, []>(
    "SELECT DISTINCT device_no FROM desired_service INDEXED BY desired_service_open WHERE open = 1",
  );
  const save = db.query<null, [number, string, string, number]>(
    `INSERT INTO desired_service (device_no, service_id, properties, open) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET properties = excluded.properties, open = excluded.open`,
  );
  const remove = db.query<null, [number]>("DELETE FROM desired_service WHERE device_no = ?");

  const addHistory = db.query<null, [number, string, string, number]>(
    "INSERT INTO desired_history (device_no, service_id, desired, set_at_ms) VALUES (?, ?, ?, ?)",
  );
  const trimHistory = db.query<null, [number, number, number]>(
    `DELETE FROM desired_history WHERE device_no = ? AND no <= (
       SELECT no FROM desired_history WHERE device_no = ? ORDER BY no DESC LIMIT 1 OFFSET ?)`,
  );
  const removeHistory = db.query<null, [number]>("DELETE FROM desired_history WHERE device_no = ?");
  const purgeHistory = db.query<null, [number, number]>(
    `DELETE FROM desired_history WHERE no IN (
       SELECT no FROM desired_history INDEXED BY desired_history_by_age WHERE set_at_ms < ? LIMIT ?)`,
  );
  const matching = `FROM desired_history INDEXED BY desired_history_of_device
    WHERE device_no IN (SELECT value FROM json_each($deviceNos))
      AND ($serviceId IS NULL OR service_id = $serviceId)
      AND ($fromMs IS NULL OR set_at_ms >= $fromMs) AND ($toMs IS NULL OR set_at_ms <= $toMs)
      AND ($property IS NULL OR EXISTS (SELECT 1 FROM json_each(desired) WHERE key = $property))`;
  const count = db.query<{ total: number }, Filter>(`SELECT COUNT(*) AS total ${matching}`);
  const page = db.query<HistoryRow, Filter & { limit: number; offset: number }>(
    `SELECT device_no, service_id, desired, set_at_ms ${matching} ORDER BY no DESC LIMIT $limit OFFSET $offset`,
  );

  return {
    /** Empty when nothing was ever wanted of the service. */
    find(deviceNo: number, serviceId: string): Properties {
      const row = select.get(deviceNo, serviceId);
      return row ? parse(row) : new Map();
    },
    of: (deviceNo: number) => selectAll.all(deviceNo).map(toService),
    /** Services of which something waits or is being sent. */
    openOf: (deviceNo: number) =>
      selectOpen.all(deviceNo).map((row) => ({ serviceId: row.service_id, properties: parse(row) })),
    hasOpen: (deviceNo: number) => selectAnyOpen.get(deviceNo) !== null,
    openDevices: () => selectOpenDevices.all().map(({ device_no }) => device_no),
    save(deviceNo: number, serviceId: string, properties: Properties): void {
      const open = [...properties.values()].some(({ delivery }) => isOpen(delivery));
      save.run(deviceNo, serviceId, JSON.stringify(Object.fromEntries(properties)), Number(open));
    },

    /** Keeps the newest `limit` of the device. */
    addHistory({ deviceNo, serviceId, desired, setAtMs }: DesiredRecord, limit: number): void {
      addHistory.run(deviceNo, serviceId, JSON.stringify(desired), setAtMs);
      trimHistory.run(deviceNo, deviceNo, limit);
    },
    history(query: DesiredHistoryQuery): { items: DesiredRecord[]; total: number } {
      const filter: Filter = {
        deviceNos: JSON.stringify(query.deviceNos),
        serviceId: query.serviceId ?? null,
        property: query.property ?? null,
        fromMs: query.fromMs ?? null,
        toMs: query.toMs ?? null,
      };
      const rows = page.all({ ...filter, limit: query.pageSize, offset: query.page * query.pageSize });
      return { items: rows.map(toRecord), total: count.get(filter)?.total ?? 0 };
    },
    /** Gives how many were deleted, at most `limit`. */
    purgeHistory: (beforeMs: number, limit: number) => purgeHistory.run(beforeMs, limit).changes,

    removeOfDevice(deviceNo: number): void {
      remove.run(deviceNo);
      removeHistory.run(deviceNo);
    },
  };
}
export type DesiredRepository = ReturnType<typeof desiredRepository>;

const parse = ({ properties }: ServiceRow): Properties => new Map(Object.entries(JSON.parse(properties)));

function toService(row: ServiceRow): DesiredService {
  const properties = parse(row);
  return {
    serviceId: row.service_id,
    properties: Object.fromEntries(properties),
    setAtMs: Math.max(...[...properties.values()].map(({ setAtMs }) => setAtMs)),
  };
}

const toRecord = (row: HistoryRow): DesiredRecord => ({
  deviceNo: row.device_no,
  serviceId: row.service_id,
  desired: JSON.parse(row.desired) as Values,
  setAtMs: row.set_at_ms,
});
