import { describe, expect, test } from "bun:test";
import type { Device } from "../devices/device";
import type { ServiceDesired } from "./desired";
import { shadowBench } from "./testing/shadow-bench";

const code = (expected: string) => expect.objectContaining({ code: expected });

async function withDevice(options: Parameters<typeof shadowBench>[0] = {}) {
  const bench = await shadowBench(options);
  const product = await bench.importModel();
  const device = await bench.register("a", product);
  return { ...bench, product, device };
}
async function withSleeper(options: Parameters<typeof shadowBench>[0] = {}) {
  const bench = await withDevice(options);
  bench.scripted.asleep.add(bench.device.no);
  const wakeUp = async (hasMore = false) => {
    bench.scripted.asleep.delete(bench.device.no);
    await bench.heard(bench.device.no, hasMore);
    bench.scripted.asleep.add(bench.device.no);
  };
  return { ...bench, wakeUp };
}
/** One message through the codec. */
const isMessage = (text: string | undefined, serviceId: string, paras: object) =>
  expect(JSON.parse((text ?? "").slice(2))).toEqual({
    serviceId,
    method: "SET_PROPERTIES",
    paras,
    deviceId: expect.any(String),
  });

const REFUSED: [what: string, services: ServiceDesired[], expected: string][] = [
  ["a service that the model does not have", [{ serviceId: "Nothing", desired: { a: 1 } }], "SERVICE_NOT_FOUND"],
  ["a service without properties", [{ serviceId: "Empty", desired: { a: 1 } }], "SHADOW_PROPERTIES_EMPTY"],
  ["nothing", [{ serviceId: "Valve", desired: {} }], "INPUT_INVALID"],
  ["an unknown property", [{ serviceId: "Valve", desired: { speed: 1 } }], "SHADOW_PROPERTIES_UNKNOWN"],
  ["a property of every object", [{ serviceId: "Valve", desired: { toString: 1 } }], "SHADOW_PROPERTIES_UNKNOWN"],
  ["a property that can only be read", [{ serviceId: "Valve", desired: { state: "x" } }], "PROPERTY_NOT_WRITABLE"],
  ["a value of another type", [{ serviceId: "Valve", desired: { opening: "5" } }], "INPUT_INVALID"],
  ["a value out of range", [{ serviceId: "Valve", desired: { opening: 101 } }], "INPUT_INVALID"],
  ["null", [{ serviceId: "Valve", desired: { opening: null } }], "INPUT_INVALID"],
  ["too much", [{ serviceId: "Device", desired: { Timezone: "x".repeat(20_000) } }], "INPUT_INVALID"],
  [
    "a right value beside a wrong one",
    [
      { serviceId: "Valve", desired: { opening: 5 } },
      { serviceId: "Valve", desired: { opening: -1 } },
    ],
    "INPUT_INVALID",
  ],
  [
    "a right service beside an unknown one",
    [
      { serviceId: "Valve", desired: { opening: 5 } },
      { serviceId: "Nothing", desired: { a: 1 } },
    ],
    "SERVICE_NOT_FOUND",
  ],
];
test.each(REFUSED)("to want %s is refused, and changes nothing", async (_what, services, expected) => {
  const { desired, device, openCount, scripted, settle } = await withDevice();
  await expect(desired.want(device, services)).rejects.toEqual(code(expected));
  await settle();
  const history = desired.history({ deviceNos: [device.no], page: 0, pageSize: 10 });
  expect([desired.of(device.no), history.total, openCount(), scripted.got()]).toEqual([[], 0, 0, []]);
});

describe("a shadow that can be written", () => {
  test.each(["CoAP", "LWM2M"])("is there for products of protocol %s", async (protocolType) => {
    const bench = await shadowBench();
    const device = await bench.register("a", await bench.importModel(protocolType));
    await bench.want(device, "Valve", { opening: 5 });
    expect(bench.settled()).toEqual(['1 DELIVERED Valve {"opening":5}']);
  });
  test.each(["MQTT", "LoRaWAN"])("is not there for products of protocol %s", async (protocolType) => {
    const bench = await shadowBench();
    const device = await bench.register("a", await bench.importModel(protocolType));
    await expect(bench.want(device, "Valve", { opening: 5 })).rejects.toEqual(code("PROPERTY_NOT_WRITABLE"));
  });
  test("is not there behind a gateway, nor without a model", async () => {
    const { register, product, device, want, devices, importModel } = await withDevice();
    const sub = await register("sub", product, { gatewayNo: device.no });
    await expect(want(sub, "Valve", { opening: 5 })).rejects.toEqual(code("PROPERTY_NOT_WRITABLE"));
    const bare = await register("bare", product, { gatewayNo: device.no, product: undefined });
    await expect(want(bare, "Valve", { opening: 5 })).rejects.toEqual(code("SHADOW_MODEL_MISSING"));
    const direct = await register("pass", await importModel("CoAP", {}));
    await expect(want(direct, "Valve", { opening: 5 })).rejects.toEqual(code("SHADOW_MODEL_MISSING"));
    await devices.delete(direct.no, { cascade: true });
    await expect(want({ ...direct, productNo: product.no } as Device, "Valve", { opening: 5 })).rejects.toEqual(
      code("DEVICE_NOT_FOUND"),
    );
  });
});

test("a device that listens gets it at once, through the codec where no resource is meant", async () => {
  const { want, device, scripted, settled, stateOf, desired, clock } = await withDevice();
  await want(device, "Valve", { opening: 5 });
  const got = scripted.got();
  expect(got.length).toBe(1);
  isMessage(got[0], "Valve", { opening: 5 });
  expect(settled()).toEqual(['1 DELIVERED Valve {"opening":5}']);
  expect(stateOf(1, "Valve", "opening")).toEqual({ state: "delivered", atMs: clock.now() });
  expect(desired.of(1)).toMatchObject([{ serviceId: "Valve", setAtMs: clock.now() }]);
});

test("a sleeping device gets what was merged, at its next contact that brings no more", async () => {
  const { want, device, scripted, settled, wakeUp, heard, openCount } = await withSleeper();
  await want(device, "Valve", { opening: 5, limit: 1 });
  await want(device, "Valve", { opening: 6 });
  await heard(device.no); // it went to sleep again before its turn came
  await wakeUp(true);
  expect([scripted.got(), settled(), openCount()]).toEqual([[], [], 1]);
  await wakeUp();
  const [got, ...others] = scripted.got();
  isMessage(got, "Valve", { opening: 6, limit: 1 });
  expect([others, settled(), openCount()]).toEqual([[], ['1 DELIVERED Valve {"opening":6,"limit":1}'], 0]);
  await wakeUp();
  expect(scripted.got()).toEqual([]);
});

test("values that name resources are written to the object, with its types, the rest goes through the codec", async () => {
  const { want, device, scripted, settled } = await withDevice();
  await want(device, "Device", { "UTC Offset": "+01:00", "Current Time": 1_700_000_000, Pump: 3 });
  const [written, sent, ...others] = scripted.got();
  expect(written).toBe("1 update /3/0 14=string:+01:00 13=time:1700000000");
  isMessage(sent, "Device", { Pump: 3 });
  expect(others).toEqual([]);
  expect(settled()).toEqual(['1 DELIVERED Device {"UTC Offset":"+01:00","Current Time":1700000000,"Pump":3}']);
});

test.each([
  ["speaks the private dialect", { style: "tup" as const }],
  ["does not have the object", { objects: [19] }],
])("everything goes through the codec when the device %s", async (_when, state) => {
  const { want, device, scripted } = await withDevice();
  Object.assign(scripted.state, state);
  await want(device, "Device", { Timezone: "Europe/Berlin" });
  const got = scripted.got();
  expect(got.length).toBe(1);
  isMessage(got[0], "Device", { Timezone: "Europe/Berlin" });
});

test("the parts of one service can end differently, and each is told", async () => {
  const { want, device, scripted, settled, stateOf } = await withDevice();
  scripted.script.push("refuses", "takes");
  await want(device, "Device", { "Serial Number": "1", Pump: 3 });
  expect(settled()).toEqual(['1 DELIVERED Device {"Pump":3}', '1 FAILED Device {"Serial Number":"1"}']);
  expect(stateOf(1, "Device", "Serial Number")).toMatchObject({ state: "failed", reason: "4.05" });
});

test("nothing is said through the codec to a device that has not answered a write", async () => {
  const { want, device, scripted, settled, stateOf } = await withSleeper();
  const listening = () => scripted.asleep.delete(1);
  listening();
  scripted.script.push("ignores");
  await want(device, "Device", { Timezone: "UTC", Pump: 3 });
  expect([scripted.got().length, settled()]).toEqual([1, []]);
  expect([stateOf(1, "Device", "Timezone"), stateOf(1, "Device", "Pump")]).toEqual([
    { state: "waiting", tries: 1 },
    { state: "waiting", tries: 0 },
  ]);
});

const MESSAGES: [what: string, script: "takes" | "ignores" | "refuses" | "gone", expected: string[], state: object][] =
  [
    ["acknowledged", "takes", ['1 DELIVERED Valve {"limit":1}'], { state: "delivered" }],
    ["refused", "refuses", ['1 FAILED Valve {"limit":1}'], { state: "failed", reason: "4.04" }],
    ["not answered", "ignores", [], { state: "waiting", tries: 1 }],
    ["cancelled", "gone", [], { state: "waiting", tries: 0 }],
  ];
test.each(MESSAGES)("a message that is %s", async (_what, reaction, expected, state) => {
  const { want, device, scripted, settled, stateOf } = await withDevice();
  scripted.script.push(reaction);
  await want(device, "Valve", { limit: 1 });
  expect([scripted.got().length, settled()]).toEqual([1, expected]);
  expect(stateOf(1, "Valve", "limit")).toMatchObject(state);
});
const WRITES: [what: string, script: "takes" | "ignores" | "refuses" | "gone" | "unreadable", object][] = [
  ["done", "takes", { state: "delivered" }],
  ["refused", "refuses", { state: "failed", reason: "4.05" }],
  ["not answered", "ignores", { state: "waiting", tries: 1 }],
  ["not sent, without a registration", "gone", { state: "waiting", tries: 0 }],
  ["answered with something unreadable", "unreadable", { state: "failed", reason: "answer_unreadable: cut short" }],
];
test.each(WRITES)("a write that is %s", async (_what, reaction, state) => {
  const { want, device, scripted, stateOf } = await withDevice();
  scripted.script.push(reaction);
  await want(device, "Device", { Timezone: "UTC" });
  expect(scripted.got().length).toBe(1);
  expect(stateOf(1, "Device", "Timezone")).toMatchObject(state);
});

test("what the codec cannot say has failed, with its reason, and is not tried again", async () => {
  const { want, device, scripted, settled, stateOf, heard, traces } = await withDevice();
  scripted.state.prepared = { kind: "notEncodable", reason: "message_unknown", detail: "SET_PROPERTIES" };
  await want(device, "Valve", { limit: 1 });
  await heard(1);
  expect([scripted.got(), settled()]).toEqual([[], ['1 FAILED Valve {"limit":1}']]);
  expect(stateOf(1, "Valve", "limit")).toMatchObject({ state: "failed", reason: "message_unknown: SET_PROPERTIES" });
  expect(traces).toMatchObject([
    {
      deviceNo: 1,
      kind: "command",
      outcome: "failed",
      reason: "desired_refused",
      detail: expect.stringContaining("limit"),
    },
  ]);
});

test("a registration that ends before the message is made costs no try", async () => {
  const { want, device, scripted, settled, stateOf } = await withDevice();
  scripted.state.prepared = { kind: "unreachable" };
  await want(device, "Valve", { limit: 1 });
  expect([settled(), stateOf(1, "Valve", "limit")]).toEqual([[], { state: "waiting", tries: 0 }]);
});

test("a value that the resource cannot hold fails alone", async () => {
  const { importModel, register, want, scripted, settled } = await shadowBench();
  const product = await importModel("LWM2M", {
    "/3/0": [
      { propertyName: "13", dataType: "string", method: "W" },
      { propertyName: "14", dataType: "string", method: "W" },
    ],
  });
  await want(await register("a", product), "/3/0", { "13": "soon", "14": "+02:00" });
  expect(scripted.got()).toEqual(["1 update /3/0 14=string:+02:00"]);
  expect(settled()).toEqual(['1 DELIVERED /3/0 {"14":"+02:00"}', '1 FAILED /3/0 {"13":"soon"}']);
});

test("a device that does not answer is tried at each contact, and in the end the value has failed", async () => {
  const { want, device, scripted, settled, wakeUp, stateOf, openCount } = await withSleeper({
    settings: { maxTries: 3 },
  });
  await want(device, "Valve", { limit: 1 });
  scripted.script.push("ignores", "ignores", "ignores");
  for (const tries of [1, 2]) {
    await wakeUp();
    expect([scripted.got().length, stateOf(1, "Valve", "limit")]).toEqual([1, { state: "waiting", tries }]);
  }
  await wakeUp();
  expect([scripted.got().length, settled(), openCount()]).toEqual([1, ['1 FAILED Valve {"limit":1}'], 0]);
  expect(stateOf(1, "Valve", "limit")).toMatchObject({ state: "failed", reason: "no_answer" });
  await wakeUp();
  expect(scripted.got()).toEqual([]);
});

test("another value starts its tries anew", async () => {
  const { want, device, scripted, wakeUp, stateOf } = await withSleeper({ settings: { maxTries: 2 } });
  await want(device, "Valve", { limit: 1, opening: 1 });
  scripted.script.push("ignores", "ignores");
  await wakeUp();
  await want(device, "Valve", { opening: 2 });
  await wakeUp();
  expect(stateOf(1, "Valve", "limit")).toMatchObject({ state: "failed" });
  expect(stateOf(1, "Valve", "opening")).toEqual({ state: "waiting", tries: 1 });
});

test("a change while the older value is on its way goes out after it; both are told", async () => {
  const { want, device, scripted, settled, settle, stateOf, clock } = await withDevice();
  const release = scripted.hold();
  await want(device, "Valve", { opening: 1, limit: 7 });
  await want(device, "Valve", { opening: 2 });
  await clock.advance(1);
  await want(device, "Device", { Timezone: "UTC" });
  expect(scripted.got().length).toBe(1);
  expect(stateOf(1, "Valve", "opening")).toEqual({ state: "waiting", tries: 0 });
  release();
  await settle();
  const [second, third, ...others] = scripted.got();
  isMessage(second, "Valve", { opening: 2 });
  expect([third, others]).toEqual(["1 update /3/0 15=string:UTC", []]);
  expect(scripted.state.mostAtOnce).toBe(1);
  expect(settled()).toEqual([
    '1 DELIVERED Valve {"opening":1,"limit":7}',
    '1 DELIVERED Valve {"opening":2}',
    '1 DELIVERED Device {"Timezone":"UTC"}',
  ]);
});

test("a contact during a try that is not answered is used", async () => {
  const { want, device, scripted, settle, settled, heard } = await withDevice();
  const release = scripted.hold();
  scripted.script.push("ignores");
  await want(device, "Valve", { opening: 1 });
  await heard(device.no);
  release();
  await settle();
  expect([scripted.got().length, settled()]).toEqual([2, ['1 DELIVERED Valve {"opening":1}']]);
});

test("a device of which nothing is wanted costs no look at links or tables", async () => {
  const bench = await withDevice();
  const look = () => {
    throw new Error("looked");
  };
  bench.scripted.resourceLink.isListening = look;
  const before = bench.db.query("SELECT total_changes() AS n").get();
  for (let n = 0; n < 1_000; n++) bench.contactEvents.emit("deviceHeard", { deviceNo: n, hasMore: false });
  await bench.settle();
  expect(bench.db.query("SELECT total_changes() AS n").get()).toEqual(before);
  expect(bench.sendingCount()).toBe(0);
});

test("so many devices are written to at a time, the others in their turn", async () => {
  const bench = await withDevice({ settings: { maxSendingDevices: 2 } });
  const all = [bench.device];
  for (const nodeId of ["b", "c", "d"]) all.push(await bench.register(nodeId, bench.product));
  const release = bench.scripted.hold();
  for (const device of all) await bench.want(device, "Valve", { limit: device.no });
  expect([bench.sendingCount(), bench.scripted.got().length]).toEqual([2, 2]);
  release();
  await bench.settle();
  expect([bench.sendingCount(), bench.settled().length, bench.openCount()]).toEqual([0, 4, 0]);
});

describe("with its device", () => {
  test("everything is deleted, and a late answer changes nothing", async () => {
    const { want, device, scripted, settled, settle, desired, devices, openCount } = await withDevice();
    const release = scripted.hold();
    await want(device, "Valve", { opening: 1 });
    await devices.delete(device.no, { cascade: true });
    release();
    await settle();
    expect([desired.of(1), desired.history({ deviceNos: [1], page: 0, pageSize: 9 }).total]).toEqual([[], 0]);
    expect([settled(), openCount()]).toEqual([[], 0]);
  });
});

describe("the outcome and its notification", () => {
  test("are stored together or not at all; the value is sent again", async () => {
    const bench = await withDevice();
    let failures = 1;
    bench.shadowEvents.on("desiredSettled", () => {
      if (failures-- > 0) throw new Error("disk full");
    });
    await bench.want(bench.device, "Valve", { opening: 1 });
    expect([bench.settled(), bench.stateOf(1, "Valve", "opening")]).toEqual([[], { state: "sending", tries: 1 }]);
    await bench.heard(1);
    expect(bench.settled()).toEqual(['1 DELIVERED Valve {"opening":1}']);
  });
});

test("a process that ends while a value is sent leaves it to the next one, which sends it again", async () => {
  const before = await withDevice();
  before.scripted.hold(); // for ever
  await before.want(before.device, "Valve", { opening: 1 });
  expect(before.stateOf(1, "Valve", "opening")).toEqual({ state: "sending", tries: 1 });

  const after = await shadowBench({ db: before.db });
  expect(after.openCount()).toBe(1);
  await after.heard(1);
  expect([after.scripted.got().length, after.settled()]).toEqual([1, ['1 DELIVERED Valve {"opening":1}']]);
});

describe("a stop", () => {
  test("ends messages under way, which were not sent then, and sends nothing more", async () => {
    const { want, device, scripted, stateOf, stop, heard } = await withDevice();
    scripted.hold();
    await want(device, "Valve", { opening: 1 });
    await stop();
    expect(stateOf(1, "Valve", "opening")).toEqual({ state: "waiting", tries: 0 });
    scripted.got();
    await heard(1);
    expect(scripted.got()).toEqual([]);
  });
  test("does not wait for ever for a link that does not end", async () => {
    const { want, device, scripted, stateOf, stop, clock } = await withDevice();
    scripted.hold();
    await want(device, "Device", { Timezone: "UTC" });
    let isStopped = false;
    const stopped = stop().then(() => {
      isStopped = true;
    });
    await clock.advance(4_999);
    expect(isStopped).toBe(false);
    await clock.advance(1);
    await stopped;
    expect(stateOf(1, "Device", "Timezone")).toEqual({ state: "sending", tries: 1 });
  });
});

describe("the history", () => {
  test("has every change, newest first, by service, property, time and page", async () => {
    const { want, device, desired, clock, register, product } = await withDevice();
    const other = await register("b", product);
    const start = clock.now();
    await want(device, "Valve", { opening: 1, limit: 2 });
    await clock.advance(1_000);
    await want(other, "Valve", { opening: 9 });
    await want(device, "Device", { Timezone: "UTC" });
    await clock.advance(1_000);
    await want(device, "Valve", { opening: 3 });
    const page = (filter: object, deviceNos = [device.no]) => {
      const { items, total } = desired.history({ deviceNos, page: 0, pageSize: 10, ...filter });
      return [total, ...items.map(({ desired: it }) => JSON.stringify(it))];
    };
    expect(page({})).toEqual([3, '{"opening":3}', '{"Timezone":"UTC"}', '{"opening":1,"limit":2}']);
    expect(page({ serviceId: "Valve" })).toEqual([2, '{"opening":3}', '{"opening":1,"limit":2}']);
    expect(page({ property: "limit" })).toEqual([1, '{"opening":1,"limit":2}']);
    expect(page({ fromMs: start + 1_000, toMs: start + 1_999 })).toEqual([1, '{"Timezone":"UTC"}']);
    expect(page({ page: 1, pageSize: 2 })).toEqual([3, '{"opening":1,"limit":2}']);
    expect(page({ serviceId: "Valve" }, [device.no, other.no])[0]).toBe(3);
    expect(desired.history({ deviceNos: [other.no], page: 0, pageSize: 1 }).items).toEqual([
      { deviceNo: other.no, serviceId: "Valve", desired: { opening: 9 }, setAtMs: start + 1_000 },
    ]);
  });

  test("keeps the newest of a device, and nothing that is too old", async () => {
    const settings = { historyPerDevice: 3, historyKeepMs: 60_000, purgeBatch: 2 };
    const { want, device, desired, clock, register, product, purge } = await withDevice({ settings });
    const other = await register("b", product);
    await want(other, "Valve", { opening: 9 });
    for (let n = 1; n <= 5; n++) await want(device, "Valve", { opening: n });
    const left = (no: number) =>
      desired.history({ deviceNos: [no], page: 0, pageSize: 10 }).items.map((it) => it.desired.opening);
    expect([left(device.no), left(other.no)]).toEqual([[5, 4, 3], [9]]);
    await clock.advance(60_000);
    await purge();
    expect(left(device.no).length).toBe(3);
    await clock.advance(1);
    await want(device, "Valve", { opening: 6 });
    await purge();
    expect([left(device.no), left(other.no)]).toEqual([[6], []]);
    expect(desired.of(other.no)[0]?.properties.opening?.value).toBe(9); // what is wanted stays
  });
});

test("services named twice are merged, and recorded once", async () => {
  const { desired, device, settle, settled } = await withDevice();
  await desired.want(device, [
    { serviceId: "Valve", desired: { opening: 1, limit: 1 } },
    { serviceId: "Valve", desired: { opening: 2 } },
  ]);
  await settle();
  expect(settled()).toEqual(['1 DELIVERED Valve {"opening":2,"limit":1}']);
  expect(desired.history({ deviceNos: [1], page: 0, pageSize: 9 }).total).toBe(1);
});
