import type { Database } from "bun:sqlite";
import type { StorageWriter } from "../../platform/storage/storage-writer";
import { type OpenBlock, parseBlock } from "./history-block";

/** A committed block that is not in `history_block` yet. */
export type RecentBlock = { readonly no: number; readonly storedMs: number; readonly block: OpenBlock };

/**
 * What is in `history_recent`, by device: the table has no index, because an index entry for each commit of each device
 * would cost a page of the write-ahead log. Holds what is on disk only.
 */
export interface RecentBlocks {
  /** The number of the next block. */
  takeNo(): number;
  /** They are on disk; in the order of their numbers. */
  add(blocks: readonly RecentBlock[]): void;
  /** The newest number on disk. */
  readonly lastNo: number;
  /** The oldest of them; undefined when there is none. */
  readonly firstNo: number | undefined;
  readonly size: number;
  readonly chars: number;
  /** When the oldest was stored; undefined when there is none. */
  readonly oldestMs: number | undefined;
  /** Oldest first. */
  of(deviceNo: number): readonly RecentBlock[];
  find(no: number): RecentBlock | undefined;
  devices(): number[];
  /** Those of the device up to `uptoNo` are in `history_block` now. */
  moved(deviceNo: number, uptoNo: number): void;
  /** The lowest number that was given to a block of `history_block` since the last call; Infinity: none. */
  takeLowestMoved(): number;
  /** Readers see one place of every block, however many turns they take: nothing moves meanwhile. */
  reading<T>(run: () => Promise<T>): Promise<T>;
  /** Waits for the readers, and lets later ones wait. */
  moving<T>(run: () => Promise<T>): Promise<T>;
}

/** Clears away what a crash left half moved, then knows what is there. Before the first report. */
export async function openRecentBlocks(reads: Database, writer: StorageWriter): Promise<RecentBlocks> {
  const upto = reads.query<{ no: number }, []>("SELECT upto_no AS no FROM history_moved").get()?.no ?? 0;
  await writer.commit([
    { sql: "DELETE FROM history_block WHERE no IN (SELECT no FROM history_recent WHERE no > ?)", columns: [[upto]] },
    { sql: "DELETE FROM history_recent WHERE no <= ?", columns: [[upto]] },
  ]);
  return recentBlocks(reads);
}

type Row = { no: number; device_no: number; stored_ms: number; records: string };

/** From the table as it is. */
export function recentBlocks(reads: Database): RecentBlocks {
  const byDevice = new Map<number, RecentBlock[]>();
  const byNo = new Map<number, RecentBlock>(); // in the order of storing
  const newest = reads.query<{ no: number | null }, []>("SELECT MAX(no) AS no FROM history_block").get()?.no ?? 0;
  const upto = reads.query<{ no: number }, []>("SELECT upto_no AS no FROM history_moved").get()?.no ?? 0;
  let chars = 0;
  let lastNo = Math.max(newest, upto);
  let lowestMoved = Number.POSITIVE_INFINITY;
  let readers = 0;
  let lastReaderGone = () => {};
  let move: Promise<void> | undefined;

  function add(blocks: readonly RecentBlock[]): void {
    for (const it of blocks) {
      byNo.set(it.no, it);
      const own = byDevice.get(it.block.deviceNo);
      if (own) own.push(it);
      else byDevice.set(it.block.deviceNo, [it]);
      chars += it.block.data.length;
      lastNo = Math.max(lastNo, it.no);
    }
  }
  const stored = reads.query<Row, []>("SELECT no, device_no, stored_ms, records FROM history_recent ORDER BY no").all();
  add(stored.map((row) => ({ no: row.no, storedMs: row.stored_ms, block: parseBlock(row.device_no, row.records) })));
  let givenNo = lastNo;

  return {
    takeNo: () => ++givenNo,
    add,
    get lastNo() {
      return lastNo;
    },
    get firstNo() {
      for (const no of byNo.keys()) return no;
      return undefined;
    },
    get size() {
      return byNo.size;
    },
    get chars() {
      return chars;
    },
    get oldestMs() {
      for (const { storedMs } of byNo.values()) return storedMs;
      return undefined;
    },
    of: (deviceNo) => byDevice.get(deviceNo) ?? [],
    find: (no) => byNo.get(no),
    devices: () => [...byDevice.keys()],
    moved(deviceNo, uptoNo) {
      const own = byDevice.get(deviceNo) ?? [];
      const rest = own.filter(({ no }) => no > uptoNo);
      for (const { no, block } of own) {
        if (no > uptoNo) continue;
        byNo.delete(no);
        chars -= block.data.length;
        lowestMoved = Math.min(lowestMoved, no);
      }
      if (rest.length > 0) byDevice.set(deviceNo, rest);
      else byDevice.delete(deviceNo);
    },
    takeLowestMoved() {
      const lowest = lowestMoved;
      lowestMoved = Number.POSITIVE_INFINITY;
      return lowest;
    },

    async reading(run) {
      while (move) await move;
      readers++;
      try {
        return await run();
      } finally {
        if (--readers === 0) lastReaderGone();
      }
    },
    async moving(run) {
      while (move) await move;
      const { promise, resolve } = Promise.withResolvers<void>();
      move = promise;
      try {
        if (readers > 0)
          await new Promise<void>((gone) => {
            lastReaderGone = gone;
          });
        return await run();
      } finally {
        move = undefined;
        resolve();
      }
    },
  };
}
