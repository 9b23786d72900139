import { expect, test } from "bun:test";
import type { EnclosedRow } from "../../platform/storage/storage-writer";
import type { AckSink, ServiceReport } from "./report";
import { liveDevice, recordingSink } from "./testing/fixtures";
import { startPipeline } from "./testing/pipeline";

const device = liveDevice(1);
const reports: ServiceReport[] = [{ serviceId: "Environment", data: { temperature: 1 }, eventTimeMs: undefined }];
const marker = (no: number, committed?: () => void): EnclosedRow => ({
  sql: "INSERT INTO device_seen (device_no, seen_ms) VALUES (?, ?)",
  values: [no, 0],
  ...(committed && { committed }),
});
const sent = ({ disk }: ReturnType<typeof startPipeline>) => disk.pending.length;

test("at most two batches are under way; what comes meanwhile is the next one", async () => {
  const it = startPipeline();
  const sink = recordingSink();
  for (let turn = 1; turn <= 5; turn++) {
    it.ingest.report(device, reports, sink, turn);
    it.endTurn();
  }
  expect(sent(it)).toBe(2);
  await it.disk.next();
  expect(sink.heard).toEqual(["ack 1", "flush"]);
  expect(sent(it)).toBe(2); // the second, and one of the three that waited
  await it.disk.next();
  await it.disk.next();
  expect(sink.heard).toEqual(["ack 1", "flush", "ack 2", "flush", "ack 3", "ack 4", "ack 5", "flush"]);
  expect(sent(it)).toBe(0);
});

test("a full batch is closed, and the next one follows when it may", async () => {
  const it = startPipeline({ settings: { maxBatchMessages: 2 } });
  const sink = recordingSink();
  for (let ticket = 1; ticket <= 7; ticket++) it.ingest.report(device, reports, sink, ticket);
  await it.store();
  expect(it.db.query("SELECT count FROM history_recent ORDER BY no").all()).toEqual(
    [2, 2, 2, 1].map((count) => ({ count })),
  );
  expect(sink.heard.filter((word) => word !== "flush")).toEqual([1, 2, 3, 4, 5, 6, 7].map((ticket) => `ack ${ticket}`));
});

test("answers come in the order of the calls, over all kinds of messages, one flush for each sink", async () => {
  const it = startPipeline();
  const heard: string[] = [];
  const [a, b] = [recordingSink(heard, "a "), recordingSink(heard, "b ")];
  it.ingest.report(device, reports, a, 1);
  it.ingest.pass(b, 1);
  it.ingest.report(liveDevice(2, { muted: true }), reports, a, 2);
  it.ingest.pass(a, 3);
  it.ingest.report(device, reports, b, 2);
  await it.store();
  expect(heard).toEqual(["a ack 1", "b ack 1", "a ack 2", "a ack 3", "b ack 2", "a flush", "b flush"]);
});

test("a message with nothing to write waits for those before it", async () => {
  const it = startPipeline();
  const sink = recordingSink();
  it.ingest.report(device, reports, sink, 1);
  it.endTurn();
  it.ingest.pass(sink, 2);
  it.endTurn();
  await Promise.resolve();
  expect(sink.heard).toEqual([]);
  await it.disk.next();
  expect(sink.heard.filter((word) => word !== "flush")).toEqual(["ack 1", "ack 2"]);
});

test("enclosed rows are written with their message, and `committed` comes before the answers", async () => {
  const it = startPipeline();
  const heard: string[] = [];
  it.ingest.report(
    device,
    reports,
    recordingSink(heard),
    1,
    marker(701, () => heard.push("committed 1")),
  );
  it.ingest.pass(
    recordingSink(heard),
    2,
    marker(702, () => heard.push("committed 2")),
  );
  it.endTurn();
  expect(heard).toEqual([]);
  await it.store();
  expect(heard.slice(0, 4)).toEqual(["committed 1", "committed 2", "ack 1", "ack 2"]);
  expect(it.db.query("SELECT COUNT(*) AS n FROM device_seen WHERE device_no > 700").get()).toEqual({ n: 2 });
});

test("a batch that could not be written is abandoned; the next one, and the state in memory, go on", async () => {
  const it = startPipeline();
  const sink = recordingSink();
  it.ingest.report(
    device,
    reports,
    sink,
    1,
    marker(701, () => sink.heard.push("committed")),
  );
  it.endTurn();
  await it.disk.fail();
  expect(sink.heard).toEqual(["abandon 1", "flush"]);
  expect(it.counted("lost", "store_failed")).toBe(1);
  it.ingest.report(device, [{ ...reports[0], data: { humidity: 2 } } as ServiceReport], sink, 2);
  await it.store();
  expect(sink.heard.slice(2)).toEqual(["ack 2", "flush"]);
  expect(it.db.query("SELECT reported FROM shadow").get()).toEqual({ reported: '{"temperature":1,"humidity":2}' });
  expect(it.db.query("SELECT COUNT(*) AS n FROM device_seen WHERE device_no = 1").get()).toEqual({ n: 1 });
});

test("a message whose state cannot be loaded is abandoned alone, without its rows", async () => {
  const it = startPipeline();
  const sink = recordingSink();
  it.ingest.report(device, reports, sink, 1);
  const faulty = liveDevice(2);
  Object.defineProperty(faulty, "product", {
    get() {
      throw new Error("not readable");
    },
  });
  it.ingest.report(faulty, reports, sink, 2, marker(701));
  it.ingest.report(device, reports, sink, 3);
  await it.store();
  expect(sink.heard).toEqual(["ack 1", "abandon 2", "ack 3", "flush"]);
  expect(it.db.query("SELECT COUNT(*) AS n FROM device_seen WHERE device_no = 701").get()).toEqual({ n: 0 });
});

test("a sink that throws takes nothing from the others", async () => {
  const it = startPipeline();
  const sink = recordingSink();
  const broken: AckSink = {
    acknowledge() {
      throw new Error("closed");
    },
    abandon() {},
    flush() {
      throw new Error("closed");
    },
  };
  it.ingest.report(device, reports, broken, 1);
  it.ingest.report(device, reports, sink, 2);
  await it.store();
  expect(sink.heard).toEqual(["ack 2", "flush"]);
});

test("congested above the high mark, relieved below the low one", async () => {
  const it = startPipeline({ settings: { queueHighChars: 1_000, queueLowChars: 300, maxBatchMessages: 4 } });
  const sink = recordingSink();
  const isCongested = () => it.ingest.congested;
  const drained: boolean[] = [];
  it.ingest.onDrain(() => drained.push(isCongested()));
  let count = 0;
  while (!isCongested()) it.ingest.report(device, reports, sink, ++count);
  expect(count).toBeGreaterThan(8);
  it.endTurn();
  await it.disk.next();
  expect(isCongested()).toBe(true);
  expect(drained).toEqual([]);
  while (it.disk.pending.length > 0) await it.disk.next();
  expect(isCongested()).toBe(false);
  expect(drained).toEqual([false]);
  expect(sink.heard.filter((word) => word.startsWith("ack"))).toHaveLength(count);
});

test("settled waits until everything has been answered", async () => {
  const it = startPipeline();
  await it.ingest.settled();
  const sink = recordingSink();
  it.ingest.report(device, reports, sink, 1);
  let isSettled = false;
  const settled = it.ingest.settled().then(() => {
    isSettled = true;
  });
  it.endTurn();
  await Promise.resolve();
  expect(isSettled).toBe(false);
  await it.disk.next();
  await settled;
  expect(sink.heard).toEqual(["ack 1", "flush"]);
});
