import { expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { type BlockHead, type BlockSource, isInside, type TimeRange, takePage } from "./history-merge";

/** Records of a block as stored, oldest arrival first: `[time, name]`. */
type Block = { no: number; deviceNo?: number; records: [timestampMs: number, name: string][] };
const EVER: TimeRange = { fromMs: Number.MIN_SAFE_INTEGER, toMs: Number.MAX_SAFE_INTEGER };

function sourceOf(blocks: readonly Block[], range: TimeRange, onRead: (no: number) => void = () => {}): BlockSource {
  const heads = blocks
    .map(({ no, deviceNo = 1, records }): BlockHead => {
      const times = records.map(([time]) => time);
      return { no, deviceNo, minMs: Math.min(...times), maxMs: Math.max(...times), count: records.length };
    })
    .filter(({ minMs, maxMs }) => maxMs >= range.fromMs && minMs <= range.toMs)
    .sort((a, b) => b.maxMs - a.maxMs || b.no - a.no);
  let index = 0;
  return {
    peek: () => heads[index],
    advance: () => void index++,
    read(no) {
      onRead(no);
      const block = blocks.find((it) => it.no === no);
      const records = block?.records
        .toReversed()
        .map(([timestampMs, serviceId]) => ({ serviceId, timestampMs, data: {} }))
        .sort((a, b) => b.timestampMs - a.timestampMs);
      return records && { records, chars: 10 * records.length };
    },
  };
}

function pageOf(source: BlockSource, range: TimeRange, offset: number, size: number): string {
  const work = takePage(source, range, offset, size);
  for (;;) {
    const step = work.next();
    if (step.done) return step.value.entries.map(({ serviceId }) => serviceId).join(" ");
  }
}

/** What the merge must agree with: everything in one list, sorted. */
function naive(blocks: readonly Block[], { fromMs, toMs }: TimeRange): string[] {
  return blocks
    .flatMap(({ no, records }) => records.map(([time, name], position) => ({ no, time, name, position })))
    .filter(({ time }) => time >= fromMs && time <= toMs)
    .sort((a, b) => b.time - a.time || b.no - a.no || b.position - a.position)
    .map(({ name }) => name);
}

const APART: Block[] = [
  {
    no: 1,
    records: [
      [1, "a"],
      [2, "b"],
    ],
  },
  {
    no: 2,
    records: [
      [3, "c"],
      [4, "d"],
    ],
  },
];
const OVERLAPPING: Block[] = [
  {
    no: 1,
    records: [
      [1, "a"],
      [5, "b"],
    ],
  },
  {
    no: 2,
    records: [
      [3, "c"],
      [7, "d"],
    ],
  },
  {
    no: 3,
    records: [
      [2, "e"],
      [2, "f"],
    ],
  },
];
const TIED: Block[] = [
  {
    no: 1,
    records: [
      [5, "a"],
      [5, "b"],
    ],
  },
  { no: 2, records: [[5, "c"]] },
  {
    no: 3,
    records: [
      [4, "d"],
      [5, "e"],
    ],
  },
];
const TABLE: [rule: string, blocks: Block[], range: TimeRange, offset: number, size: number, page: string][] = [
  ["newest first over blocks", APART, EVER, 0, 10, "d c b a"],
  ["a page in the middle", APART, EVER, 1, 2, "c b"],
  ["nothing behind the end", APART, EVER, 4, 2, ""],
  ["only what is in the range, both ends included", APART, { fromMs: 2, toMs: 3 }, 0, 10, "c b"],
  ["an offset counts only what is in the range", APART, { fromMs: 1, toMs: 3 }, 1, 10, "b a"],
  ["blocks that overlap are merged", OVERLAPPING, EVER, 0, 10, "d b c f e a"],
  ["overlap and offset", OVERLAPPING, EVER, 3, 2, "f e"],
  ["equal times: the later stored first", TIED, EVER, 0, 10, "e c b a d"],
  ["equal times over pages", TIED, EVER, 2, 2, "b a"],
];
test.each(TABLE)("a history page: %s", (_rule, blocks, range, offset, size, page) => {
  expect(pageOf(sourceOf(blocks, range), range, offset, size)).toBe(page);
});

test("blocks before the page are not read when they overlap no other", () => {
  const read: number[] = [];
  const blocks = Array.from(
    { length: 10 },
    (_, no): Block => ({
      no,
      records: [
        [no, `a${no}`],
        [no + 1, `b${no}`],
      ],
    }),
  );
  expect(
    pageOf(
      sourceOf(blocks, EVER, (no) => read.push(no)),
      EVER,
      16,
      2,
    ),
  ).toBe("b1 a1");
  expect(read).toEqual([1]);
});

test("a block that was purged meanwhile is left out", () => {
  const blocks: Block[] = [{ no: 1, records: [[1, "a"]] }];
  const source = { ...sourceOf(blocks, EVER), read: () => undefined };
  expect(pageOf(source, EVER, 0, 5)).toBe("");
});

test("every page of every history agrees with sorting it all", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  for (let round = 0; round < 300; round++) {
    const spread = 1 + below(30);
    const blocks = Array.from(
      { length: below(12) },
      (_, no): Block => ({
        no: no + 1,
        deviceNo: 1 + below(3),
        records: Array.from({ length: 1 + below(5) }, (_, at): [number, string] => [
          no * 3 + below(spread),
          `${no}.${at}`,
        ]),
      }),
    );
    const range = random() < 0.5 ? EVER : { fromMs: below(20), toMs: 10 + below(30) };
    const all = naive(blocks, range);
    const size = 1 + below(4);
    for (let offset = 0; offset <= all.length; offset += size)
      expect(pageOf(sourceOf(blocks, range), range, offset, size), `seed ${seed} round ${round}`).toBe(
        all.slice(offset, offset + size).join(" "),
      );
  }
});

test("a block is inside the range with both of its ends", () => {
  const head = { no: 1, deviceNo: 1, minMs: 2, maxMs: 4, count: 1 };
  expect(isInside(head, { fromMs: 2, toMs: 4 })).toBe(true);
  expect(isInside(head, { fromMs: 3, toMs: 4 })).toBe(false);
  expect(isInside(head, { fromMs: 2, toMs: 3 })).toBe(false);
});
