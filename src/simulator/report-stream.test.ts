import { beforeEach, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../platform/testing/manual-clock";
import { seededRandom } from "../platform/testing/seeded-random";
import { decodePacket, encodeString, FrameReader, type Packet, type QoS } from "../wire/mqtt";
import { createHistogram } from "./histogram";
import { reportStream } from "./report-stream";

const SEED = 7;
let clock: ManualClock;
beforeEach(() => {
  clock = manualClock();
});

function start({ window = 4, flood = true, qos = 1 as QoS, payload = "v=2#.##" } = {}) {
  const writes: Packet[][] = [];
  const frames = new FrameReader(1 << 20);
  const counters = { sent: 0, acknowledged: 0, skipped: 0 };
  const latencies = createHistogram();
  const device = {
    reportsTo: encodeString("t"),
    isFull: false,
    sendBytes(bytes: Uint8Array) {
      const packets: Packet[] = [];
      frames.push(bytes.slice());
      while (frames.next()) packets.push(decodePacket(frames.firstByte, frames.body().slice()));
      writes.push(packets);
    },
  };
  const stream = reportStream({
    device,
    payload,
    qos,
    window,
    flood,
    clock,
    random: seededRandom(SEED),
    latencies,
    counters,
  });
  const ids = () => writes.splice(0).map((packets) => packets.map((it) => ("packetId" in it ? it.packetId : -1)));
  return { stream, writes, ids, counters, latencies, device };
}

test("fills its window in one write, each packet whole and with digits of its own", () => {
  const { stream, writes } = start();
  stream.start();
  expect(writes.length).toBe(1);
  const packets = writes[0] as Extract<Packet, { type: "publish" }>[];
  expect(packets.map(({ type, topic, qos, packetId }) => [type, topic, qos, packetId])).toEqual([
    ["publish", "t", 1, 1],
    ["publish", "t", 1, 2],
    ["publish", "t", 1, 3],
    ["publish", "t", 1, 4],
  ]);
  const texts = packets.map(({ payload }) => Buffer.from(payload).toString());
  for (const text of texts) expect(text).toMatch(/^v=2\d\.\d\d$/);
  expect(new Set(texts).size).toBeGreaterThan(1);
});

test("counts its reports where it is asked to", () => {
  const { stream, writes } = start({ window: 2, payload: "n=1@@ #" });
  stream.start();
  for (let round = 0; round < 5; round++) {
    stream.acknowledged(1);
    stream.acknowledged(2);
    stream.goOn();
  }
  const numbers = writes.flat().map((it) =>
    Buffer.from("payload" in it ? it.payload : "")
      .toString()
      .slice(2, 5),
  );
  expect(numbers).toEqual(Array.from({ length: 12 }, (_, index) => String(100 + index)));
});

test("sends again what was acknowledged, side by side in one write, after the chunk", () => {
  const { stream, ids, counters } = start();
  stream.start();
  ids();
  for (const packetId of [2, 3, 1]) stream.acknowledged(packetId);
  expect(ids()).toEqual([]);
  stream.goOn();
  expect(ids()).toEqual([[2, 3], [1]]);
  expect(counters).toEqual({ sent: 7, acknowledged: 3, skipped: 0 });
});

test("an acknowledgement counts once, and only for what was sent", () => {
  const { stream, counters } = start({ window: 2, flood: false });
  stream.start();
  stream.owe(0);
  for (const packetId of [1, 1, 2, 3, 60_000]) stream.acknowledged(packetId);
  expect(counters.acknowledged).toBe(1);
});

test("latency counts from when the report was due, also while it waited for a place", async () => {
  const { stream, ids, latencies } = start({ window: 1, flood: false });
  stream.start();
  stream.owe(clock.monotonic());
  stream.owe(clock.monotonic());
  expect(ids()).toEqual([[1]]);
  await clock.advance(30);
  stream.acknowledged(1);
  stream.goOn();
  expect(ids()).toEqual([[1]]);
  await clock.advance(20);
  stream.acknowledged(1);
  stream.goOn();
  expect([latencies.quantile(0.5), latencies.max]).toEqual([235 * 128 - 1, 50_000]); // the upper end of the bucket of 30,000
});

test("what is due has bounds, and what is beyond is counted", () => {
  const { stream, counters } = start({ window: 1, flood: false });
  stream.start();
  for (let count = 0; count < 1_101; count++) stream.owe(0);
  expect(counters).toEqual({ sent: 1, acknowledged: 0, skipped: 100 });
});

test("a new connection starts with the whole window", () => {
  const { stream, ids } = start();
  stream.start();
  stream.acknowledged(1);
  ids();
  stream.reconnected();
  expect(ids()).toEqual([[1, 2, 3, 4]]);
});

test("QoS 0 has no ids, waits for nobody and stops at a full socket", () => {
  const { stream, writes, counters, device } = start({ qos: 0 });
  stream.start();
  stream.resume();
  expect(writes.map((packets) => packets.length)).toEqual([4, 4]);
  device.isFull = true;
  stream.resume();
  expect(counters).toEqual({ sent: 8, acknowledged: 8, skipped: 0 });
});

test("nothing is sent after the stop", () => {
  const { stream, ids } = start();
  stream.start();
  stream.stop();
  ids();
  stream.acknowledged(1);
  stream.goOn();
  stream.owe(0);
  expect(ids()).toEqual([]);
});
