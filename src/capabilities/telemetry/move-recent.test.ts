import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TELEMETRY_MIGRATIONS } from "../../../migrations";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { openDatabase } from "../../platform/storage/open-database";
import { type StorageWriter, startStorageWriter } from "../../platform/storage/storage-writer";
import { seededRandom } from "../../platform/testing/seeded-random";
import { createHistory } from "./history";
import { append, canJoin, decodeBlock, joinBlocks, openBlock, parseBlock, renderBlock } from "./history-block";
import { joinAll, startMovingRecents } from "./move-recent";
import { openRecentBlocks, type RecentBlocks, recentBlocks } from "./recent-blocks";
import type { ServiceReport } from "./report";
import { HISTORY_DEFAULTS, RECENT_DEFAULTS } from "./settings";
import { liveDevice, recordingSink } from "./testing/fixtures";
import { startPipeline } from "./testing/pipeline";

const seed = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const HOUR_MS = 3_600_000;

const block = (...records: [service: string, timestampMs: number][]) => {
  const made = openBlock(1, records[0]?.[1] ?? 0);
  for (const [index, [service, at]] of records.entries()) append(made, service, at, JSON.stringify({ index, at }));
  return made;
};

test("joined blocks decode to the records of both, whatever their services", () => {
  const kinds = [block(["a", 5]), block(["a", 7], ["a", 6]), block(["b", 9]), block(["a", 1], ["b", 2])];
  for (const first of kinds)
    for (const second of kinds) {
      const joined = joinBlocks(first, second);
      const records = [...decodeBlock(renderBlock(second)), ...decodeBlock(renderBlock(first))];
      expect(decodeBlock(renderBlock(joined))).toEqual(records.sort((x, y) => y.timestampMs - x.timestampMs));
      expect([joined.count, joined.minMs, joined.maxMs]).toEqual([
        records.length,
        Math.min(...records.map(({ timestampMs }) => timestampMs)),
        Math.max(...records.map(({ timestampMs }) => timestampMs)),
      ]);
      expect(parseBlock(1, renderBlock(joined))).toEqual(joined);
    }
});

test("blocks of different hours, and blocks that are full, are not joined", () => {
  const full = block(...Array.from({ length: 512 }, (): [string, number] => ["a", 1]));
  expect(canJoin(block(["a", 1]), block(["a", HOUR_MS]))).toBe(false);
  expect(canJoin(full, block(["a", 1]))).toBe(false);
  const recents = [block(["a", 1]), block(["a", 2]), block(["a", HOUR_MS]), block(["a", 3])];
  const joined = joinAll(recents.map((it, index) => ({ no: index + 1, storedMs: 10 * index, block: it })));
  expect(joined.map(({ no, storedMs, block: { count } }) => [no, storedMs, count])).toEqual([
    [1, 10, 2],
    [3, 20, 1],
    [4, 30, 1],
  ]);
});

const at = (sequence: number, eventTimeMs: number): ServiceReport[] => [
  { serviceId: "Environment", data: { temperature: sequence }, eventTimeMs },
];

/** Reports of three devices at odd times, some in commits of their own; returns how to ask for everything. */
async function reported(random: () => number, batches: number) {
  const it = startPipeline();
  const sink = recordingSink();
  const devices = [liveDevice(1), liveDevice(2), liveDevice(3)];
  let sequence = 0;
  for (let batch = 0; batch < batches; batch++) {
    for (let count = 1 + random() * 4; count > 0; count--) {
      const eventTimeMs = it.clock.now() - Math.floor(random() ** 2 * 3) * HOUR_MS - Math.floor(random() * 5);
      const device = devices[Math.floor(random() * 3)] ?? liveDevice(1);
      it.ingest.report(device, at(++sequence % 100, eventTimeMs), sink, sequence);
    }
    await it.store();
    await it.clock.advance(Math.floor(random() * 2_000));
  }
  const historyWith = (recents: RecentBlocks) =>
    createHistory({ reads: it.db, recents, settings: HISTORY_DEFAULTS, schedule: queueMicrotask });
  const all = async (recents: RecentBlocks) => {
    const query = { deviceNos: [1, 2, 3], page: 0, pageSize: 2_000 };
    const ranged = { ...query, fromMs: it.clock.now() - HOUR_MS - 3, toMs: it.clock.now() - 2, pageSize: 7, page: 1 };
    const history = historyWith(recents);
    return [await history.page(query), await history.page(ranged), await history.page({ ...query, deviceNos: [2] })];
  };
  return { ...it, all };
}

/** Does what waits for the disk until the mover rests; `limit` commits at most. */
async function moveWith(it: Awaited<ReturnType<typeof reported>>, recents: RecentBlocks, limit = 1_000) {
  const settings = { ...RECENT_DEFAULTS, recentMaxBlocks: 1, moveStepBlocks: 1, deleteStepRows: 3 };
  const mover = startMovingRecents({
    ...{ recents, writer: it.disk.writer, clock: it.clock, log: silentLog, metrics: createMetrics(), settings },
  });
  for (let done = 0; done < limit; done++) {
    await it.clock.advance(1);
    if (it.disk.pending.length === 0) break;
    await it.disk.next();
  }
  return mover;
}
const rows = (it: { db: { query(sql: string): { get(): unknown } } }, table: string) =>
  (it.db.query(`SELECT COUNT(*) AS n FROM ${table}`).get() as { n: number }).n;

test(`what has moved is the same history (SEED=${seed})`, async () => {
  const it = await reported(seededRandom(seed), 60);
  const before = await it.all(it.recents);
  expect(before[0]?.total).toBeGreaterThan(60);
  const recentRows = rows(it, "history_recent");
  await moveWith(it, it.recents);
  expect(rows(it, "history_recent")).toBe(0);
  expect(it.recents.size).toBe(0);
  expect(rows(it, "history_block")).toBeLessThan(recentRows);
  const after = await it.all(it.recents);
  expect(sorted(after)).toEqual(sorted(before));
  expect(after[2]).toEqual(before[2] as (typeof before)[2]); // of one device also in the same order
});

/** Records of different devices at one time may change places when they move. */
const sorted = (pages: { items: { timestampMs: number; deviceNo: number }[]; total: number }[]) =>
  pages.map(({ items, total }, index) => [
    total,
    index === 1 ? items.map(({ timestampMs }) => timestampMs) : items.map((item) => JSON.stringify(item)).sort(),
  ]);

test(`cut off after any step of a move, the next start finds the same history (SEED=${seed})`, async () => {
  for (let steps = 0; ; steps++) {
    const it = await reported(seededRandom(seed), 12);
    const before = sorted(await it.all(it.recents));
    expect(rows(it, "history_recent")).toBeGreaterThan(12);
    const mover = await moveWith(it, it.recents, steps);
    const isDone = it.disk.pending.length === 0;
    mover.stop().catch(() => {}); // the process dies here; what the new one knows comes from the database
    const recents = await openRecentBlocks(it.db, writerOf(it));
    expect(sorted(await it.all(recents)), `after ${steps} steps`).toEqual(before);
    await moveWith(it, recents);
    expect(rows(it, "history_recent")).toBe(0);
    expect(sorted(await it.all(recents)), `after ${steps} steps and another move`).toEqual(before);
    if (isDone) break;
  }
});

/** Writes at once. */
function writerOf(it: Awaited<ReturnType<typeof reported>>): StorageWriter {
  return {
    async commit(steps) {
      it.disk.pending.length = 0; // what the dead process was about to write
      const written = it.disk.writer.commit(steps);
      await it.disk.next();
      return written;
    },
    close: async () => {},
  };
}

test("a query that takes many turns and a move do not see each other", async () => {
  const it = await reported(seededRandom(seed), 5);
  const order: string[] = [];
  const reader = Promise.withResolvers<void>();
  const reading = it.recents.reading(async () => {
    order.push("read");
    await reader.promise;
    order.push("read to the end");
  });
  const moving = it.recents.moving(async () => void order.push("move"));
  const later = it.recents.reading(async () => void order.push("later read"));
  reader.resolve();
  await Promise.all([reading, moving, later]);
  expect(order).toEqual(["read", "read to the end", "move", "later read"]);
});

test("numbers go on after a restart, also when everything has moved", async () => {
  const folder = mkdtempSync(join(tmpdir(), "islet-recent-"));
  const path = join(folder, "telemetry.db");
  const db = openDatabase(path, { migrations: TELEMETRY_MIGRATIONS });
  const writer = await startStorageWriter(path, "relaxed");
  try {
    const first = await openRecentBlocks(db, writer);
    expect([first.takeNo(), first.takeNo()]).toEqual([1, 2]);
    await writer.commit([{ sql: "UPDATE history_moved SET upto_no = ?", columns: [[41]] }]);
    expect((await openRecentBlocks(db, writer)).takeNo()).toBe(42);
    expect(recentBlocks(db).lastNo).toBe(41);
  } finally {
    await writer.close();
    db.close();
    rmSync(folder, { recursive: true });
  }
});
