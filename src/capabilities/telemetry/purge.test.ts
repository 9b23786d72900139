import { expect, test } from "bun:test";
import { TELEMETRY_MIGRATIONS } from "../../../migrations";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { openDatabase } from "../../platform/storage/open-database";
import type { StorageWriter, WriteStep } from "../../platform/storage/storage-writer";
import { manualClock } from "../../platform/testing/manual-clock";
import { type PurgeTask, startPurge } from "./purge";
import { deletedDevicesPurge } from "./purge-devices";
import { historyPurge } from "./purge-history";
import { PURGE_DEFAULTS, type PurgeSettings } from "./settings";
import { writeSteps } from "./testing/write-steps";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

function start(change: Partial<PurgeSettings> = {}) {
  const db = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  const clock = manualClock();
  const insert = db.query(
    "INSERT INTO history_block (device_no, stored_ms, min_ms, max_ms, count, records) VALUES (?, ?, ?, ?, 1, ?)",
  );
  const sizes: number[] = [];
  const writer: StorageWriter = {
    close: async () => {},
    async commit(steps: readonly WriteStep[]) {
      const before = rows();
      writeSteps(db, steps);
      sizes.push(before - rows());
    },
  };
  const rows = () => (db.query("SELECT COUNT(*) AS n FROM history_block").get() as { n: number }).n;
  const devices = () =>
    db
      .query<{ device_no: number; n: number }, []>(
        "SELECT device_no, COUNT(*) AS n FROM history_block GROUP BY device_no ORDER BY device_no",
      )
      .all()
      .map(({ device_no, n }) => `${device_no}:${n}`)
      .join(" ");
  const settings = { ...PURGE_DEFAULTS, ...change };
  const metrics = createMetrics();
  let worker: ReturnType<typeof startPurge> | undefined;
  return {
    db,
    clock,
    sizes,
    metrics,
    devices,
    settings,
    store(deviceNo: number, ageDays: number, count = 1, eventAgeDays = ageDays) {
      const storedMs = clock.now() - ageDays * DAY_MS;
      const at = clock.now() - eventAgeDays * DAY_MS;
      for (let index = 0; index < count; index++) insert.run(deviceNo, storedMs, at, at, "{}");
    },
    run(...tasks: PurgeTask[]) {
      worker = startPurge({ tasks, writer, clock, log: silentLog, metrics, settings });
    },
    stop: () => worker?.stop(),
  };
}
const none = { takeLowestMoved: () => Number.POSITIVE_INFINITY, of: () => [] };
const overridesOf = (days: Record<number, number>) => ({
  agingOverrides: (afterNo: number, limit: number) =>
    Object.entries(days)
      .map(([no, it]) => ({ deviceNo: Number(no), days: it }))
      .filter(({ deviceNo }) => deviceNo > afterNo)
      .slice(0, limit),
});

test("history goes after its time by the time of storing, and only then", async () => {
  const it = start();
  it.store(1, 8, 3);
  it.store(2, 7.1, 2, 30); // old data
  it.store(3, 6.9, 2, 30); // old data that came in late
  it.store(4, 0);
  it.run(
    historyPurge({ reads: it.db, clock: it.clock, overrides: overridesOf({}), recents: none, settings: it.settings }),
  );
  await it.clock.advance(1_000);
  expect(it.devices()).toBe("3:2 4:1");
  expect(it.metrics.render()).toContain('islet_purged_rows_total{task="history"} 5');
  await it.clock.advance(0.2 * DAY_MS);
  expect(it.devices()).toBe("4:1");
  await it.stop();
});

test("a device may have a shorter or a longer time of its own", async () => {
  const it = start();
  const days: Record<number, number> = { 1: 1, 2: 90 };
  it.store(2, 91);
  it.store(2, 89);
  it.store(3, 8);
  it.store(2, 8);
  it.store(1, 3, 2);
  it.store(1, 0.5);
  it.store(1, 0.4, 1, 5); // late data: kept from when they came in
  it.run(
    historyPurge({ reads: it.db, clock: it.clock, overrides: overridesOf(days), recents: none, settings: it.settings }),
  );
  await it.clock.advance(5_000);
  expect(it.devices()).toBe("1:2 2:2");
  delete days[2]; // back to the platform's time
  await it.clock.advance(HOUR_MS + 61_000);
  expect(it.devices()).toBe("1:2");
  await it.stop();
});

test("blocks from a time when the clock was far ahead do not hold up the others", async () => {
  const it = start();
  it.store(1, -5_000);
  it.store(2, 8);
  it.run(
    historyPurge({ reads: it.db, clock: it.clock, overrides: overridesOf({}), recents: none, settings: it.settings }),
  );
  await it.clock.advance(1_000);
  expect(it.devices()).toBe("1:1");
  await it.stop();
});

test("many rows go in steps, with pauses between them", async () => {
  const it = start({ minStepRows: 10, maxStepRows: 40 });
  it.store(1, 8, 200);
  it.run(
    historyPurge({ reads: it.db, clock: it.clock, overrides: overridesOf({}), recents: none, settings: it.settings }),
  );
  await it.clock.advance(1_000);
  expect(it.devices()).toBe("");
  expect(it.sizes).toEqual([10, 20, 40, 40, 40, 40, 10]);
  await it.stop();
});

test("a step that took long is followed by a smaller one and a pause in proportion", async () => {
  const clock = manualClock();
  const asked: number[] = [];
  const startedAt: number[] = [];
  const task: PurgeTask = {
    name: "slow",
    *round(maxRows) {
      for (let step = 0; step < 4; step++) {
        asked.push(maxRows());
        startedAt.push(clock.monotonic());
        yield { steps: [{ sql: "", columns: [[1]] }], rows: 1 };
      }
    },
  };
  const writer: StorageWriter = { commit: () => clock.sleep(30, new AbortController().signal), close: async () => {} };
  const settings = {
    ...PURGE_DEFAULTS,
    minStepRows: 8,
    maxStepRows: 64,
    targetStepMs: 100,
    dutyCycle: 0.25,
    maxPauseMs: 500,
  };
  const worker = startPurge({ tasks: [task], writer, clock, log: silentLog, metrics: createMetrics(), settings });
  await clock.advance(1_000);
  expect(asked).toEqual([8, 16, 32, 64]);
  expect(startedAt).toEqual([0, 120, 240, 360]);
  await worker.stop();
});

test("a failed round is begun again after the interval", async () => {
  const clock = manualClock();
  let rounds = 0;
  const task: PurgeTask = {
    name: "failing",
    // biome-ignore lint/correctness/useYield: it never gets that far
    *round() {
      rounds++;
      throw new Error("disk full");
    },
  };
  const writer: StorageWriter = { commit: async () => {}, close: async () => {} };
  const worker = startPurge({
    tasks: [task],
    writer,
    clock,
    log: silentLog,
    metrics: createMetrics(),
    settings: PURGE_DEFAULTS,
  });
  await clock.advance(PURGE_DEFAULTS.purgeIntervalMs * 2 + 1);
  expect(rounds).toBe(3);
  await worker.stop();
});

test("everything of deleted devices goes, large and small ones, and is confirmed when it is gone", async () => {
  const it = start({ minStepRows: 10, maxStepRows: 10 });
  const pending = new Set([1, 2, 3, 4]);
  const leftAtConfirmation: string[] = [];
  it.store(1, 0, 38);
  it.store(2, 0, 1);
  it.store(9, 0, 2);
  for (const no of [1, 2, 4, 9]) {
    it.db.run("INSERT INTO shadow VALUES (?, 'S', '{}', 0, NULL)", [no]);
    it.db.run("INSERT INTO device_seen VALUES (?, 0)", [no]);
    it.db.run("INSERT INTO trace (device_no, at_ms, kind, outcome, reason) VALUES (?, 0, 'login', 'failed', 'x')", [
      no,
    ]);
  }
  const devices = {
    pendingPurges: (limit: number) => [...pending].slice(0, limit),
    purged(deviceNos: readonly number[]) {
      leftAtConfirmation.push(`${deviceNos.join("+")} of ${it.devices()}`);
      for (const no of deviceNos) pending.delete(no);
    },
  };
  it.run(
    deletedDevicesPurge({
      reads: it.db,
      devices,
      recents: none,
      alsoDelete: ["DELETE FROM trace WHERE device_no = ?"],
    }),
  );
  await it.clock.advance(5_000);
  expect(leftAtConfirmation).toEqual(["1 of 9:2", "2+3+4 of 9:2"]);
  expect(pending.size).toBe(0);
  for (const table of ["history_block", "shadow", "device_seen", "trace"])
    expect(it.db.query(`SELECT DISTINCT device_no FROM ${table}`).all()).toEqual([{ device_no: 9 }]);
  await it.stop();
});

test("stopping ends a purge that is under way", async () => {
  const it = start({ minStepRows: 10, maxStepRows: 10 });
  it.store(1, 8, 200);
  it.run(
    historyPurge({ reads: it.db, clock: it.clock, overrides: overridesOf({}), recents: none, settings: it.settings }),
  );
  await it.stop();
  expect(it.devices()).not.toBe("");
});
