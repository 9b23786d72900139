/**
 * Reports as fast as it can until it is killed; every acknowledged message is a line `device sequence` on standard output.
 * Usage: bun crash-child.ts <database> <first sequence number of each device, joined by commas>
 */
import { writeSync } from "node:fs";
import { TELEMETRY_MIGRATIONS } from "../../../../migrations";
import { systemClock } from "../../../platform/clock";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import { openDatabase, openForReading } from "../../../platform/storage/open-database";
import { startStorageWriter } from "../../../platform/storage/storage-writer";
import { createIngest } from "../ingest";
import { startMovingRecents } from "../move-recent";
import { openRecentBlocks } from "../recent-blocks";
import type { AckSink } from "../report";
import { INGEST_DEFAULTS, RECENT_DEFAULTS } from "../settings";
import { liveDevice, nobody } from "./fixtures";

const WINDOW = 30;
const [path = "", firsts = ""] = process.argv.slice(2);
openDatabase(path, { migrations: TELEMETRY_MIGRATIONS }).close();
const writer = await startStorageWriter(path, "full");
const reads = openForReading(path);
const recents = await openRecentBlocks(reads, writer);
const common = { writer, recents, clock: systemClock, log: silentLog, metrics: createMetrics() };
// Moves all the time, a few devices a step, so that the kill comes in the middle of one.
startMovingRecents({
  ...common,
  settings: { ...RECENT_DEFAULTS, recentMaxBlocks: 40, moveIntervalMs: 1, moveStepBlocks: 3, deleteStepRows: 7 },
});
const ingest = createIngest({
  ...common,
  reads,
  trace: { record() {} },
  notifier: nobody,
  settings: { ...INGEST_DEFAULTS, maxBatchMessages: 50, maxStates: 6 }, // small, so that states leave the memory
});

for (const [index, first] of firsts.split(",").map(Number).entries()) {
  const device = liveDevice(index + 1);
  let next = first;
  let credit = WINDOW;
  let lines = "";
  const sink: AckSink = {
    acknowledge(ticket) {
      lines += `${device.no} ${ticket}\n`;
      credit++;
    },
    abandon() {
      throw new Error("a report could not be stored");
    },
    flush() {
      writeSync(1, lines);
      lines = "";
      setImmediate(send);
    },
  };
  const send = () => {
    for (; credit > 0; credit--) {
      const sequence = next++;
      // A property that only every other message has: the shadow must be merged over restarts.
      const data = sequence % 2 ? { temperature: sequence } : { temperature: sequence, humidity: sequence };
      ingest.report(device, [{ serviceId: "Environment", data, eventTimeMs: undefined }], sink, sequence, {
        sql: "INSERT INTO device_seen (device_no, seen_ms) VALUES (?, ?)",
        values: [device.no * 1_000_000 + sequence, 0],
      });
    }
  };
  send();
}
