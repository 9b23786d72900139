import type { Database } from "bun:sqlite";

export interface LastSeen {
  /** When the device last reported, ms; undefined: never (as far as is kept). */
  of(deviceNo: number): number | undefined;
  ofMany(deviceNos: readonly number[]): ReadonlyMap<number, number>;
}

/** From memory where the device is in use, else from telemetry.db, which may be `lastSeenStepMs` behind after a crash. */
export function lastSeen(reads: Database, seenInMemory: (deviceNo: number) => number | undefined): LastSeen {
  const select = reads.query<{ device_no: number; seen_ms: number }, [string]>(
    "SELECT device_no, seen_ms FROM device_seen WHERE device_no IN (SELECT value FROM json_each(?))",
  );
  function ofMany(deviceNos: readonly number[]): Map<number, number> {
    const seen = new Map(
      select.all(JSON.stringify(deviceNos)).map(({ device_no, seen_ms }): [number, number] => [device_no, seen_ms]),
    );
    for (const no of deviceNos) {
      const inMemory = seenInMemory(no);
      if (inMemory !== undefined && inMemory > (seen.get(no) ?? Number.MIN_SAFE_INTEGER)) seen.set(no, inMemory);
    }
    return seen;
  }
  return { ofMany, of: (deviceNo) => ofMany([deviceNo]).get(deviceNo) };
}
