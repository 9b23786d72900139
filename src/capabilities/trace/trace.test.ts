import { expect, test } from "bun:test";
import { TELEMETRY_MIGRATIONS } from "../../../migrations";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { openDatabase } from "../../platform/storage/open-database";
import type { StorageWriter } from "../../platform/storage/storage-writer";
import { manualClock } from "../../platform/testing/manual-clock";
import type { TraceEntry } from "../devices/trace-sink";
import { writeSteps } from "../telemetry/testing/write-steps";
import { TRACE_DEFAULTS, type TraceSettings } from "./settings";
import { createTraces } from "./trace";
import { tracePurge } from "./trace-purge";

function start(change: Partial<TraceSettings> = {}) {
  const db = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  const clock = manualClock();
  const metrics = createMetrics();
  const settings = { ...TRACE_DEFAULTS, ...change };
  let commits = 0;
  const disk = { fails: false, stalls: false };
  const writer: StorageWriter = {
    close: async () => {},
    async commit(steps) {
      if (disk.stalls) await new Promise(() => {});
      if (disk.fails) throw new Error("disk full");
      commits++;
      writeSteps(db, steps);
    },
  };
  const traces = createTraces({ writer, reads: db, clock, log: silentLog, metrics, settings });
  const count = (outcome: string) =>
    Number(new RegExp(`islet_traces_total{outcome="${outcome}"} (\\d+)`).exec(metrics.render())?.[1]);
  const purge = () => {
    for (const { steps } of tracePurge({ reads: db, clock, settings }).round(() => 50)) void writer.commit(steps);
  };
  return { db, clock, traces, count, purge, settings, disk, commits: () => commits };
}
const entry = (change: Partial<TraceEntry> = {}): TraceEntry => ({
  deviceNo: 1,
  kind: "report",
  outcome: "failed",
  reason: "misfit",
  ...change,
});

test("entries of a device are found newest first, page by page", async () => {
  const { traces, clock } = start();
  for (const reason of ["a", "b", "c"]) traces.record(entry({ reason }));
  traces.record(entry({ deviceNo: 2 }));
  await clock.advance(TRACE_DEFAULTS.traceFlushMs);
  const { items, total } = traces.find({ deviceNo: 1 }, 0, 2);
  expect([items.map(({ reason }) => reason), total]).toEqual([["c", "b"], 3]);
  expect(traces.find({ deviceNo: 1 }, 1, 2).items.map(({ reason }) => reason)).toEqual(["a"]);
});

test("a failed login of somebody unknown is found under the id that was claimed", async () => {
  const { traces, clock } = start();
  const atMs = clock.now();
  const { deviceNo: _, ...login } = entry({ kind: "login", reason: "unknown_device", detail: "no such device" });
  traces.record({ ...login, claimedId: "nobody" });
  await clock.advance(1_000);
  expect(traces.find({ claimedId: "nobody" }, 0, 10)).toEqual({
    items: [
      {
        deviceNo: undefined,
        claimedId: "nobody",
        atMs,
        kind: "login",
        outcome: "failed",
        reason: "unknown_device",
        detail: "no such device",
      },
    ],
    total: 1,
  });
});

test("what is recorded together is one commit, and long texts are cut", async () => {
  const { traces, clock, commits } = start();
  traces.record(entry({ detail: "x".repeat(10_000) }));
  traces.record(entry());
  await clock.advance(1_000);
  expect(commits()).toBe(1);
  expect(traces.find({ deviceNo: 1 }, 1, 1).items[0]?.detail).toHaveLength(500);
});

test("a flood of one device is thinned and counted, and does not hide the others", async () => {
  const { traces, clock, count } = start();
  for (let index = 0; index < 100; index++) traces.record(entry());
  traces.record(entry({ deviceNo: 2 }));
  await clock.advance(1_000);
  expect(traces.find({ deviceNo: 1 }, 0, 1).total).toBe(10);
  expect(traces.find({ deviceNo: 2 }, 0, 1).total).toBe(1);
  expect([count("stored"), count("thinned")]).toEqual([11, 90]);
  traces.record(entry());
  await clock.advance(1_000);
  expect(traces.find({ deviceNo: 1 }, 0, 1).total).toBe(11);
});

test("made-up ids use up their own budget only", async () => {
  const { traces, clock, count } = start();
  const { deviceNo: _, ...login } = entry({ kind: "login" });
  for (let index = 0; index < 1_000; index++) traces.record({ ...login, claimedId: `made-up-${index}` });
  traces.record(entry());
  await clock.advance(1_000);
  expect(count("stored")).toBe(51);
  expect(traces.find({ deviceNo: 1 }, 0, 1).total).toBe(1);
});

test("what waits for a disk that stands still is bounded", async () => {
  const { traces, clock, count, disk } = start({ maxWaitingTraces: 20, maxPerSecondEach: 1_000 });
  disk.stalls = true;
  traces.record(entry());
  await clock.advance(1_000);
  for (let index = 0; index < 100; index++) traces.record(entry());
  expect(count("thinned")).toBe(80);
});

test("a commit that fails loses its entries, is counted, and the next one goes on", async () => {
  const { traces, clock, count, disk } = start();
  disk.fails = true;
  traces.record(entry());
  await clock.advance(1_000);
  disk.fails = false;
  traces.record(entry({ reason: "later" }));
  await clock.advance(1_000);
  expect([count("lost"), count("stored")]).toEqual([1, 1]);
});

test("stopping writes what is waiting", async () => {
  const { traces } = start();
  traces.record(entry());
  await traces.stop();
  traces.record(entry());
  expect(traces.find({ deviceNo: 1 }, 0, 1).total).toBe(1);
});

test("a device keeps about its newest entries only", async () => {
  const { traces, clock } = start({ maxTracesPerDevice: 150, maxPerSecondEach: 1_000 });
  traces.record(entry({ deviceNo: 2 }));
  for (let index = 0; index < 500; index++) {
    traces.record(entry({ reason: `${index}` }));
    if (index % 50 === 0) await clock.advance(1_000);
  }
  await clock.advance(1_000);
  const { items, total } = traces.find({ deviceNo: 1 }, 0, 1);
  expect(items[0]?.reason).toBe("499");
  expect(total).toBeGreaterThanOrEqual(150);
  expect(total).toBeLessThanOrEqual(250);
  expect(traces.find({ deviceNo: 2 }, 0, 1).total).toBe(1);
});

test("entries go after three days, and the oldest when there are too many", async () => {
  const { traces, clock, purge, settings } = start({ maxTraces: 30, maxPerSecondEach: 1_000 });
  traces.record(entry());
  await clock.advance(settings.traceKeepMs - 1);
  purge();
  expect(traces.find({ deviceNo: 1 }, 0, 1).total).toBe(1);
  for (let index = 0; index < 130; index++) traces.record(entry({ deviceNo: 2 }));
  await clock.advance(1_000);
  purge();
  expect(traces.find({ deviceNo: 1 }, 0, 1).total).toBe(0);
  expect(traces.find({ deviceNo: 2 }, 0, 1).total).toBe(30);
});
