import { expect, test } from "bun:test";
import { TransferStore } from "./transfer-store";

const LIMITS = { perPeer: 3, knownBytes: 10_000, strangerBytes: 10_000, idleMs: 1_000 };
const setUp = (limits = {}) => new TransferStore<string>({ ...LIMITS, ...limits });

test("what was put is found, by peer and resource", () => {
  const store = setUp();
  store.put("a", "x", "1", 10, true, 0);
  store.put("a", "x", "2", 10, true, 0);
  store.put("b", "x", "3", 10, true, 0);
  expect([store.get("a", "x", 0), store.get("b", "x", 0), store.get("a", "y", 0)]).toEqual(["2", "3", undefined]);
  expect([store.count, store.bytes]).toEqual([2, 2 * 512 + 30]);
});

test("a peer has so many; the one that was idle longest makes room", () => {
  const store = setUp();
  for (const [at, resource] of ["x", "y", "z"].entries()) store.put("a", resource, resource, 0, true, at);
  store.put("a", "x", "x", 0, true, 5);
  store.put("a", "w", "w", 0, true, 6);
  expect(["w", "x", "y", "z"].map((resource) => store.get("a", resource, 6))).toEqual(["w", "x", undefined, "z"]);
});

test("bytes are bounded, those of strangers apart from those of known peers", () => {
  const store = setUp();
  store.put("device", "x", "kept", 9_000, true, 0);
  for (let n = 0; n < 100; n++) store.put(`stranger ${n}`, "x", String(n), 1_488, false, n);
  expect([store.count, store.bytes]).toEqual([1 + 5, 9_512 + 5 * 2_000]);
  expect([store.get("device", "x", 99), store.get("stranger 94", "x", 99), store.get("stranger 95", "x", 99)]).toEqual([
    ...["kept", undefined, "95"],
  ]);
});

test("a stranger who becomes known takes his bytes along", () => {
  const store = setUp({ strangerBytes: 1_000 });
  store.put("a", "x", "1", 100, false, 0);
  store.put("a", "x", "2", 100, true, 0);
  store.put("b", "x", "3", 400, false, 0);
  store.put("c", "x", "4", 400, false, 0);
  expect([store.get("a", "x", 0), store.get("b", "x", 0), store.get("c", "x", 0)]).toEqual(["2", undefined, "4"]);
});

test("one that is larger than everything may have is kept alone, and makes room for the next", () => {
  const store = setUp({ knownBytes: 100 });
  store.put("a", "x", "1", 5_000, true, 0);
  expect(store.count).toBe(1);
  store.put("b", "x", "2", 0, true, 0);
  expect([store.get("a", "x", 0), store.get("b", "x", 0), store.bytes]).toEqual([undefined, "2", 512]);
});

test("idle ones expire, swept or looked at", () => {
  const store = setUp();
  store.put("a", "x", "1", 0, true, 0);
  store.put("b", "x", "2", 0, false, 500);
  expect([store.get("a", "x", 1_000), store.get("a", "x", 1_001), store.count]).toEqual(["1", undefined, 1]);
  store.expire(1_500);
  expect(store.count).toBe(1);
  store.expire(1_501);
  expect([store.count, store.bytes]).toEqual([0, 0]);
});

test("they move and go with their peer", () => {
  const store = setUp();
  store.put("a", "x", "1", 0, true, 0);
  store.put("b", "x", "2", 0, true, 0);
  store.move("a", "b");
  store.move("nobody", "b");
  expect([store.get("a", "x", 0), store.get("b", "x", 0), store.count]).toEqual([undefined, "1", 1]);
  store.drop("b");
  store.drop("b");
  expect([store.count, store.bytes]).toEqual([0, 0]);
});
