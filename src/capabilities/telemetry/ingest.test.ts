import { expect, test } from "bun:test";
import type { EnclosedRow } from "../../platform/storage/storage-writer";
import { createHistory } from "./history";
import type { AcceptedReport, ReportNotifier, ServiceReport } from "./report";
import { HISTORY_DEFAULTS } from "./settings";
import { liveDevice, recordingSink, testProduct } from "./testing/fixtures";
import { startPipeline } from "./testing/pipeline";

const report = (data: Record<string, unknown>, change: Partial<ServiceReport> = {}): ServiceReport => ({
  serviceId: "Environment",
  data,
  eventTimeMs: undefined,
  ...change,
});
type Pipeline = ReturnType<typeof startPipeline>;
async function historyOf({ db, recents }: Pipeline, deviceNo = 1) {
  const { items } = await createHistory({ reads: db, recents, settings: HISTORY_DEFAULTS }).page({
    deviceNos: [deviceNo],
    page: 0,
    pageSize: 100,
  });
  return items.map(({ serviceId, timestampMs, data }) => ({ serviceId, timestampMs, data }));
}
const shadowOf = ({ db }: Pipeline, deviceNo = 1) =>
  Object.fromEntries(
    db
      .query<{ service_id: string; reported: string }, [number]>("SELECT * FROM shadow WHERE device_no = ?")
      .all(deviceNo)
      .map(({ service_id, reported }) => [service_id, JSON.parse(reported)]),
  );
const seenOf = ({ db }: Pipeline, deviceNo = 1) =>
  db.query<{ seen_ms: number }, [number]>("SELECT seen_ms FROM device_seen WHERE device_no = ?").get(deviceNo)?.seen_ms;

test("a report is in history, shadow and last seen when it is acknowledged, not before", async () => {
  const it = startPipeline();
  const sink = recordingSink();
  it.ingest.report(
    liveDevice(1),
    [report({ temperature: 20 }), report({ level: 5 }, { serviceId: "Battery" })],
    sink,
    7,
  );
  it.endTurn();
  expect(sink.heard).toEqual([]);
  await it.store();
  expect(sink.heard).toEqual(["ack 7", "flush"]);
  const timestampMs = it.clock.now();
  expect(await historyOf(it)).toEqual([
    { serviceId: "Battery", timestampMs, data: { level: 5 } },
    { serviceId: "Environment", timestampMs, data: { temperature: 20 } },
  ]);
  expect(shadowOf(it)).toEqual({ Environment: { temperature: 20 }, Battery: { level: 5 } });
  expect(seenOf(it)).toBe(timestampMs);
  expect(it.counted("stored", "fits")).toBe(2);
});

test("all reports of a device in a batch are one row of history and one of shadow", async () => {
  const it = startPipeline();
  const device = liveDevice(1);
  for (let index = 0; index < 5; index++)
    it.ingest.report(device, [report({ temperature: index })], recordingSink(), 0);
  await it.store();
  expect(it.db.query("SELECT count FROM history_recent").all()).toEqual([{ count: 5 }]);
  expect(shadowOf(it)).toEqual({ Environment: { temperature: 4 } });
});

const deep = JSON.parse(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`);
const REFUSALS: [reason: string, refused: ServiceReport][] = [
  ["unknown_service", report({ x: 1 }, { serviceId: "Nothing" })],
  ["misfit", report({ pressure: 1 })],
  ["too_deep", report({ temperature: deep })],
  ["too_large", report({ state: "x".repeat(70_000) })],
];
test.each(REFUSALS)(
  "%s: the report is refused, the other services of the message are stored",
  async (reason, refused) => {
    const it = startPipeline();
    const sink = recordingSink();
    it.ingest.report(liveDevice(1), [refused, report({ temperature: 1 })], sink, 1);
    await it.store();
    expect(sink.heard).toEqual(["ack 1", "flush"]);
    expect((await historyOf(it)).map(({ data }) => data)).toEqual([{ temperature: 1 }]);
    expect(it.traced).toEqual([
      { deviceNo: 1, kind: "report", outcome: "failed", reason, detail: expect.stringContaining(refused.serviceId) },
    ]);
    expect(it.counted("refused", reason)).toBe(1);
  },
);

test("a hostile depth is refused without being walked", async () => {
  const it = startPipeline();
  const bottomless = JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`);
  it.ingest.report(liveDevice(1), [report({ temperature: bottomless })], recordingSink(), 1);
  await it.store();
  expect(it.counted("refused", "too_deep")).toBe(1);
});

const QUIET: [reason: string, device: ReturnType<typeof liveDevice>][] = [
  ["device_muted", liveDevice(1, { muted: true })],
  ["history_off", liveDevice(1, { storeHistory: false })],
  ["device_deleted", liveDevice(1, { deleted: true })],
];
test.each(QUIET)("%s: acknowledged, neither stored nor pushed", async (reason, device) => {
  const { told, notifier } = listening();
  const it = startPipeline({ notifier });
  const sink = recordingSink();
  it.ingest.report(device, [report({ temperature: 1 })], sink, 1);
  await it.store();
  expect(sink.heard).toEqual(["ack 1", "flush"]);
  expect(await historyOf(it)).toEqual([]);
  expect(shadowOf(it)).toEqual({});
  expect(told).toEqual([]);
  expect(it.counted("dropped", reason)).toBe(1);
});

const OUTBOX = "INSERT INTO device_seen (device_no, seen_ms) VALUES (?, ?)"; // any table of telemetry.db will do
const row = (no: number, committed?: () => void): EnclosedRow => ({
  sql: OUTBOX,
  values: [no, 0],
  ...(committed && { committed }),
});
function listening(rows: readonly EnclosedRow[] = []) {
  const told: (readonly AcceptedReport[])[] = [];
  const notifier: ReportNotifier = {
    rowsFor(_device, reports) {
      told.push(reports);
      return rows;
    },
  };
  return { told, notifier };
}

test("who listens is told what fits, with the time that counts, and its rows join the transaction", async () => {
  const { told, notifier } = listening([row(900)]);
  const it = startPipeline({ notifier });
  it.ingest.report(liveDevice(1), [report({ temperature: 1 }), report({ x: 1 })], recordingSink(), 1);
  it.endTurn();
  expect(told).toEqual([
    [
      {
        serviceId: "Environment",
        serviceType: "EnvironmentType",
        data: { temperature: 1 },
        timestampMs: it.clock.now(),
      },
    ],
  ]);
  expect(it.disk.pending[0]?.steps.map(({ sql }) => sql)).toContain(OUTBOX);
  await it.store();
  expect(seenOf(it, 900)).toBe(0);
});

test("nobody is asked when push is off or nobody wants it", async () => {
  const { told, notifier } = listening();
  const it = startPipeline({ notifier: { ...notifier, wants: ({ no }) => no === 3 } });
  it.ingest.report(liveDevice(1, { pushEnabled: false }), [report({ temperature: 1 })], recordingSink(), 1);
  it.ingest.report(liveDevice(2), [report({ temperature: 2 })], recordingSink(), 1);
  it.ingest.report(liveDevice(3), [report({ temperature: 3 })], recordingSink(), 1);
  await it.store();
  expect(told.flat().map(({ data }) => data)).toEqual([{ temperature: 3 }]);
});

test.each([
  ["without services", testProduct({})],
  ["that is unknown", undefined],
])("a product %s: nothing is stored, but whatever comes is forwarded", async (_what, product) => {
  const { told, notifier } = listening();
  const it = startPipeline({ notifier });
  it.ingest.report(liveDevice(1, { product }), [report({ any: 1 }, { serviceId: "raw" })], recordingSink(), 1);
  await it.store();
  expect(told.flat()).toMatchObject([{ serviceId: "raw", serviceType: "raw", data: { any: 1 } }]);
  expect(await historyOf(it)).toEqual([]);
  expect(it.counted("forwarded", "pass_through")).toBe(1);
});

test("a notification that cannot be made does not keep the data out", async () => {
  const it = startPipeline({
    notifier: {
      rowsFor() {
        throw new Error("cannot render");
      },
    },
  });
  const sink = recordingSink();
  it.ingest.report(liveDevice(1), [report({ temperature: 1 })], sink, 1);
  await it.store();
  expect(sink.heard).toEqual(["ack 1", "flush"]);
  expect(await historyOf(it)).toHaveLength(1);
});

test("the time of the device counts, unless it is far ahead", async () => {
  const it = startPipeline({ settings: { futureToleranceMs: 1_000 } });
  const now = it.clock.now();
  for (const [index, eventTimeMs] of [now - 86_400_000, now + 1_000, now + 1_001].entries())
    it.ingest.report(liveDevice(1), [report({ temperature: index }, { eventTimeMs })], recordingSink(), 1);
  await it.store();
  expect((await historyOf(it)).map(({ timestampMs, data }) => [timestampMs - now, data.temperature])).toEqual([
    [1_000, 1],
    [0, 2],
    [-86_400_000, 0],
  ]);
  expect(shadowOf(it)).toEqual({ Environment: { temperature: 2 } }); // not held up by the clock that runs ahead
});

test("last seen is written again only after its step, and read from memory meanwhile", async () => {
  const it = startPipeline({ settings: { lastSeenStepMs: 1_000 } });
  const device = liveDevice(1);
  const first = it.clock.now();
  for (const waitMs of [0, 999, 1]) {
    await it.clock.advance(waitMs);
    it.ingest.report(device, [report({ temperature: 1 })], recordingSink(), 1);
    await it.store();
    expect(seenOf(it)).toBe(waitMs === 1 ? first + 1_000 : first);
    expect(it.ingest.seenInMemory(1)).toBe(it.clock.now());
  }
});

test("the reported state of devices that left the memory is merged with what is on disk", async () => {
  const it = startPipeline({ settings: { maxStates: 8 } });
  for (let round = 0; round < 3; round++)
    for (let no = 1; no <= 40; no++) {
      const data = [{ temperature: no }, { humidity: no }, { state: "x" }][round] as Record<string, unknown>;
      it.ingest.report(liveDevice(no), [report(data)], recordingSink(), 1);
      if (no % 3 === 0) await it.store();
    }
  await it.store();
  expect(shadowOf(it, 17)).toEqual({ Environment: { temperature: 17, humidity: 17, state: "x" } });
  for (let no = 1; no <= 40; no++) expect(Object.keys(shadowOf(it, no).Environment)).toHaveLength(3);
  const states = Array.from({ length: 40 }, (_, no) => it.ingest.seenInMemory(no + 1)).filter((seen) => seen);
  expect(states.length).toBeLessThanOrEqual(8);
});

test("a reported state that cannot be read is begun anew", async () => {
  const it = startPipeline();
  it.db.run("INSERT INTO shadow VALUES (1, 'Environment', '{broken', 0, NULL)");
  it.ingest.report(liveDevice(1), [report({ temperature: 1 })], recordingSink(), 1);
  await it.store();
  expect(shadowOf(it)).toEqual({ Environment: { temperature: 1 } });
});

test("what was reported by a device that is deleted before its batch is written does not outlive it", async () => {
  const it = startPipeline();
  const device = liveDevice(1);
  const sink = recordingSink();
  it.ingest.report(device, [report({ temperature: 1 })], sink, 1);
  it.ingest.report(liveDevice(2), [report({ temperature: 2 })], sink, 2);
  device.deleted = true;
  await it.store();
  expect(sink.heard).toEqual(["ack 1", "ack 2", "flush"]);
  expect(await historyOf(it, 1)).toEqual([]);
  expect([shadowOf(it, 1), seenOf(it, 1)]).toEqual([{}, undefined]);
  expect(await historyOf(it, 2)).toHaveLength(1);
});
