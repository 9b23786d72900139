import type { Database } from "bun:sqlite";

/** What a device last said about one service. */
export type ReportedService = {
  readonly serviceId: string;
  readonly reported: Readonly<Record<string, unknown>>;
  /** The newest time of any property, ms. */
  readonly eventTimeMs: number;
  /** Times of the properties that were reported earlier than that; all others are of `eventTimeMs`. */
  readonly olderTimesMs: Readonly<Record<string, number>>;
};

export interface ReportedShadow {
  /** In the order of service ids; empty when the device never reported. */
  of(deviceNo: number): ReportedService[];
  /** For lists: one query for a whole page. Devices without data have no entry. */
  ofMany(deviceNos: readonly number[]): ReadonlyMap<number, readonly ReportedService[]>;
}

type Row = { device_no: number; service_id: string; reported: string; event_ms: number; times: string | null };

/** The committed truth: what `telemetry` has written with the history (platform.md 9). */
export function reportedShadow(reads: Database): ReportedShadow {
  const select = reads.query<Row, [string]>(
    `SELECT device_no, service_id, reported, event_ms, times FROM shadow
     WHERE device_no IN (SELECT value FROM json_each(?)) ORDER BY device_no, service_id`,
  );

  // The plus: SQLite plans a statement with ORDER BY anew for each value that it can see, which costs twice the look-up.
  const selectOne = reads.query<Row, [number]>(
    `SELECT device_no, service_id, reported, event_ms, times FROM shadow WHERE device_no = +? ORDER BY service_id`,
  );

  function ofMany(deviceNos: readonly number[]): Map<number, ReportedService[]> {
    const found = new Map<number, ReportedService[]>();
    for (const row of select.all(JSON.stringify(deviceNos))) {
      const services = found.get(row.device_no) ?? [];
      if (services.length === 0) found.set(row.device_no, services);
      services.push(fromRow(row));
    }
    return found;
  }
  return { ofMany, of: (deviceNo) => selectOne.all(deviceNo).map(fromRow) };
}

const fromRow = ({ service_id, reported, event_ms, times }: Row): ReportedService => ({
  serviceId: service_id,
  reported: JSON.parse(reported),
  eventTimeMs: event_ms,
  olderTimesMs: times === null ? {} : JSON.parse(times),
});
