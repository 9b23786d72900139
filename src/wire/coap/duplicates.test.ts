import { describe, expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { DEFAULT_DUPLICATE_MEMORY, DuplicateMemory } from ".";

const PEER = "192.0.2.1:5683";
const ACK = Uint8Array.of(0x60, 0x44, 0, 1);
const small = { lifetimeMs: 247_000, entriesPerGeneration: 100, replyBytesPerGeneration: 64, maxReplyBytes: 16 };
const memory = (settings = small) => new DuplicateMemory(settings, [0x1234_5678, 0x9abc_def0], 1_000);

describe("a message", () => {
  test("is new once", () => {
    const seen = memory();
    expect([seen.admit(PEER, 1, 1_000), seen.admit(PEER, 1, 1_000)]).toEqual(["new", "seen"]);
  });

  test("is another one from another endpoint or with another id", () => {
    const seen = memory();
    seen.admit(PEER, 1, 1_000);
    expect(seen.admit("192.0.2.1:5684", 1, 1_000)).toBe("new");
    expect(seen.admit("192.0.2.2:5683", 1, 1_000)).toBe("new");
    expect(seen.admit(PEER, 2, 1_000)).toBe("new");
    expect(seen.admit(PEER, 256, 1_000)).toBe("new");
  });

  test("gets its reply again, as it was", () => {
    const seen = memory();
    const reply = ACK.slice();
    seen.admit(PEER, 1, 1_000);
    expect(seen.remember(PEER, 1, reply)).toBe(true);
    reply.fill(0);
    expect(seen.admit(PEER, 1, 1_000)).toEqual(ACK);
  });

  test("keeps its reply in the old generation", () => {
    const seen = memory();
    seen.admit(PEER, 1, 100_000);
    seen.remember(PEER, 1, ACK);
    expect(seen.admit("other", 1, 248_000)).toBe("new"); // the generations change here
    expect(seen.admit(PEER, 1, 300_000)).toEqual(ACK);
  });

  test("can be answered after the generations have changed", () => {
    const seen = memory();
    seen.admit(PEER, 1, 247_000);
    seen.admit("other", 1, 249_000);
    expect(seen.remember(PEER, 1, ACK)).toBe(true);
    expect(seen.admit(PEER, 1, 250_000)).toEqual(ACK);
  });
});

describe("a message that was not handled after all", () => {
  test("is new when it comes again, and only it", () => {
    const seen = memory();
    for (let id = 0; id < 50; id++) seen.admit(PEER, id, 1_000);
    seen.remember(PEER, 7, ACK);
    seen.forget(PEER, 7);
    expect([seen.find(PEER, 7, 1_000), seen.remember(PEER, 7, ACK)]).toEqual(["new", false]);
    expect([seen.admit(PEER, 7, 1_000), seen.admit(PEER, 7, 1_000)]).toEqual(["new", "seen"]);
    for (let id = 0; id < 50; id++) expect(seen.admit(PEER, id, 1_000)).toBe("seen");
  });

  test("is new also in the old generation, and when it was never there", () => {
    const seen = memory();
    seen.admit(PEER, 1, 100_000);
    seen.admit("other", 1, 248_000);
    seen.forget(PEER, 1);
    seen.forget(PEER, 2);
    expect([seen.admit(PEER, 1, 250_000), seen.admit(PEER, 2, 250_000)]).toEqual(["new", "new"]);
  });

  test("does not make the table fuller than it may be", () => {
    const seen = memory();
    for (let round = 0; round < 10_000; round++) {
      expect(seen.admit(PEER, 7, 1_000)).toBe("new");
      seen.forget(PEER, 7);
    }
    expect(seen.size).toBeLessThanOrEqual(200);
  });
});

test("looking does not remember", () => {
  const seen = memory();
  expect([seen.find(PEER, 1, 1_000), seen.find(PEER, 1, 1_000), seen.admit(PEER, 1, 1_000)]).toEqual([
    "new",
    "new",
    "new",
  ]);
  seen.remember(PEER, 1, ACK);
  expect(seen.find(PEER, 1, 247_000)).toEqual(ACK);
  expect(seen.find(PEER, 1, 248_100)).toBe("new");
});

// In which phase of a generation the message comes must not matter.
test.each([1_000, 2_000, 100_000, 247_900, 248_000, 400_000])(
  "what came at %d ms is forgotten after its lifetime",
  (at) => {
    for (const [afterMs, admission] of [
      [246_800, "seen"],
      [247_100, "new"],
      [10_000_000, "new"],
    ] as const) {
      const seen = memory();
      expect(seen.admit(PEER, 7, at)).toBe("new");
      for (let step = 1; step < 10; step++) seen.admit("other", step, at + Math.min(step * 20_000, afterMs));
      expect<string | Uint8Array>(seen.admit(PEER, 7, at + afterMs)).toBe(admission);
    }
  },
);

describe("under a flood", () => {
  test("the memory stays the same, and the latest messages are remembered", () => {
    const seen = memory();
    const { bytes } = seen;
    for (let n = 0; n < 10_000; n++) {
      expect(seen.admit(`198.51.100.${n}:1`, n & 0xffff, 1_000)).toBe("new");
      expect(seen.size).toBeLessThanOrEqual(200);
      if (n >= 100) expect(seen.admit(`198.51.100.${n - 99}:1`, (n - 99) & 0xffff, 1_000)).toBe("seen");
    }
    expect(seen.bytes).toBe(bytes);
    expect(seen.evictedEarly).toBeGreaterThan(9_000);
  });

  test("replies end with their room, and begin again with the next generation", () => {
    const seen = memory();
    const kept = Array.from({ length: 20 }, (_, id) => {
      seen.admit(PEER, id, 1_000);
      return seen.remember(PEER, id, ACK);
    });
    expect(kept.filter(Boolean)).toHaveLength(16);
    expect([seen.admit(PEER, 15, 1_000), seen.admit(PEER, 16, 1_000)]).toEqual([ACK, "seen"]);
    seen.admit(PEER, 100, 248_000);
    expect(seen.remember(PEER, 100, ACK)).toBe(true);
  });

  test("a long reply is not kept, and none is for a message that is not known", () => {
    const seen = memory();
    seen.admit(PEER, 1, 1_000);
    expect(seen.remember(PEER, 1, new Uint8Array(17))).toBe(false);
    expect(seen.remember(PEER, 2, ACK)).toBe(false);
    expect(seen.admit(PEER, 1, 1_000)).toBe("seen");
  });

  test("a generation that comes into use again holds nothing of before", () => {
    const seen = memory();
    for (let id = 0; id < 100; id++) {
      seen.admit(PEER, id, 1_000);
      seen.remember(PEER, id, ACK);
    }
    seen.admit(PEER, 1_000, 800_000); // both generations are over
    expect(seen.size).toBe(1);
    expect(seen.remember(PEER, 1_000, ACK)).toBe(true);
    for (let id = 0; id < 99; id++) {
      expect(seen.admit(PEER, id, 800_000)).toBe("new");
      expect(seen.admit(PEER, id, 800_000)).toBe("seen");
    }
  });
});

test("the memory of the default settings is 28 MiB", () => {
  expect(new DuplicateMemory(DEFAULT_DUPLICATE_MEMORY, [1, 2], 0).bytes).toBe(28 * 1024 * 1024);
});

test(`agrees with a plain map, whatever comes when (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  const settings = { ...small, entriesPerGeneration: 50_000, lifetimeMs: 10_000 };
  const seen = new DuplicateMemory(settings, [random.below(2 ** 31), random.below(2 ** 31)], 0);
  const firstSeenMs = new Map<string, number>();
  for (let round = 0, nowMs = 0; round < 40_000; round++) {
    nowMs += random.oneOf([0, 0, 0, 100, 300]);
    const endpoint = `10.0.0.${random.below(40)}:5683`;
    const id = random.below(100);
    const key = `${endpoint} ${id}`;
    const before = firstSeenMs.get(key);
    const known = before !== undefined && nowMs - before < settings.lifetimeMs;
    if (!known) firstSeenMs.set(key, nowMs);
    expect([key, nowMs, seen.admit(endpoint, id, nowMs)]).toEqual([key, nowMs, known ? "seen" : "new"]);
  }
});
