import { heap } from "./heap";
import type { HistoryRecord } from "./history-block";

/** What the index knows of a block. */
export type BlockHead = {
  readonly no: number;
  readonly deviceNo: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly count: number;
};
/** Inclusive at both ends. */
export type TimeRange = { readonly fromMs: number; readonly toMs: number };
export type HistoryEntry = HistoryRecord & { readonly deviceNo: number };

/** Heads that touch the range, the latest `maxMs` first, of equal ones the later stored. */
export interface BlockSource {
  peek(): BlockHead | undefined;
  advance(): void;
  /** Records newest first, and how many characters they were; undefined when the block was purged meanwhile. */
  read(no: number): { records: readonly HistoryRecord[]; chars: number } | undefined;
}

type Cursor = {
  readonly head: BlockHead;
  readonly records: readonly HistoryRecord[];
  readonly charsEach: number;
  index: number;
  end: number;
};

/**
 * One page of all records, newest first; of equal times the later stored first. Blocks may overlap in time, because
 * devices send old event times: a k-way merge over those that do. A block that overlaps no other is skipped by its count
 * without being read. Yields the units of work done (a head or a record is one), so that the caller can pause in between.
 */
export function* takePage(
  source: BlockSource,
  range: TimeRange,
  offset: number,
  size: number,
): Generator<number, { entries: HistoryEntry[]; chars: number }> {
  const open = heap<Cursor>((a, b) => isNewer(timeAt(a), a.head.no, timeAt(b), b.head.no));
  const entries: HistoryEntry[] = [];
  let chars = 0;
  let skip = offset;

  while (entries.length < size) {
    const top = open.top;
    const head = source.peek();
    if (head && (!top || isNewer(head.maxMs, head.no, timeAt(top), top.head.no))) {
      source.advance();
      const next = source.peek();
      const isAlone = !top && (!next || isNewer(head.minMs, head.no, next.maxMs, next.no));
      if (isAlone && skip >= head.count && isInside(head, range)) {
        skip -= head.count;
        yield 1;
      } else yield openBlock(head);
      continue;
    }
    if (!top) break;
    if (skip > 0) skip--;
    else {
      entries.push({ ...(top.records[top.index] as HistoryRecord), deviceNo: top.head.deviceNo });
      chars += top.charsEach;
    }
    top.index++;
    if (top.index < top.end) open.settleTop();
    else open.pop();
    yield 1;
  }
  return { entries, chars };

  function openBlock(head: BlockHead): number {
    const block = source.read(head.no);
    if (!block) return 1;
    const { records } = block;
    let index = 0;
    let end = records.length;
    while (index < end && (records[index] as HistoryRecord).timestampMs > range.toMs) index++;
    while (end > index && (records[end - 1] as HistoryRecord).timestampMs < range.fromMs) end--;
    if (index < end) open.push({ head, records, charsEach: block.chars / records.length, index, end });
    return 5 + records.length;
  }
}

export const isInside = (head: BlockHead, { fromMs, toMs }: TimeRange) => head.minMs >= fromMs && head.maxMs <= toMs;

/** The order of the history: later time first, then what was stored later. Within a block its own order counts. */
export const isNewer = (aMs: number, aNo: number, bMs: number, bNo: number) => aMs > bMs || (aMs === bMs && aNo > bNo);

const timeAt = ({ records, index }: Cursor) => (records[index] as HistoryRecord).timestampMs;
