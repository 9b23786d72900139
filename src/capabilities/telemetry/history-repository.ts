import type { Database } from "bun:sqlite";
import { decodeBlock, renderBlock } from "./history-block";
import { type BlockHead, isNewer, type TimeRange } from "./history-merge";
import type { RecentBlock, RecentBlocks } from "./recent-blocks";

type HeadRow = { no: number; min_ms: number; max_ms: number; count: number };
type Position = { readonly maxMs: number; readonly no: number };

/**
 * Reads of the history in telemetry.db. Every walk goes from late to early along the index, without reading a block.
 * `(max_ms, no) < (?, ?)` would walk over all blocks of an equal time again and again (SQLite uses its first half only),
 * and devices with a constant event time exist: so each walk asks for the rest of that time first, then for what is older.
 * A plus before what is bound: SQLite plans a statement with ORDER BY anew for each value that it can see while it
 * plans, which costs three times the look-up.
 * Recent blocks, which have no index, come from memory. To be used inside `recents.reading`.
 */
export function historyRepository(reads: Database, recents: RecentBlocks) {
  const HEADS = `SELECT no, min_ms, max_ms, count FROM history_block
    WHERE min_ms <= +?5 AND no <= +?6 AND device_no = +?1 AND`;
  const selectTiedHeads = reads.query<HeadRow, [number, number, number, number, number, number]>(
    `${HEADS} max_ms = +?2 AND no < +?3 ORDER BY no DESC LIMIT (?4 + 0)`,
  );
  const selectOlderHeads = reads.query<HeadRow, [number, number, number, number, number, number]>(
    `${HEADS} max_ms < +?2 AND max_ms >= +?3 ORDER BY max_ms DESC, no DESC LIMIT (?4 + 0)`,
  );
  // The block that ends a chunk, so that a sum over millions of blocks can be had in pieces.
  const selectTiedEnd = reads.query<{ no: number }, [number, number, number, number]>(
    `SELECT no FROM history_block WHERE device_no = +?1 AND max_ms = +?2 AND no < +?3 ORDER BY no DESC LIMIT 1 OFFSET ?4`,
  );
  const selectOlderEnd = reads.query<{ no: number; max_ms: number }, [number, number, number, number]>(
    `SELECT no, max_ms FROM history_block WHERE device_no = +?1 AND max_ms < +?2 AND max_ms >= +?3
     ORDER BY max_ms DESC, no DESC LIMIT 1 OFFSET ?4`,
  );
  const SUM = "SELECT IFNULL(SUM(count), 0) AS records, COUNT(*) AS blocks FROM history_block WHERE device_no = ?1 AND";
  type Sum = { records: number; blocks: number };
  const selectTiedSum = reads.query<Sum, [number, number, number, number, number]>(
    `${SUM} max_ms = ?2 AND no >= ?3 AND no < ?4 AND no <= ?5`,
  );
  const selectSum = reads.query<Sum, [number, number, number, number]>(
    `${SUM} max_ms > ?2 AND max_ms < ?3 AND no <= ?4`,
  );
  const selectRecords = reads.query<{ records: string }, [number]>("SELECT records FROM history_block WHERE no = ?");
  const selectNewest = reads.query<{ no: number | null }, []>("SELECT MAX(no) AS no FROM history_block");

  return {
    /** Blocks stored later do not exist for a reader that says so: pages stay stable while reports come in. */
    newestNo: (): number => Math.max(recents.lastNo, selectNewest.get()?.no ?? 0),

    /** At most `limit` heads before `before`, with `max_ms >= fromMs` and `min_ms <= startedMs`. */
    heads(
      deviceNo: number,
      fromMs: number,
      before: Position,
      startedMs: number,
      newestNo: number,
      limit: number,
    ): BlockHead[] {
      if (before.maxMs < fromMs) return [];
      const rows = mayTie(before)
        ? selectTiedHeads.all(deviceNo, before.maxMs, before.no, limit, startedMs, newestNo)
        : [];
      if (rows.length < limit)
        rows.push(...selectOlderHeads.all(deviceNo, before.maxMs, fromMs, limit - rows.length, startedMs, newestNo));
      const stored = rows.map(({ no, min_ms, max_ms, count }) => ({
        no,
        deviceNo,
        minMs: min_ms,
        maxMs: max_ms,
        count,
      }));
      const recent = recents
        .of(deviceNo)
        .map(toHead)
        .filter(
          ({ no, minMs, maxMs }) =>
            maxMs >= fromMs && minMs <= startedMs && no <= newestNo && isNewer(before.maxMs, before.no, maxMs, no),
        );
      if (recent.length === 0) return stored;
      return [...stored, ...recent].sort((a, b) => (isNewer(a.maxMs, a.no, b.maxMs, b.no) ? -1 : 1)).slice(0, limit);
    },

    /** Sum of the counts of recent blocks that end inside the range. */
    sumRecent: (deviceNo: number, { fromMs, toMs }: TimeRange, newestNo: number): number =>
      recents.of(deviceNo).reduce((sum, { no, block }) => {
        const isCounted = no <= newestNo && block.maxMs >= fromMs && block.maxMs <= toMs;
        return isCounted ? sum + block.count : sum;
      }, 0),

    /** Sum of the counts of the next blocks before `before`, about `size` of them; `next` is undefined after the last. */
    sumChunk(deviceNo: number, fromMs: number, before: Position, newestNo: number, size: number) {
      const { maxMs, no } = before;
      const tiedEnd = mayTie(before) ? selectTiedEnd.get(deviceNo, maxMs, no, size - 1) : undefined;
      if (tiedEnd) {
        const sum = selectTiedSum.get(deviceNo, maxMs, tiedEnd.no, no, newestNo);
        return { ...(sum as Sum), next: { maxMs, no: tiedEnd.no } };
      }
      const end = selectOlderEnd.get(deviceNo, maxMs, fromMs, size - 1);
      const sums = [
        mayTie(before) ? selectTiedSum.get(deviceNo, maxMs, 0, no, newestNo) : null,
        selectSum.get(deviceNo, end ? end.max_ms : fromMs - 1, maxMs, newestNo),
        end ? selectTiedSum.get(deviceNo, end.max_ms, end.no, Number.MAX_SAFE_INTEGER, newestNo) : null,
      ];
      return {
        records: sums.reduce((total, sum) => total + (sum?.records ?? 0), 0),
        blocks: sums.reduce((total, sum) => total + (sum?.blocks ?? 0), 0),
        next: end ? { maxMs: end.max_ms, no: end.no } : undefined,
      };
    },

    read(no: number) {
      const recent = recents.find(no);
      const text = recent ? renderBlock(recent.block) : selectRecords.get(no)?.records;
      return text === undefined ? undefined : { records: decodeBlock(text), chars: text.length };
    },
  };
}

/** No time is as late as the one that stands for an open end: three look-ups less for most queries. */
const mayTie = ({ maxMs }: Position) => maxMs < Number.MAX_SAFE_INTEGER;

const toHead = ({ no, block }: RecentBlock): BlockHead => ({
  no,
  deviceNo: block.deviceNo,
  minMs: block.minMs,
  maxMs: block.maxMs,
  count: block.count,
});
export type HistoryRepository = ReturnType<typeof historyRepository>;
