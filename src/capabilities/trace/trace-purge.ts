import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { PurgeTask } from "../telemetry/purge";
import type { TraceSettings } from "./settings";

type Options = { reads: Database; clock: Clock; settings: Pick<TraceSettings, "traceKeepMs" | "maxTraces"> };

/** Entries that are too old, and the oldest when there are too many. */
export function tracePurge({ reads, clock, settings }: Options): PurgeTask {
  const selectNewest = reads.query<{ no: number | null }, []>("SELECT MAX(no) AS no FROM trace");
  const selectOldest = reads.query<{ no: number; at_ms: number }, [number]>(
    "SELECT no, at_ms FROM trace ORDER BY no LIMIT ?",
  );
  return {
    name: "traces",
    *round(maxRows) {
      const before = clock.now() - settings.traceKeepMs;
      const lowest = (selectNewest.get()?.no ?? 0) - settings.maxTraces;
      for (;;) {
        const limit = maxRows();
        const rows = selectOldest.all(limit);
        const kept = rows.findIndex(({ no, at_ms }) => at_ms >= before && no > lowest);
        const old = kept < 0 ? rows : rows.slice(0, kept);
        const last = old.at(-1);
        if (last) yield { steps: [{ sql: "DELETE FROM trace WHERE no <= ?", columns: [[last.no]] }], rows: old.length };
        if (old.length < limit) return;
      }
    },
  };
}
