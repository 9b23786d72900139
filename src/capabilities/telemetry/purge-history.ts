import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { PurgeStep, PurgeTask } from "./purge";
import type { RecentBlocks } from "./recent-blocks";
import type { PurgeSettings } from "./settings";

const DAY_MS = 86_400_000;
const OVERRIDES_AT_ONCE = 2_000;
const SEARCH: PurgeStep = { steps: [], rows: 0 };

/** Port: devices whose history has a time of its own. Implemented by `devices`, joined in `app`. */
export interface AgingOverrides {
  /** Devices with `dataAgingDays` of 1 or more (0 means the platform's time), in the order of their numbers. */
  agingOverrides(afterNo: number, limit: number): readonly { readonly deviceNo: number; readonly days: number }[];
}

type Options = {
  reads: Database;
  clock: Clock;
  overrides: AgingOverrides;
  recents: Pick<RecentBlocks, "takeLowestMoved">;
  settings: Pick<PurgeSettings, "historyKeepMs" | "agingIntervalMs">;
};

/** History by its age: a sweep in the order of storing, and one device after the other for those with their own time. */
export function historyPurge({ reads, clock, overrides, recents, settings }: Options): PurgeTask {
  const selectOldest = reads.query<Row & { device_no: number; stored_ms: number }, [number, number]>(
    "SELECT no, device_no, stored_ms, count FROM history_block WHERE no > ? ORDER BY no LIMIT ?",
  );
  // By the time of the data, which the index knows; but what came in late was stored later, and is kept from then on.
  const selectAged = reads.query<Row, [number, number, number, number]>(
    "SELECT no, count FROM history_block WHERE device_no = ?1 AND max_ms < ?2 AND stored_ms < ?3 LIMIT ?4",
  );
  let sweptNo = 0; // blocks before it are of devices with their own time
  let agedAt = Number.MIN_SAFE_INTEGER;

  return {
    name: "history",
    *round(maxRows) {
      const now = clock.now();
      const isAgingDue = now - agedAt >= settings.agingIntervalMs;
      const daysOf = new Map<number, number>();
      for (let afterNo = 0; ; ) {
        const page = overrides.agingOverrides(afterNo, OVERRIDES_AT_ONCE);
        for (const { deviceNo, days } of page) daysOf.set(deviceNo, days);
        if (page.length < OVERRIDES_AT_ONCE) break;
        afterNo = page.at(-1)?.deviceNo ?? afterNo;
        yield SEARCH;
      }
      if (isAgingDue) sweptNo = 0; // devices may have lost their own time
      sweptNo = Math.min(sweptNo, recents.takeLowestMoved() - 1); // moved blocks may stand before it
      yield* sweep(now, daysOf, maxRows);
      if (!isAgingDue) return;
      for (const [deviceNo, days] of daysOf) yield* ageOne(deviceNo, now - days * DAY_MS, maxRows);
      agedAt = now;
    },
  };

  function* sweep(now: number, daysOf: ReadonlyMap<number, number>, maxRows: () => number): Generator<PurgeStep> {
    const before = now - settings.historyKeepMs;
    for (;;) {
      const limit = maxRows();
      const rows = selectOldest.all(sweptNo, limit);
      // Blocks of a time when the clock was ahead stay where they are and must not end the sweep.
      const young = rows.findIndex(({ stored_ms }) => stored_ms >= before && stored_ms <= now);
      const old = young < 0 ? rows : rows.slice(0, young);
      yield deleteRuns(old.map((row) => (row.stored_ms > now || daysOf.has(row.device_no) ? undefined : row)));
      sweptNo = old.at(-1)?.no ?? sweptNo; // after the step was written: a failed one is tried again
      if (old.length < limit) return;
    }
  }

  function* ageOne(deviceNo: number, before: number, maxRows: () => number): Generator<PurgeStep> {
    for (;;) {
      const limit = maxRows();
      const rows = selectAged.all(deviceNo, before, before, limit);
      yield rows.length === 0 ? SEARCH : deleteBlocks(rows);
      if (rows.length < limit) return;
    }
  }
}

type Row = { readonly no: number; readonly count: number };

/** Neighbours in the table go with one statement: `undefined` is a block between them that stays. */
function deleteRuns(rows: readonly (Row | undefined)[]): PurgeStep {
  const from: number[] = [];
  const to: number[] = [];
  let records = 0;
  for (const [index, row] of rows.entries()) {
    if (!row) continue;
    if (rows[index - 1]) to[to.length - 1] = row.no;
    else {
      from.push(row.no);
      to.push(row.no);
    }
    records += row.count;
  }
  if (from.length === 0) return SEARCH;
  return {
    steps: [{ sql: "DELETE FROM history_block WHERE no BETWEEN ? AND ?", columns: [from, to] }],
    rows: records,
  };
}

export const deleteBlocks = (rows: readonly Row[]): PurgeStep => ({
  steps: [{ sql: "DELETE FROM history_block WHERE no = ?", columns: [rows.map(({ no }) => no)] }],
  rows: rows.reduce((total, { count }) => total + count, 0),
});
