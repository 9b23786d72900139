import { heap } from "./heap";
import { BLOCK_SPAN_MS } from "./history-block";
import { type BlockHead, type BlockSource, isNewer, type TimeRange } from "./history-merge";
import type { HistoryRepository } from "./history-repository";

type Stream = { peek(): BlockHead | undefined; advance(): void };
const HEADS_AT_ONCE = 500; // over all devices of a query

/** The latest time that a block with a record at `ms` can reach to. */
export const spanEnd = (ms: number) =>
  ms >= Number.MAX_SAFE_INTEGER - BLOCK_SPAN_MS ? ms : (Math.floor(ms / BLOCK_SPAN_MS) + 1) * BLOCK_SPAN_MS - 1;

/** The heads of some devices in one order. Yields units of work like `takePage`. */
export function* blockSource(
  repository: HistoryRepository,
  deviceNos: readonly number[],
  range: TimeRange,
  newestNo: number,
): Generator<number, BlockSource> {
  const slice = Math.max(16, Math.floor(HEADS_AT_ONCE / deviceNos.length));
  const streams = heap<Stream>((a, b) => {
    const [first, second] = [a.peek() as BlockHead, b.peek() as BlockHead];
    return isNewer(first.maxMs, first.no, second.maxMs, second.no);
  });
  for (const deviceNo of deviceNos) {
    const stream = headStream(repository, deviceNo, range, newestNo, slice);
    if (stream.peek()) streams.push(stream);
    yield 10 + slice;
  }
  return {
    peek: () => streams.top?.peek(),
    advance() {
      const { top } = streams;
      top?.advance();
      if (top?.peek()) streams.settleTop();
      else streams.pop();
    },
    read: (no) => repository.read(no),
  };
}

function headStream(
  repository: HistoryRepository,
  deviceNo: number,
  { fromMs, toMs }: TimeRange,
  newestNo: number,
  slice: number,
): Stream {
  let before = { maxMs: spanEnd(toMs), no: Number.MAX_SAFE_INTEGER };
  let heads: BlockHead[] = [];
  let index = 0;
  let isLast = false;

  function fill(): void {
    if (index < heads.length || isLast) return;
    heads = repository.heads(deviceNo, fromMs, before, toMs, newestNo, slice);
    index = 0;
    isLast = heads.length < slice;
    const last = heads.at(-1);
    if (last) before = { maxMs: last.maxMs, no: last.no };
  }
  fill();

  return {
    peek: () => heads[index],
    advance() {
      index++;
      fill();
    },
  };
}
