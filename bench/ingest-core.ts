/**
 * The ingest path alone: reports of some devices go straight into the pipeline, JSON.parse included, and a "connection"
 * sends its next message when one is acknowledged. Usage: bun bench/ingest-core.ts [devices] [window] [seconds] [rate/s]
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TELEMETRY_MIGRATIONS } from "../migrations";
import { createIngest } from "../src/capabilities/telemetry/ingest";
import { startMovingRecents } from "../src/capabilities/telemetry/move-recent";
import { openRecentBlocks } from "../src/capabilities/telemetry/recent-blocks";
import type { AckSink } from "../src/capabilities/telemetry/report";
import { INGEST_DEFAULTS, RECENT_DEFAULTS } from "../src/capabilities/telemetry/settings";
import { liveDevice, nobody } from "../src/capabilities/telemetry/testing/fixtures";
import { systemClock } from "../src/platform/clock";
import { createLog } from "../src/platform/log";
import { createMetrics } from "../src/platform/metrics";
import { openDatabase, openForReading } from "../src/platform/storage/open-database";
import { startStorageWriter } from "../src/platform/storage/storage-writer";

const [devices = 100, window = 20, seconds = 5, rate = 0] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), "islet-core-bench-"));
const path = join(folder, "telemetry.db");
openDatabase(path, { migrations: TELEMETRY_MIGRATIONS }).close();
const writer = await startStorageWriter(path, "full");
const metrics = createMetrics();
const log = createLog({
  level: "warn",
  format: "json",
  clock: systemClock,
  write: (line) => process.stderr.write(line),
});
const reads = openForReading(path);
const recents = await openRecentBlocks(reads, writer);
const moving = startMovingRecents({ recents, writer, clock: systemClock, log, metrics, settings: RECENT_DEFAULTS });
const ingest = createIngest({
  writer,
  recents,
  reads,
  clock: systemClock,
  log,
  metrics,
  trace: { record() {} },
  notifier: nobody,
  settings: { ...INGEST_DEFAULTS, ...(process.env.SETTINGS ? JSON.parse(process.env.SETTINGS) : {}) },
});

let acknowledged = 0;
let sequence = 0;
let running = true;
const latencies: number[] = [];
const payloads = Array.from(
  { length: 1_000 },
  (_, index) =>
    `{"msgType":"deviceReq","data":[{"serviceId":"Environment","serviceData":{"temperature":${20 + (index % 10)}.5,"humidity":${index % 100},"state":"OK"}}]}`,
);
type Message = { data: { serviceId: string; serviceData: Record<string, unknown> }[] };

function connection(no: number) {
  const device = liveDevice(no);
  const sentAt: number[] = [];
  let nextTicket = 0;
  let credit = 0;
  const sink: AckSink = {
    acknowledge(ticket) {
      acknowledged++;
      credit++;
      const at = sentAt[ticket];
      if (at !== undefined) {
        latencies.push(systemClock.monotonic() - at);
        delete sentAt[ticket];
      }
    },
    abandon() {
      throw new Error("a report was not stored");
    },
    flush() {
      const due = credit;
      credit = 0;
      if (rate === 0 && running) setImmediate(() => send(due));
    },
  };
  function send(count: number): void {
    for (let index = 0; index < count; index++) {
      const { data } = JSON.parse(payloads[sequence++ % payloads.length] as string) as Message;
      const reports = data.map(({ serviceId, serviceData }) => ({
        serviceId,
        data: serviceData,
        eventTimeMs: undefined,
      }));
      const ticket = nextTicket++;
      if (ticket % 50 === 0) sentAt[ticket] = systemClock.monotonic();
      ingest.report(device, reports, sink, ticket);
    }
  }
  return { send };
}

const connections = Array.from({ length: devices }, (_, index) => connection(index + 1));
const cpu = process.cpuUsage();
const start = systemClock.monotonic();
if (rate === 0) for (const { send } of connections) send(window);
else {
  const tick = setInterval(() => {
    const due = Math.floor(((systemClock.monotonic() - start) / 1_000) * rate);
    if (!running) return clearInterval(tick);
    for (let sent = sequence; sent < due; sent++) connections[sent % devices]?.send(1);
  }, 1);
}
await Bun.sleep(seconds * 1_000);
running = false;
const elapsed = (systemClock.monotonic() - start) / 1_000;
const used = process.cpuUsage(cpu);
const count = acknowledged;
await ingest.settled();
await moving.stop();
await writer.close();
latencies.sort((a, b) => a - b);
const quantile = (share: number) => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2);
console.log(
  JSON.stringify({
    devices,
    window,
    reportsPerSecond: Math.round(count / elapsed),
    cpuMicrosPerReport: +((used.user + used.system) / count).toFixed(2),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(0.9999),
    bytesPerReport: Math.round(statSync(path).size / acknowledged),
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
  }),
);
if (process.env.METRICS) console.log(metrics.render());
rmSync(folder, { recursive: true });
process.exit(0);
