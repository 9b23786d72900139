import type { Database } from "bun:sqlite";
import { DomainError } from "../../platform/domain-error";
import { type HistoryEntry, type TimeRange, takePage } from "./history-merge";
import { type HistoryRepository, historyRepository } from "./history-repository";
import { blockSource, spanEnd } from "./history-source";
import type { RecentBlocks } from "./recent-blocks";
import type { HistorySettings } from "./settings";

const CHUNK_BLOCKS = 10_000; // summed at once in SQL: about half a millisecond
const START = Number.MIN_SAFE_INTEGER;
const END = Number.MAX_SAFE_INTEGER;

export type HistoryQuery = {
  /** One device, or a gateway and all devices behind it. */
  readonly deviceNos: readonly number[];
  /** Both ends belong to it; undefined: open. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly page: number; // 0 is the first
  readonly pageSize: number;
};

export interface History {
  /**
   * Newest first by the time that counts for a record, with the exact total. Throws INPUT_INVALID (page, pageSize) and
   * RESULT_TOO_LARGE. Lets the event loop have its turns; the page and its total see the same blocks.
   */
  page(query: HistoryQuery): Promise<{ items: HistoryEntry[]; total: number }>;
}

type Options = {
  reads: Database;
  recents: RecentBlocks;
  settings: HistorySettings;
  schedule?: (run: () => void) => void;
};

/** spec 1.6.3. Work is proportional to the blocks in range, 0.1 µs each to count and 1 µs to skip, plus the page itself. */
export function createHistory({ reads, recents, settings, schedule = setImmediate }: Options): History {
  const repository = historyRepository(reads, recents);
  const { unitsPerTurn, maxPageSize, maxPageChars } = settings;

  /** Runs the work in slices of about `unitsPerTurn`. */
  async function inTurns<T>(work: Generator<number, T>): Promise<T> {
    let units = 0;
    for (;;) {
      const step = work.next();
      if (step.done) return step.value;
      units += step.value;
      if (units < unitsPerTurn) continue;
      units = 0;
      await new Promise<void>((resolve) => schedule(resolve));
    }
  }

  return {
    async page({ deviceNos, fromMs = START, toMs = END, page, pageSize }) {
      if (!Number.isSafeInteger(page) || page < 0) throw new DomainError("INPUT_INVALID", { field: "pageNo" });
      if (!Number.isSafeInteger(pageSize) || pageSize < 1 || pageSize > maxPageSize)
        throw new DomainError("INPUT_INVALID", { field: "pageSize", max: maxPageSize });
      if (deviceNos.length === 0 || fromMs > toMs) return { items: [], total: 0 };
      const range = { fromMs, toMs };
      return recents.reading(async () => {
        const newestNo = repository.newestNo();
        const total = await inTurns(countRecords(repository, deviceNos, range, newestNo));
        const offset = page * pageSize;
        if (offset >= total) return { items: [], total };
        const source = await inTurns(blockSource(repository, deviceNos, range, newestNo));
        const { entries, chars } = await inTurns(takePage(source, range, offset, pageSize));
        if (chars > maxPageChars) throw new DomainError("RESULT_TOO_LARGE", { maxChars: maxPageChars });
        return { items: entries, total };
      });
    },
  };
}

/** All blocks that end inside the range by their counts; those that an end of the range cuts through, by reading them. */
function* countRecords(
  repository: HistoryRepository,
  deviceNos: readonly number[],
  range: TimeRange,
  newestNo: number,
): Generator<number, number> {
  let total = 0;
  for (const deviceNo of deviceNos) {
    let before: { maxMs: number; no: number } | undefined = { maxMs: range.toMs, no: END };
    while (before) {
      const chunk: ReturnType<HistoryRepository["sumChunk"]> = repository.sumChunk(
        deviceNo,
        range.fromMs,
        before,
        newestNo,
        CHUNK_BLOCKS,
      );
      total += chunk.records;
      before = chunk.next;
      yield 10 + Math.ceil(chunk.blocks / 10);
    }
    total += repository.sumRecent(deviceNo, range, newestNo);
    total += yield* correctCut(repository, deviceNo, range, newestNo, "start");
    total += yield* correctCut(repository, deviceNo, range, newestNo, "end");
  }
  return total;
}

/** Blocks never reach over an aligned hour, so those that are cut by an end of the range lie in the hour of that end. */
function* correctCut(
  repository: HistoryRepository,
  deviceNo: number,
  range: TimeRange,
  newestNo: number,
  end: "start" | "end",
): Generator<number, number> {
  const { fromMs, toMs } = range;
  if (end === "start" ? fromMs === START : toMs === END) return 0;
  const lowestMax = end === "start" ? fromMs : toMs + 1;
  const startedMs = end === "start" ? fromMs - 1 : toMs;
  let before = { maxMs: end === "start" ? Math.min(toMs, spanEnd(fromMs)) : spanEnd(toMs), no: END };
  let correction = 0;
  for (;;) {
    const heads = repository.heads(deviceNo, lowestMax, before, startedMs, newestNo, 100);
    for (const head of heads) {
      const records = repository.read(head.no)?.records ?? [];
      const inside = records.filter(({ timestampMs }) => timestampMs >= fromMs && timestampMs <= toMs).length;
      correction += end === "start" ? inside - head.count : inside;
      before = { maxMs: head.maxMs, no: head.no };
      yield 5 + head.count;
    }
    yield 1;
    if (heads.length < 100) return correction;
  }
}
