import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { defineBench } from "./bench";
import { registerLoadDevices } from "./support/devices";
import { startLoad } from "./support/load";
import { bucketsOf, quantileBetween, sumOf } from "./support/metrics-text";
import { copyFolder, cpuSeconds, startServer } from "./support/server";

const CONNECTIONS = 1_000;
const RATE = 20_000;
const OLD_MS = 30 * 86_400_000;
const RECORDS_IN_BLOCK = 20;
const PATIENCE_S = 600;
const LOOP_DELAY = "islet_event_loop_delay_seconds";
let devices: Awaited<ReturnType<typeof registerLoadDevices>> = [];

export const purge = defineBench({
  name: "purge",
  about: `deletion of 5 million history rows (in blocks of 20, smaller than this load makes) while ${RATE} reports/s come in`,
  goals: [{ value: "p99Ms", below: 100 }],
  runs: 3,
  async prepare({ quick, print }) {
    const server = await startServer();
    devices = await registerLoadDevices(server, CONNECTIONS);
    await server.stop();
    const rows = quick ? 200_000 : 5_000_000;
    print(`purge: writing ${rows} old rows`);
    fill(join(server.data, "telemetry.db"), rows);
    return { folder: server.data, dispose: () => rmSync(server.data, { recursive: true, force: true }) };
  },
  async run({ quick, print }, { folder }) {
    const rows = quick ? 200_000 : 5_000_000;
    const server = await startServer({ data: copyFolder(folder) });
    const start = performance.now();
    const load = startLoad({ address: server.mqtt, devices, rate: RATE, seconds: 0, warmUpSeconds: 0 });
    await load.reached("measuring");
    const before = bucketsOf(await server.metrics(), LOOP_DELAY);
    const purgedBefore = await purged();
    const cpuBefore = cpuSeconds(server.pid);
    const purgingSince = performance.now();
    let gone = purgedBefore;
    while (gone < rows && performance.now() - start < PATIENCE_S * 1_000) {
      await Bun.sleep(1_000);
      gone = await purged();
      print(`purge: ${gone} rows deleted`);
    }
    const seconds = (performance.now() - purgingSince) / 1_000;
    const cores = (cpuSeconds(server.pid) - cpuBefore) / seconds;
    const after = bucketsOf(await server.metrics(), LOOP_DELAY);
    const { latencyMs, acknowledgedPerSecond, skipped } = await load.stop();
    await server.dispose();
    return {
      p50Ms: latencyMs.p50,
      p99Ms: latencyMs.p99,
      p999Ms: latencyMs.p999,
      acknowledgedPerSecond,
      skipped,
      cores,
      loopDelayP99Ms: quantileBetween(before, after, 0.99) * 1_000,
      deletedPerSecond: (gone - purgedBefore) / seconds,
      leftRows: Math.max(0, rows - gone),
    };

    async function purged(): Promise<number> {
      return sumOf(await server.metrics(), "islet_purged_rows_total");
    }
  },
});

/** Old reports as they stand after they have moved under the index, in smaller blocks than this load makes. */
function fill(path: string, rows: number): void {
  const db = new Database(path, { strict: true });
  db.run("PRAGMA synchronous = OFF");
  db.run("PRAGMA cache_size = -1000000");
  const since = Date.now() - OLD_MS;
  const times = new Array(RECORDS_IN_BLOCK).fill(since).join(",");
  const data = new Array(RECORDS_IN_BLOCK).fill('{"sequence":1000000000,"temperature":23.4,"humidity":47}').join(",");
  db.query(
    `INSERT INTO history_block (device_no, stored_ms, min_ms, max_ms, count, records)
     WITH RECURSIVE number (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number LIMIT ${rows / RECORDS_IN_BLOCK})
     SELECT 1 + i % ${CONNECTIONS}, ${since} + i / 20, ${since} + i / 20, ${since} + i / 20, ${RECORDS_IN_BLOCK}, ?
     FROM number`,
  ).run(`{"s":"Load","t":[${times}],"d":[${data}]}`);
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}
