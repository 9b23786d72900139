import { expect, test } from "bun:test";
import { MessageIds } from "./message-ids";

const SETTINGS = { lifetimeMs: 247_000, entriesPerGeneration: 1_024, replyBytesPerGeneration: 8_192, maxReplyBytes: 8 };
const WALL_MS = 1_767_225_600_000;
const setUp = (seed = 7, wall = () => WALL_MS) => new MessageIds(SETTINGS, [1, 2, seed], 0, wall);
const token = (byte: number) => Uint8Array.of(byte, byte);

test("ids of one peer rise, and others cannot tell where they are", () => {
  const ids = setUp();
  const first = ids.next("a", token(1), 0);
  const second = ids.next("a", token(2), 0);
  const other = ids.next("b", token(3), 0);
  expect((second - first) & 0xffff).toBe(1);
  expect((other - second) & 0xffff).not.toBe(1);
  expect(setUp(8).next("a", token(1), 0)).not.toBe(first);
});

test("an id that was claimed is not given out until its time is over", () => {
  const ids = setUp();
  const first = ids.next("a", token(1), 0);
  for (let n = 1; n < 50; n++) expect(ids.claim("a", (first + n) & 0xffff, token(9), 0)).toBe(true);
  expect(ids.next("a", token(1), 0)).toBe((first + 50) & 0xffff);
});

test("an id can be claimed again with its own token, by nobody else, and its time begins again", () => {
  const ids = setUp();
  expect(ids.claim("a", 5, token(1), 0)).toBe(true);
  expect(ids.claim("a", 5, token(2), 246_000)).toBe(false);
  expect(ids.claim("b", 5, token(2), 246_000)).toBe(true);
  expect(ids.claim("a", 5, token(1), 246_000)).toBe(true);
  expect(ids.claim("a", 5, token(2), 490_000)).toBe(false);
  expect(ids.claim("a", 5, token(2), 493_200)).toBe(true);
});

test("a message without a token has an id too", () => {
  const ids = setUp();
  const none = new Uint8Array(0);
  expect([ids.claim("a", 5, none, 0), ids.claim("a", 5, none, 0), ids.claim("a", 5, token(1), 0)]).toEqual([
    ...[true, true, false],
  ]);
});

test("more than can be remembered go out all the same, and ids are not the same soon", () => {
  const ids = setUp();
  const last: number[] = [];
  for (let n = 0; n < 70_000; n++) {
    const id = ids.next("a", token(n & 0xff), 0);
    if (n % 1_000 === 0) expect(last).not.toContain(id);
    last.push(id);
    if (last.length > 1_024) last.shift();
  }
  expect(ids.reused).toBe(0);
});

test("a peer that was sent all ids too quickly gets one again, and it is counted", () => {
  const ids = new MessageIds(
    { ...SETTINGS, entriesPerGeneration: 65_536, replyBytesPerGeneration: 1 },
    [1, 2, 3],
    0,
    () => 0,
  );
  for (let n = 0; n < 65_536; n++) ids.next("a", token(1), 0);
  expect(ids.reused).toBe(0);
  ids.next("a", token(1), 0);
  expect(ids.reused).toBe(1);
});

test("a process that is started again gives no id that its peers may remember of the one before", () => {
  let nowMs = WALL_MS;
  const wall = () => nowMs;
  const used: { endpoint: string; id: number; atMs: number }[] = [];
  function run(count: number, stepMs: number): void {
    const ids = setUp(7, wall); // knows nothing of what was used before
    for (let n = 0; n < count; n++) {
      for (const endpoint of ["192.0.2.1:5683", "dtls:17"]) {
        const id = ids.next(endpoint, token(n & 0xff), nowMs - WALL_MS);
        const before = used.findLast((it) => it.endpoint === endpoint && it.id === id);
        expect(before && nowMs - before.atMs < SETTINGS.lifetimeMs ? { before, n } : undefined).toBeUndefined();
        used.push({ endpoint, id, atMs: nowMs });
      }
      nowMs += stepMs;
    }
  }
  run(300, 100);
  nowMs += 250;
  run(20, 1); // a burst, and dead again
  nowMs += 250;
  run(2_000, 150);
});
