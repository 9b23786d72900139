/**
 * Five million rows of history that are over their time are purged while reports come in at a steady rate.
 * Usage: bun bench/purge.ts [rows] [rate/s] [devices of the old rows]
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TELEMETRY_MIGRATIONS } from "../migrations";
import { createHistory } from "../src/capabilities/telemetry/history";
import { createIngest } from "../src/capabilities/telemetry/ingest";
import { startPurge } from "../src/capabilities/telemetry/purge";
import { historyPurge } from "../src/capabilities/telemetry/purge-history";
import type { AckSink } from "../src/capabilities/telemetry/report";
import { HISTORY_DEFAULTS, INGEST_DEFAULTS, PURGE_DEFAULTS } from "../src/capabilities/telemetry/settings";
import { liveDevice, nobody } from "../src/capabilities/telemetry/testing/fixtures";
import { systemClock } from "../src/platform/clock";
import { createLog } from "../src/platform/log";
import { createMetrics } from "../src/platform/metrics";
import { openDatabase, openForReading } from "../src/platform/storage/open-database";
import { startStorageWriter } from "../src/platform/storage/storage-writer";

const [rows = 5_000_000, rate = 20_000, oldDevices = 20_000] = process.argv.slice(2).map(Number);
const DAY_MS = 86_400_000;
const now = systemClock.now();
const folder = mkdtempSync(join(tmpdir(), "islet-core-bench-"));
const path = join(folder, "telemetry.db");
const db = openDatabase(path, { migrations: TELEMETRY_MIGRATIONS, durability: "relaxed" });
db.run(`INSERT INTO history_block (device_no, stored_ms, min_ms, max_ms, count, records)
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${rows})
  SELECT 10000 + i % ${oldDevices}, at, at, at, 1, '{"s":"Environment","t":[' || at || '],"d":[{"temperature":20.5,"humidity":40}]}'
  FROM (SELECT i, ${now - 8 * DAY_MS} + i * 80000000 / ${rows} AS at FROM n)`);
db.run("PRAGMA wal_checkpoint(TRUNCATE)");
db.close();
const filledBytes = statSync(path).size;
console.error(`filled: ${rows} rows, ${Math.round(filledBytes / 2 ** 20)} MB`);

const writer = await startStorageWriter(path, "full");
const reads = openForReading(path);
const log = createLog({
  level: "warn",
  format: "json",
  clock: systemClock,
  write: (line) => process.stderr.write(line),
});
const metrics = createMetrics();
const settings = { ...PURGE_DEFAULTS, ...JSON.parse(process.env.SETTINGS ?? "{}") };
const ingest = createIngest({
  writer,
  reads,
  clock: systemClock,
  log,
  metrics,
  trace: { record() {} },
  notifier: nobody,
  settings: INGEST_DEFAULTS,
});

/** Latencies of a steady load until `done` says so. */
async function load(done: () => boolean): Promise<Record<string, number>> {
  const latencies: number[] = [];
  const delays: number[] = [];
  const devices = Array.from({ length: 1_000 }, (_, index) => liveDevice(index + 1));
  const sentAt: number[] = [];
  const sink: AckSink = {
    acknowledge: (ticket) => void latencies.push(systemClock.monotonic() - (sentAt[ticket] as number)),
    abandon() {
      throw new Error("a report was not stored");
    },
    flush() {},
  };
  const start = systemClock.monotonic();
  let sent = 0;
  for (let tick = start; !done(); ) {
    await Bun.sleep(1);
    const at = systemClock.monotonic();
    delays.push(at - tick - 1);
    tick = at;
    for (const due = Math.floor(((at - start) / 1_000) * rate); sent < due; sent++) {
      sentAt[sent] = at;
      const { serviceId, data } = JSON.parse(
        `{"serviceId":"Environment","data":{"temperature":${sent % 50},"humidity":${sent % 100}}}`,
      );
      ingest.report(
        devices[sent % devices.length] as ReturnType<typeof liveDevice>,
        [{ serviceId, data, eventTimeMs: undefined }],
        sink,
        sent,
      );
    }
  }
  await ingest.settled();
  const quantile = (values: number[], share: number) =>
    +(values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0).toFixed(2);
  return {
    seconds: +((systemClock.monotonic() - start) / 1_000).toFixed(1),
    sent,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    p999Ms: quantile(latencies, 0.999),
    maxMs: quantile(latencies, 1 - 1 / latencies.length),
    loopDelayP99Ms: quantile(delays, 0.99),
  };
}
const left = reads.query<{ n: number }, []>("SELECT COUNT(*) AS n FROM history_block WHERE device_no >= 10000");

const until = systemClock.monotonic() + 5_000;
console.log(JSON.stringify({ without: await load(() => systemClock.monotonic() > until) }));

const history = createHistory({ reads, settings: HISTORY_DEFAULTS });
const queriedAt = systemClock.monotonic();
await history.page({ deviceNos: [10_001], page: 0, pageSize: 100 });
console.log(JSON.stringify({ queryMs: +(systemClock.monotonic() - queriedAt).toFixed(2) }));

let isDone = false;
const progress = setInterval(() => {
  const row = reads.query<{ no: number }, []>("SELECT MIN(no) AS no FROM history_block").get();
  const steps = metrics
    .render()
    .match(/islet_purge_step_seconds_(?:sum|count) .*/g)
    ?.join(", ");
  console.error(`purged: ${(row?.no ?? 0) - 1} rows; ${steps}`);
}, 15_000);
const purge = startPurge({
  tasks: [
    historyPurge({ reads, clock: systemClock, overrides: { agingOverrides: () => [] }, settings }),
    {
      name: "end",
      // biome-ignore lint/correctness/useYield: it only tells that the round is over
      *round() {
        isDone = true;
      },
    },
  ],
  writer,
  clock: systemClock,
  log,
  metrics,
  settings,
});
const during = await load(() => isDone);
console.log(JSON.stringify({ during, rowsPerSecond: Math.round(rows / (during.seconds ?? 1)) }));
console.log(JSON.stringify({ left: left.get()?.n, fileMb: Math.round(statSync(path).size / 2 ** 20) }));
clearInterval(progress);
await purge.stop();
console.log(
  metrics
    .render()
    .match(/^islet_purge.*$/gm)
    ?.join("\n"),
);
await writer.close();
rmSync(folder, { recursive: true });
process.exit(0);
