import { beforeEach, describe, expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../../migrations";
import { eventBus } from "../../platform/events";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { groupCommit } from "../../platform/storage/group-commit";
import { openDatabase } from "../../platform/storage/open-database";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { LwM2mNode, LwM2mValue, ResourceNode } from "../../wire/lwm2m";
import type { ContactEvents, Device, DeviceEvents } from "../devices/device";
import type { TraceEntry } from "../devices/trace-sink";
import { writeSteps } from "../telemetry/testing/write-steps";
import { openResources } from "./open-resources";
import type { ResourceOperation } from "./resource";
import { RESOURCE_DEFAULTS, type ResourceSettings } from "./settings";
import { type FakeResourceLink, fakeResourceLink, settle } from "./testing/fake-link";
import { DELETE_RESOURCE_VALUES_OF_DEVICE } from "./value-repository";

let clock: ManualClock;
let platform: ReturnType<typeof start>;
beforeEach(() => {
  clock = manualClock();
  platform = start();
});

function openStores() {
  return {
    registry: openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS }),
    telemetry: openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS }),
  };
}

/** A platform with the devices 1 and 2, registered and awake. */
function start(change: Partial<ResourceSettings> = {}, stores = openStores(), fake: FakeResourceLink = awake()) {
  const deviceEvents = eventBus<DeviceEvents>();
  const contacts = eventBus<ContactEvents>();
  const metrics = createMetrics();
  const traced: TraceEntry[] = [];
  const transactor = groupCommit(stores.registry);
  const exist = new Set([1, 2]);
  const disk = { fails: false, commits: 0, gate: Promise.resolve() };
  const resources = openResources({
    links: [fake.link],
    devices: { findByNo: (no) => (exist.has(no) ? ({ no } as Device) : undefined) },
    ...{ deviceEvents, contacts, db: stores.registry, transactor, reads: stores.telemetry },
    writer: {
      close: async () => {},
      async commit(steps) {
        await disk.gate;
        if (disk.fails) throw new Error("disk full");
        disk.commits++;
        writeSteps(stores.telemetry, steps);
      },
    },
    ...{ clock, log: silentLog, metrics },
    trace: { record: (entry) => traced.push(entry) },
    settings: { ...RESOURCE_DEFAULTS, ...change },
  });
  return {
    ...{ resources, stores, metrics, traced, disk, fake, contacts },
    heard: (deviceNo: number, hasMore = false) => contacts.emit("deviceHeard", { deviceNo, hasMore }),
    async remove(no: number) {
      await transactor.write(() => {
        deviceEvents.emit("deviceDeleted", { device: { no } as Device });
        exist.delete(no);
      });
    },
    rows: () =>
      stores.telemetry
        .query<{ path: string; value: string | null }, []>(
          `SELECT device_no || ':' || object_id || '/' || instance_id || '/' || resource_id AS path, value
           FROM resource_value ORDER BY 1`,
        )
        .all()
        .map(({ path, value }) => `${path}=${value}`),
  };
}

function awake(): FakeResourceLink {
  const fake = fakeResourceLink();
  for (const no of [1, 2]) {
    fake.register(no);
    fake.wake(no);
  }
  return fake;
}

const value = (type: string, value: unknown) => ({ type, value }) as LwM2mValue;
const one = (id: number, type: string, content: unknown): ResourceNode => ({
  kind: "resource",
  id,
  value: value(type, content),
});
const several = (id: number, ...values: number[]): ResourceNode => ({
  kind: "multipleResource",
  id,
  instances: values.map((it, at) => ({ kind: "resourceInstance", id: at, value: value("integer", it) })),
});
const instance = (id: number, ...resources: ResourceNode[]): LwM2mNode => ({ kind: "objectInstance", id, resources });

const READ: ResourceOperation = { op: "read", path: "/3/0/9" };
const operate = (operation = READ, waitS?: number, deviceNo = 1) =>
  outcome(platform.resources.operate(deviceNo, operation, waitS === undefined ? {} : { waitS }));
const outcome = (work: Promise<unknown>) =>
  work.then(
    (result) => result,
    ({ code, details, message }) => (code ? { ...details, said: details?.code, code } : message),
  );
const battery = (level: number) => ({ kind: "done", node: one(9, "integer", level) }) as const;
const resourceAt = (path: string, deviceNo = 1) =>
  platform.resources
    .tree(deviceNo)
    .flatMap(({ instances }) => instances)
    .flatMap(({ resources }) => resources)
    .find((it) => it.path === path);
const counted = (op: string, result: string) =>
  Number(
    new RegExp(`operations_total{op="${op}",outcome="${result}"} (\\d+)`).exec(platform.metrics.render())?.[1] ?? 0,
  );

describe("an operation", () => {
  test("is sent, answered as JSON, and its value kept", async () => {
    platform.fake.behaveAs(() => battery(80));
    expect(await operate()).toEqual({ path: "/3/0/9", value: 80, links: undefined });
    expect(platform.fake.exchanges).toMatchObject([{ deviceNo: 1, request: { op: "read", path: [3, 0, 9] } }]);
    expect(resourceAt("/3/0/9")).toMatchObject({
      name: "Battery Level",
      value: 80,
      known: true,
      lastSeenMs: clock.now(),
    });
    expect(platform.traced).toMatchObject([
      { deviceNo: 1, kind: "command", outcome: "succeeded", reason: "resource_done", detail: "read /3/0/9" },
    ]);
    expect(counted("read", "done")).toBe(1);
  });

  test.each([
    [
      { kind: "refused", code: "4.05", detail: "no" },
      { code: "DEVICE_REFUSED", said: "4.05", reason: "no", path: "/3/0/9" },
      "refused",
    ],
    [
      { kind: "refused", code: "4.04", detail: undefined },
      { code: "DEVICE_REFUSED", said: "4.04", reason: "4.04", path: "/3/0/9" },
      "refused",
    ],
    [
      { kind: "unreadable", detail: "cut" },
      { code: "DEVICE_REFUSED", said: "unreadable", reason: "cut", path: "/3/0/9" },
      "unreadable",
    ],
    [{ kind: "noAnswer" }, { code: "DEVICE_NO_ANSWER", path: "/3/0/9" }, "no_answer"],
    [{ kind: "unreachable" }, { code: "DEVICE_NOT_REGISTERED", path: "/3/0/9" }, "unreachable"],
  ] as const)("answered with %j fails so", async (answer, error, label) => {
    platform.fake.behaveAs(() => answer);
    expect(await operate()).toEqual(error);
    expect(counted("read", label)).toBe(1);
    expect(platform.traced[0]).toMatchObject({ outcome: "failed", reason: `resource_${label}` });
    expect(
      platform.resources
        .tree(1)
        .flatMap((it) => it.instances)
        .flatMap((it) => it.resources)
        .some((it) => it.known),
    ).toBe(false);
  });

  test("is refused before anything is sent", async () => {
    expect(await operate({ op: "write", path: "/3/0/9", value: 1 })).toMatchObject({
      code: "INPUT_INVALID",
      field: "op",
    });
    expect(await operate(READ, 61)).toMatchObject({ code: "INPUT_INVALID", field: "waitSeconds" });
    expect(await operate(READ, undefined, 3)).toMatchObject({ code: "DEVICE_NOT_REGISTERED" });
    platform.fake.sleep(1);
    expect(await operate()).toMatchObject({ code: "DEVICE_ASLEEP" });
    platform.fake.register(2, { style: "tup", objects: [] });
    expect(await operate(READ, undefined, 2)).toMatchObject({ code: "RESOURCE_UNKNOWN" });
    expect(platform.fake.exchanges).toEqual([]);
    expect(counted("read", "not_sent")).toBe(2);
  });

  test("of one device waits for the one before it; other devices do not", async () => {
    const first = operate();
    const second = operate({ op: "read", path: "/3/0/0" });
    const other = operate(READ, undefined, 2);
    expect(platform.fake.exchanges.map(({ deviceNo, request }) => [deviceNo, request.path.join("/")])).toEqual([
      [1, "3/0/9"],
      [2, "3/0/9"],
    ]);
    platform.fake.exchanges[1]?.answer(battery(2));
    expect(await other).toMatchObject({ value: 2 });
    platform.fake.exchanges[0]?.answer(battery(1));
    expect(await first).toMatchObject({ value: 1 });
    platform.fake.last().answer({ kind: "done", node: one(0, "string", "Maker") });
    expect(await second).toMatchObject({ value: "Maker" });
  });

  test("behind another is refused when the device falls asleep meanwhile", async () => {
    const first = operate();
    const second = operate();
    platform.fake.sleep(1);
    platform.fake.last().answer({ kind: "noAnswer" });
    expect(await first).toMatchObject({ code: "DEVICE_NO_ANSWER" });
    expect(await second).toMatchObject({ code: "DEVICE_ASLEEP" });
    expect(platform.fake.exchanges).toHaveLength(1);
  });

  test("is bounded per device and in all", async () => {
    platform = start({ maxOperationsPerDevice: 2, maxOperations: 3 });
    const running = [operate(), operate(), operate(READ, undefined, 2)];
    expect(await operate()).toMatchObject({ code: "CONGESTED" });
    expect(await operate(READ, undefined, 2)).toMatchObject({ code: "CONGESTED" });
    platform.fake.behaveAs(() => battery(1));
    for (const { answer } of [...platform.fake.exchanges]) answer(battery(1));
    await Promise.all(running);
    expect(await operate()).toMatchObject({ value: 1 });
  });

  test("that takes too long is given up for its caller, and one behind it is never sent", async () => {
    const slow = operate();
    const behind = operate();
    await clock.advance(RESOURCE_DEFAULTS.operationTimeoutMs);
    expect(await slow).toMatchObject({ code: "DEVICE_NO_ANSWER" });
    expect(await behind).toMatchObject({ code: "DEVICE_NO_ANSWER", reason: "other operations are before it" });
    platform.fake.last().answer(battery(7));
    await settle();
    expect(platform.fake.exchanges).toHaveLength(1);
    expect(resourceAt("/3/0/9")?.value).toBe(7); // what came late is a value all the same
  });
});

describe("an operation that waits", () => {
  beforeEach(() => platform.fake.sleep(1));

  test("is sent at once when the device is heard", async () => {
    const waiting = operate(READ, 30);
    await clock.advance(29_000);
    expect(platform.fake.exchanges).toHaveLength(0);
    platform.fake.wake(1);
    platform.heard(1);
    expect(platform.fake.exchanges).toHaveLength(1);
    platform.fake.last().answer(battery(5));
    expect(await waiting).toMatchObject({ value: 5 });
  });

  test("keeps its order, and those that do not wait are refused", async () => {
    const first = operate(READ, 30);
    const second = operate({ op: "read", path: "/3/0/0" }, 30);
    expect(await operate()).toMatchObject({ code: "DEVICE_ASLEEP" });
    platform.fake.wake(1);
    platform.fake.behaveAs((request) =>
      request.path[2] === 9 ? battery(5) : { kind: "done", node: one(0, "string", "Maker") },
    );
    platform.heard(1);
    expect(await first).toMatchObject({ value: 5 });
    expect(await second).toMatchObject({ value: "Maker" });
    expect(platform.fake.exchanges.map(({ request }) => request.path[2])).toEqual([9, 0]);
  });

  test("does not disturb a device that has more to say", async () => {
    const waiting = operate(READ, 30);
    platform.fake.wake(1);
    platform.heard(1, true);
    expect(platform.fake.exchanges).toHaveLength(0);
    platform.heard(1);
    platform.fake.last().answer(battery(5));
    expect(await waiting).toMatchObject({ value: 5 });
  });

  test("ends when its time is over, and is not sent later", async () => {
    const waiting = operate(READ, 30);
    await clock.advance(30_000);
    expect(await waiting).toMatchObject({ code: "DEVICE_ASLEEP" });
    platform.fake.wake(1);
    platform.heard(1);
    expect(platform.fake.exchanges).toHaveLength(0);
  });

  test("can wait for a registration", async () => {
    platform.fake.deregister(1);
    const inVain = operate(READ, 5);
    const waiting = operate(READ, 30);
    await clock.advance(5_000);
    expect(await inVain).toMatchObject({ code: "DEVICE_NOT_REGISTERED" });
    platform.fake.register(1);
    platform.fake.wake(1);
    platform.heard(1);
    platform.fake.last().answer(battery(5));
    expect(await waiting).toMatchObject({ value: 5 });
  });

  test("ends with its device", async () => {
    const waiting = operate(READ, 30);
    await platform.remove(1);
    expect(await waiting).toMatchObject({ code: "DEVICE_NOT_FOUND" });
  });

  test("ends with the platform", async () => {
    const waiting = operate(READ, 30);
    await platform.resources.stop();
    expect(await waiting).toMatchObject({ code: "CONGESTED" });
    expect(await operate(READ, 30)).toMatchObject({ code: "CONGESTED" });
  });
});

describe("the tree", () => {
  test("is what the registration and the definitions say, at first", () => {
    const tree = platform.resources.tree(1);
    expect(tree.map(({ objectId, name, version }) => [objectId, name, version])).toEqual([
      [1, "LwM2M Server", undefined],
      [3, "Device", "1.1"],
      [20, "Event Log", undefined],
      [3303, "Temperature", undefined],
      [33_000, undefined, undefined],
    ]);
    expect(tree[3]?.instances.map(({ instanceId }) => instanceId)).toEqual([0, 1]);
    expect(tree[4]?.instances).toEqual([{ instanceId: 0, registered: true, resources: [] }]);
    expect(resourceAt("/3/0/7")).toEqual({
      ...{ resourceId: 7, path: "/3/0/7", name: "Power Source Voltage", type: "integer", operations: "R", units: "mV" },
      ...{ multiple: true, mandatory: false, known: false, observed: false },
      ...{ value: undefined, omittedChars: undefined, lastSeenMs: undefined },
    });
  });

  test("knows what was read: objects, instances and lists", async () => {
    platform.fake.behaveAs(() => ({
      kind: "done",
      node: { kind: "object", id: 3, instances: [instance(0, several(7, 3_800, 5_000), one(13, "time", 0)) as never] },
    }));
    expect(await operate({ op: "read", path: "/3" })).toMatchObject({
      value: { 0: { 7: { 0: 3_800, 1: 5_000 }, 13: "1970-01-01T00:00:00.000Z" } },
    });
    expect(resourceAt("/3/0/7")?.value).toEqual({ 0: 3_800, 1: 5_000 });
    platform.fake.behaveAs(() => ({ kind: "done", node: several(7, 3_700) }));
    await operate({ op: "read", path: "/3/0/7" });
    expect(resourceAt("/3/0/7")?.value).toEqual({ 0: 3_700 });
  });

  test("knows what was discovered, which takes no value away", async () => {
    platform.fake.behaveAs(() => battery(80));
    await operate();
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    const links = [[3], [3, 0], [3, 0, 9], [3, 0, 99]].map((path) => ({ path, attributes: { pmin: 5 } }));
    platform.fake.behaveAs(() => ({ kind: "done", links }));
    expect(await operate({ op: "discover", path: "/3" })).toMatchObject({
      links: [{ path: "/3" }, { path: "/3/0" }, { path: "/3/0/9", attributes: { pmin: 5 } }, { path: "/3/0/99" }],
    });
    expect(resourceAt("/3/0/9")?.value).toBe(80);
    expect(resourceAt("/3/0/99")).toMatchObject({ known: true, value: undefined, name: undefined });
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(resourceAt("/3/0/9")?.value).toBe(80);
    expect(platform.rows()).toEqual(["1:3/0/9=80", "1:3/0/99=null"]);
  });

  test("knows what was written, but shows no secrets", async () => {
    platform.fake.register(1, {
      objects: [
        { objectId: 5, instanceIds: [0] },
        { objectId: 3, instanceIds: [0] },
      ],
    });
    platform.fake.behaveAs(() => ({ kind: "done" }));
    await operate({ op: "write", path: "/3/0/14", value: "+02:00" });
    await operate({ op: "write", path: "/5/0/0", value: "AAAA" });
    expect(resourceAt("/3/0/14")?.value).toBe("+02:00");
    expect(resourceAt("/5/0/0")).toMatchObject({ known: false, value: undefined });
  });

  test("follows instances that are made and deleted", async () => {
    platform.fake.behaveAs(() => ({ kind: "done", created: [3303, 4] }));
    expect(await operate({ op: "create", path: "/3303", values: { 5700: 1.5 } })).toMatchObject({ path: "/3303/4" });
    expect(resourceAt("/3303/4/5700")?.value).toBe(1.5);
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    platform.fake.behaveAs(() => ({ kind: "done" }));
    await operate({ op: "delete", path: "/3303/4" });
    expect(resourceAt("/3303/4/5700")).toBeUndefined();
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(resourceAt("/3303/4/5700")).toBeUndefined();
    expect(platform.rows()).toEqual([]);
  });

  test("is there without a registration, as far as it was seen", async () => {
    platform.fake.behaveAs(() => battery(80));
    await operate();
    platform.fake.deregister(1);
    expect(platform.resources.tree(1).map(({ objectId, registered }) => [objectId, registered])).toEqual([[3, false]]);
    expect(platform.resources.tree(99)).toEqual([]);
  });
});

describe("values", () => {
  const observed = (level: number, deviceNo = 1) =>
    platform.resources.sink.observed(deviceNo, [3, 0, 9], one(9, "integer", level), clock.now());

  test("that come fast are written once, the newest of each", async () => {
    for (let level = 0; level < 1_000; level++) observed(level);
    observed(5, 2);
    expect(resourceAt("/3/0/9")?.value).toBe(999);
    expect(platform.disk.commits).toBe(0);
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(platform.disk.commits).toBe(1);
    expect(platform.rows()).toEqual(["1:3/0/9=999", "2:3/0/9=5"]);
    await clock.advance(60_000);
    expect(platform.disk.commits).toBe(1);
  });

  test("are all visible while they are written", async () => {
    const gate = Promise.withResolvers<void>();
    platform.disk.gate = gate.promise;
    observed(1);
    platform.resources.sink.observed(1, [3, 0, 0], one(0, "string", "Maker"), clock.now());
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    observed(2);
    expect([resourceAt("/3/0/9")?.value, resourceAt("/3/0/0")?.value]).toEqual([2, "Maker"]);
    gate.resolve();
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(platform.rows()).toEqual(['1:3/0/0="Maker"', "1:3/0/9=2"]);
  });

  test("wait for a disk that is full, and newer ones win", async () => {
    platform.disk.fails = true;
    observed(1);
    platform.resources.sink.observed(1, [3, 0, 0], one(0, "string", "Maker"), clock.now());
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    observed(2);
    platform.disk.fails = false;
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(platform.rows()).toEqual(['1:3/0/0="Maker"', "1:3/0/9=2"]);
  });

  test("survive a restart; one of several joins those on disk", async () => {
    platform.resources.sink.observed(1, [3, 0, 7], several(7, 1, 2), clock.now());
    await platform.resources.stop();
    platform = start({}, platform.stores);
    platform.resources.sink.observed(
      1,
      [3, 0, 7, 1],
      { kind: "resourceInstance", id: 1, value: value("integer", 9) },
      0,
    );
    expect(resourceAt("/3/0/7")?.value).toEqual({ 0: 1, 1: 9 });
  });

  test("that are long are not kept, only that they were there", async () => {
    platform.resources.sink.observed(1, [3, 0, 0], one(0, "string", "x".repeat(3_000)), clock.now());
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(resourceAt("/3/0/0")).toMatchObject({ value: undefined, omittedChars: 3_002, known: true });
  });

  test("are bounded per device: those seen last stay", async () => {
    platform = start({ maxValuesPerDevice: 3 });
    for (let id = 0; id < 5; id++) {
      platform.resources.sink.observed(1, [3, 0, id], one(id, "integer", id), clock.now());
      await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    }
    expect(platform.rows()).toEqual(["1:3/0/2=2", "1:3/0/3=3", "1:3/0/4=4"]);
    const many = instance(0, ...[10, 11, 12, 13, 14].map((id) => one(id, "integer", id)));
    platform.resources.sink.observed(1, [3, 0], many, clock.now());
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(platform.rows()).toEqual(["1:3/0/10=10", "1:3/0/11=11", "1:3/0/12=12"]);
    expect(platform.metrics.render()).toContain('islet_resource_values_total{outcome="dropped"} 2');
  });

  test("are bounded in all while they wait", async () => {
    platform = start({ maxUnstoredValues: 2 });
    for (let no = 1; no <= 4; no++) observed(no, no);
    observed(9, 1);
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(platform.rows()).toEqual(["1:3/0/9=9", "2:3/0/9=2"]);
  });

  test("of a deleted device go, and none comes after", async () => {
    observed(1);
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    observed(2);
    await platform.remove(1);
    platform.stores.telemetry.run(DELETE_RESOURCE_VALUES_OF_DEVICE, [1]); // the purge of deleted devices
    observed(3);
    observed(4, 2);
    await clock.advance(RESOURCE_DEFAULTS.valueFlushMs);
    expect(platform.rows()).toEqual(["2:3/0/9=4"]);
  });
});

describe("an observation", () => {
  const OBSERVE: ResourceOperation = { op: "observe", path: "/3/0" };
  const CANCEL: ResourceOperation = { op: "cancelObserve", path: "/3/0" };
  const begin = async (operation = OBSERVE) => {
    platform.fake.behaveAs(() => ({ kind: "done" }));
    return operate(operation);
  };

  test("is wanted from its first answer on, also after a restart", async () => {
    platform.fake.behaveAs(() => ({ kind: "done", node: instance(0, one(9, "integer", 50)) }));
    const sinceMs = clock.now();
    expect(await operate(OBSERVE)).toMatchObject({ value: { 9: 50 } });
    expect(platform.resources.wantedObservations(1)).toEqual([[3, 0]]);
    expect(platform.resources.observations(1)).toEqual([
      { path: "/3/0", sinceMs, state: "active", endedReason: undefined },
    ]);
    expect([resourceAt("/3/0/9")?.observed, resourceAt("/1/0/1")?.observed]).toEqual([true, false]);
    platform = start({}, platform.stores);
    expect(platform.resources.wantedObservations(1)).toEqual([[3, 0]]);
    expect(platform.resources.observations(1)).toMatchObject([{ state: "unknown", sinceMs }]);
    platform.resources.sink.observed(1, [3, 0], instance(0), clock.now());
    expect(platform.resources.observations(1)).toMatchObject([{ state: "active" }]);
  });

  test("that the device refused is not wanted", async () => {
    platform.fake.behaveAs(() => ({ kind: "refused", code: "4.05", detail: undefined }));
    await operate(OBSERVE);
    expect(platform.resources.wantedObservations(1)).toEqual([]);
  });

  test("that ended stays wanted, and says why", async () => {
    await begin();
    platform.resources.sink.observationEnded(1, [3, 0], "registration lost");
    platform.resources.sink.observationEnded(1, [4, 0], "never wanted");
    expect(platform.resources.observations(1)).toMatchObject([{ state: "ended", endedReason: "registration lost" }]);
    expect(platform.resources.wantedObservations(1)).toEqual([[3, 0]]);
  });

  test.each([
    [{ kind: "done" }, []],
    [{ kind: "refused", code: "4.04", detail: undefined }, []],
    [{ kind: "unreachable" }, []],
    [{ kind: "noAnswer" }, [[3, 0]]],
  ] as const)("is cancelled by %j or not", async (answer, left) => {
    await begin();
    platform.fake.behaveAs(() => answer);
    await operate(CANCEL);
    expect(platform.resources.wantedObservations(1)).toEqual(left as never);
    platform = start({}, platform.stores);
    expect(platform.resources.wantedObservations(1)).toEqual(left as never);
  });

  test("of a device without a registration is cancelled without it", async () => {
    await begin();
    platform.fake.deregister(1);
    expect(await operate(CANCEL)).toMatchObject({ path: "/3/0" });
    expect(platform.resources.wantedObservations(1)).toEqual([]);
    expect(platform.fake.exchanges).toHaveLength(1);
  });

  test("is bounded per device and in all; the same again is no further one", async () => {
    platform = start({ maxObservationsPerDevice: 2, maxObservations: 3 });
    await begin();
    await begin();
    await begin({ op: "observe", path: "/3/0/9" });
    expect(await begin({ op: "observe", path: "/1/0" })).toMatchObject({ code: "CONFLICT" });
    await operate(OBSERVE, undefined, 2);
    expect(await operate({ op: "observe", path: "/1/0" }, undefined, 2)).toMatchObject({ code: "CONFLICT" });
    expect(platform.fake.exchanges).toHaveLength(4);
    expect(platform.metrics.render()).toContain("islet_resource_observations 3");
  });

  test("goes with its device, also one that is just beginning", async () => {
    await begin();
    platform.fake.behaveAs(undefined);
    const beginning = operate({ op: "observe", path: "/3/0/9" });
    await platform.remove(1);
    platform.fake.last().answer({ kind: "done" });
    await beginning;
    await settle();
    expect(platform.resources.wantedObservations(1)).toEqual([]);
    expect(platform.stores.registry.query("SELECT COUNT(*) AS n FROM resource_observation").get()).toEqual({ n: 0 });
  });
});

test("a registration is shown with whether the device listens", () => {
  expect(platform.resources.registration(1)).toMatchObject({
    ...{ endpoint: "861234500000017", style: "lwm2m", queueMode: true, transports: ["U"], listening: true },
    ...{ lifetimeS: 86_400, address: "192.0.2.1:5683", isSecure: false },
  });
  platform.fake.sleep(1);
  expect(platform.resources.registration(1).listening).toBe(false);
  expect(() => platform.resources.registration(3)).toThrow(expect.objectContaining({ code: "DEVICE_NOT_REGISTERED" }));
});

test("a device for which nothing waits costs a look-up", () => {
  const began = performanceOf(() => {
    for (let no = 0; no < 500_000; no++) platform.heard(no % 60_000);
  });
  expect(began).toBeLessThan(2_000); // ten seconds of the whole load; takes some milliseconds
});
const performanceOf = (run: () => void) => {
  const since = Bun.nanoseconds();
  run();
  return (Bun.nanoseconds() - since) / 1e6;
};
