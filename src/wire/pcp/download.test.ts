import { describe, expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import {
  addShard,
  beginDownload,
  countShards,
  type Download,
  firstMissing,
  hasShard,
  missingShards,
  type NewVersionRequest,
  NO_SHARDS,
  nextShardRequest,
  type ShardSet,
  takeShard,
} from ".";

describe("a set of shards", () => {
  const of = (...indices: number[]) => indices.reduce(addShard, NO_SHARDS);

  test.each([
    ["nothing", [], []],
    ["one", [3], [[3, 4]]],
    ["in order", [0, 1, 2], [[0, 3]]],
    ["backwards", [2, 1, 0], [[0, 3]]],
    ["twice", [5, 5], [[5, 6]]],
    ["a gap closes", [0, 2, 1], [[0, 3]]],
    ["the gap in the middle", [0, 4, 2], [[0, 1], [2, 3], [4, 5]]], // biome-ignore format: a row
    ["between two gaps", [0, 4, 2, 3], [[0, 1], [2, 5]]], // biome-ignore format: a row
    ["before the first", [7, 6], [[6, 8]]],
  ])("%s", (_name, indices, ranges) => {
    expect(of(...indices).ranges).toEqual(ranges.map(([from = 0, to = 0]) => ({ from, to })));
  });

  test("says what is missing", () => {
    const set = of(0, 1, 4);
    expect(firstMissing(set, 6)).toBe(2);
    expect(missingShards(set, 6, 10)).toEqual([2, 3, 5]);
    expect(missingShards(set, 6, 2)).toEqual([2, 3]);
    expect(missingShards(set, 3, 10)).toEqual([2]);
    expect(firstMissing(of(0, 1), 2)).toBeUndefined();
    expect(missingShards(of(0, 1), 2, 10)).toEqual([]);
    expect(missingShards(NO_SHARDS, 65_535, 3)).toEqual([0, 1, 2]);
  });

  test.each([-1, 0.5, Number.NaN])("%p is no index", (index) => {
    expect(() => addShard(NO_SHARDS, index)).toThrow(RangeError);
  });

  test(`is what a plain set is (seed ${fuzzSeed})`, () => {
    const random = new Random(fuzzSeed);
    for (let round = 0; round < 200; round++) {
      const total = 1 + random.below(60);
      const plain = new Set<number>();
      let set: ShardSet = NO_SHARDS;
      for (let step = 0; step < 80; step++) {
        const index = random.below(total);
        const next = addShard(set, index);
        if (plain.has(index)) expect(next).toBe(set);
        plain.add(index);
        set = next;
        const missing = Array.from({ length: total }, (_, it) => it).filter((it) => !plain.has(it));
        expect(missingShards(set, total, total)).toEqual(missing);
        expect(firstMissing(set, total)).toBe(missing[0]);
        expect(countShards(set)).toBe(plain.size);
        expect(hasShard(set, index)).toBe(true);
        if (missing[0] !== undefined) expect(hasShard(set, missing[0])).toBe(false);
        expect(set.ranges.every(({ from, to }, at) => from < to && (set.ranges[at + 1]?.from ?? total + 1) > to)).toBe(
          true,
        );
      }
    }
  });
});

const NOTICE: NewVersionRequest = {
  type: "newVersionRequest",
  targetVersion: "V1.0",
  shardSize: 32,
  shardTotal: 3,
  packageCheckCode: 0x1234,
};
const shard = (shardIndex: number, length: number, resultCode = 0) =>
  ({ type: "shardResponse", resultCode, shardIndex, data: new Uint8Array(length) }) as const;
const take = (download: Download, index: number, length = 32): Download => {
  const verdict = takeShard(download, shard(index, length));
  if (verdict.kind !== "stored") throw new Error(verdict.kind);
  return verdict.download;
};

describe("a download", () => {
  const fresh = beginDownload(undefined, NOTICE).download;

  test("asks for one shard after the other", () => {
    const asked: (number | undefined)[] = [];
    let download = fresh;
    for (const length of [32, 32, 6]) {
      const index = nextShardRequest(download)?.shardIndex;
      asked.push(index);
      download = take(download, index ?? -1, length);
    }
    expect(asked).toEqual([0, 1, 2]);
    expect(nextShardRequest(download)).toBeUndefined();
  });

  test("begins with the first missing one after a break", () => {
    const { download, how } = beginDownload(take(take(fresh, 0), 2, 6), NOTICE);
    expect(how).toBe("resumed");
    expect(nextShardRequest(download)).toEqual({ type: "shardRequest", targetVersion: "V1.0", shardIndex: 1 });
  });

  test.each([
    ["check code", { packageCheckCode: 0x1235 }],
    ["version", { targetVersion: "V1.1" }],
    ["shard size", { shardSize: 64 }],
    ["total", { shardTotal: 4 }],
  ])("with another %s drops all that is there", (_name, change) => {
    const { download, how } = beginDownload(take(fresh, 0), { ...NOTICE, ...change });
    expect(how).toBe("fresh");
    expect(nextShardRequest(download)?.shardIndex).toBe(0);
    expect(download).toMatchObject(change);
  });

  test.each([
    ["a middle shard that is short", shard(1, 31), "unfit"],
    ["a shard that is long", shard(1, 33), "unfit"],
    ["a last shard that is long", shard(2, 33), "unfit"],
    ["an index behind the end", shard(3, 32), "unfit"],
    ["one that it has", shard(0, 32), "known"],
    ["no task", shard(1, 0, 0x80), "refused"],
    ["no shard", shard(1, 0, 0x81), "refused"],
  ])("takes nothing from %s", (_name, response, kind) => {
    const before = take(fresh, 0);
    expect(takeShard(before, response).kind).toBe(kind as "unfit");
    expect(nextShardRequest(before)?.shardIndex).toBe(1);
  });

  test("takes a last shard of any length up to a whole one", () => {
    for (let length = 1; length <= 32; length++) expect(takeShard(fresh, shard(2, length)).kind).toBe("stored");
  });

  test("costs no more for a large total", () => {
    const { download } = beginDownload(undefined, { ...NOTICE, shardTotal: 65_535 });
    expect(download.received.ranges).toEqual([]);
    expect(nextShardRequest(download)?.shardIndex).toBe(0);
  });
});
