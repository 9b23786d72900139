import { beforeEach, expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { eventBus } from "../../platform/events";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { groupCommit } from "../../platform/storage/group-commit";
import { openDatabase } from "../../platform/storage/open-database";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { AppId } from "../applications/application";
import type { ContactEvents, Device, DeviceEvents, DeviceId, LiveDevice } from "../devices/device";
import type { DeviceLink, DownlinkCommand } from "../devices/device-link";
import type { TraceEntry } from "../devices/trace-sink";
import type { CompiledProduct } from "../products/product";
import { COMMAND_DEFAULTS, type CommandEvents, type CommandFilter, type NewSignal, signalStatus } from "./command";
import { createCommandService } from "./command-service";
import { startCommandUpkeep } from "./command-upkeep";

const APP = "app-1" as AppId;
const SETTINGS = { ...COMMAND_DEFAULTS, maxOpenPerDevice: 3, sweepBatch: 2 };

let clock: ManualClock;
let platform: ReturnType<typeof start>;
beforeEach(() => {
  clock = manualClock();
  platform = start();
});

/** A platform with a lamp (1), a gateway (2), a meter behind the gateway (3) and a pass-through device (4). */
function start(db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS })) {
  const devices = [
    device(1, "lamp", { mutedCommands: { Light: ["BLINK"] } }),
    device(2, "gateway", {}),
    device(3, "meter", { gatewayNo: 2, gatewayId: "gateway" as DeviceId }),
    device(4, "raw", { productNo: 2 }),
  ];
  const link = fakeLink();
  const told: [name: string, id: string, at: number, facts?: unknown][] = [];
  const events = eventBus<CommandEvents>();
  events.on("commandSent", ({ command, at }) => told.push(["sent", command.id, at]));
  events.on("commandDelivered", ({ command, at }) => told.push(["delivered", command.id, at]));
  events.on("commandAnswered", ({ command, at, errcode, body }) =>
    told.push(["answered", command.id, at, { errcode, body, status: command.status }]),
  );
  events.on("commandFailed", ({ command, at, reason }) => told.push(["failed", command.id, at, reason]));
  const deviceEvents = eventBus<DeviceEvents>();
  const traced: TraceEntry[] = [];
  const transactor = groupCommit(db);
  let lastId = 0;
  const commands = createCommandService({
    db,
    transactor,
    devices: { find: (appId, id) => devices.find((it) => it.appId === appId && it.id === id) },
    deviceEvents,
    products: { compiled: (no) => PRODUCTS[no] },
    contactEvents: eventBus<ContactEvents>(),
    links: [fakeLink(), link], // the first knows no device
    sleepingLinks: [],
    lastSeen: { of: () => undefined },
    events,
    clock,
    ids: { next: () => `made-${++lastId}` },
    log: silentLog,
    metrics: createMetrics(),
    trace: { record: (entry) => traced.push(entry) },
    settings: SETTINGS,
  });
  const live = (no: number) => devices.find((it) => it.no === no) as unknown as LiveDevice;
  return { db, commands, link, told, traced, events, deviceEvents, transactor, live, devices };
}

const device = (no: number, id: string, facts: Partial<Device>) =>
  ({ no, id, appNo: 1, appId: APP, productNo: 1, gatewayId: id, mutedCommands: {}, ...facts }) as Device;

const PRODUCTS: Record<number, CompiledProduct> = {
  1: {
    product: { protocolType: "MQTT" },
    passThrough: false,
    services: new Map([
      [
        "Light",
        {
          serviceType: "LightType",
          commands: new Map(
            ["SET", "BLINK"].map((name) => [
              name,
              { check: (paras: Record<string, unknown>) => ("level" in paras ? undefined : "level: missing") },
            ]),
          ),
        },
      ],
    ]),
  } as unknown as CompiledProduct,
  2: { product: { protocolType: "MQTT" }, passThrough: true, services: new Map() } as unknown as CompiledProduct,
};

function fakeLink() {
  const connected = new Set<number>();
  const sent: { carrierNo: number; command: DownlinkCommand; delivered: () => void }[] = [];
  const held = new Set<number>();
  let behave: (delivered: () => void) => Promise<"sent" | "unreachable"> = async () => "sent";
  const link: DeviceLink = {
    isConnected: (no) => connected.has(no),
    sendCommand(carrierNo, command, delivered) {
      sent.push({ carrierNo, command, delivered });
      return behave(delivered);
    },
    disconnect() {},
    holdsCommand: (_no, mid) => held.has(mid),
  };
  return { ...link, connected, sent, held, behaveAs: (next: typeof behave) => (behave = next) };
}

const SET: NewSignal = { deviceId: "lamp", serviceId: "Light", method: "SET", paras: { level: 3 } };
const ALL: CommandFilter = { pageNo: 0, pageSize: 100 };
const statuses = () => platform.commands.query(APP, ALL).items.map(({ status }) => status);
const rejection = (run: Promise<unknown>) =>
  run.then(
    () => "accepted",
    ({ code, message }) => code ?? message,
  );

test("a command is stored before it is handed over, with a mid of its own", async () => {
  platform.link.connected.add(1);
  platform.link.behaveAs(async () => {
    expect(statuses()).toEqual(["SENT"]);
    return "sent";
  });
  const command = await platform.commands.send(APP, { ...SET, requestId: "r1", from: "/users/7" });
  expect(command).toMatchObject({ id: "r1", status: "SENT", issuedTimes: 1, serviceType: "LightType", mode: "ACK" });
  expect(signalStatus(command)).toBe("sent");
  expect(platform.link.sent).toMatchObject([
    {
      carrierNo: 1,
      command: { mid: 1, serviceId: "Light", method: "SET", paras: { level: 3 }, deviceId: "lamp" },
    },
  ]);
  expect(platform.told).toEqual([["sent", "r1", clock.now()]]);
});

test("sent, delivered and answered are told in their order, with their times", async () => {
  platform.link.connected.add(1);
  const { id } = await platform.commands.send(APP, SET);
  const t0 = clock.now();
  await clock.advance(10);
  platform.link.sent[0]?.delivered();
  await platform.transactor.settled();
  await clock.advance(10);
  await platform.commands.answered(platform.live(1), 1, 0, { result: "on" });
  expect(platform.told).toEqual([
    ["sent", id, t0],
    ["delivered", id, t0 + 10],
    ["answered", id, t0 + 20, { errcode: 0, body: { result: "on" }, status: "SUCCESSFUL" }],
  ]);
  expect(platform.commands.find(APP, id)).toMatchObject({
    status: "SUCCESSFUL",
    result: { errcode: 0, body: { result: "on" } },
    sentAt: t0,
    deliveredAt: t0 + 10,
    executedAt: t0 + 20,
  });
});

test("the order holds when the device acknowledges before the link is done", async () => {
  platform.link.connected.add(1);
  platform.link.behaveAs(async (delivered) => {
    delivered();
    await platform.transactor.settled();
    return "sent";
  });
  const command = await platform.commands.send(APP, SET);
  expect(signalStatus(command)).toBe("delivered");
  expect(platform.told.map(([name]) => name)).toEqual(["sent", "delivered"]);
});

test("an answer with an error code fails the command and carries its body", async () => {
  platform.link.connected.add(1);
  const { id } = await platform.commands.send(APP, SET);
  await platform.commands.answered(platform.live(1), 1, 1, undefined);
  expect(platform.commands.find(APP, id)).toMatchObject({
    status: "FAILED",
    result: { errcode: 1 },
    executedAt: clock.now(),
  });
});

test("a request of the platform's own shares the mids, and is nobody's command", async () => {
  platform.link.connected.add(2);
  const gateway = { no: 2, id: "gateway" as DeviceId };
  const request = { serviceId: "$it", method: "DO", paras: {} };
  const asked = platform.commands.requests.ask(gateway, request, 1_000);
  const mid = platform.link.sent[0]?.command.mid ?? 0;
  await platform.commands.send(APP, { ...SET, deviceId: "gateway" });
  platform.db.run("UPDATE command SET mid = ?", [mid - 1]); // the next one would take it
  await platform.commands.answered(platform.live(2), mid - 1, 0, undefined);
  await platform.commands.send(APP, { ...SET, deviceId: "gateway" });
  expect(platform.link.sent.at(-1)?.command.mid).toBe(mid + 1);
  await platform.commands.answered(platform.live(3), mid, 0, undefined); // what is behind it does not speak for it
  await platform.commands.answered(platform.live(2), mid, 5, { reason: "no" });
  expect(await asked).toEqual({ kind: "answered", errcode: 5, body: { reason: "no" } });
  expect(statuses()).toEqual(["SENT", "SUCCESSFUL"]);
  const lost = platform.commands.requests.ask(gateway, request, 1_000);
  await platform.commands.connectionLost(2);
  expect(await lost).toEqual({ kind: "connectionLost" });
});

test("a late or unknown answer reopens nothing and is traced", async () => {
  platform.link.connected.add(1);
  await platform.commands.send(APP, SET);
  await platform.commands.answered(platform.live(1), 1, 1, undefined);
  const told = platform.told.length;
  await platform.commands.answered(platform.live(1), 1, 0, undefined);
  await platform.commands.answered(platform.live(1), 999, 0, undefined);
  expect(statuses()).toEqual(["FAILED"]);
  expect(platform.told.length).toBe(told);
  expect(platform.traced.filter(({ reason }) => reason === "unknown_mid").length).toBe(2);
});

const REFUSALS: [rule: string, signal: Partial<NewSignal>, code: string][] = [
  ["a device of nobody", { deviceId: "nobody" }, "DEVICE_NOT_FOUND"],
  ["an unknown service", { serviceId: "Heat" }, "SERVICE_NOT_FOUND"],
  ["an unknown method", { method: "EXPLODE" }, "COMMAND_NAME_INVALID"],
  ["a muted method", { method: "BLINK" }, "COMMAND_MUTED"],
  ["parameters that do not fit", { paras: {} }, "COMMAND_PARAMETERS_INVALID"],
  ["no parameters where some are needed", { paras: undefined }, "COMMAND_PARAMETERS_INVALID"],
  ["an unknown kind of receiver", { toType: "MOON" }, "RECEIVER_TYPE_UNKNOWN"],
  ["a service named like a property of every object", { serviceId: "constructor" }, "SERVICE_NOT_FOUND"],
];
test.each(REFUSALS)("%s is refused and leaves nothing behind", async (_rule, signal, code) => {
  platform.link.connected.add(1);
  expect(await rejection(platform.commands.send(APP, { ...SET, ...signal }))).toBe(code);
  expect(platform.link.sent).toEqual([]);
  expect(statuses()).toEqual([]);
});

test("during an upgrade a command is sent, and the trace warns", async () => {
  const warnings = () => platform.traced.filter(({ reason }) => reason === "device_in_upgrade");
  platform.link.connected.add(1).add(2);
  const release = platform.commands.hold(2);
  expect((await platform.commands.send(APP, SET)).status).toBe("SENT");
  expect(warnings()).toEqual([]);
  await platform.commands.send(APP, { ...SET, deviceId: "meter" }); // behind the gateway that is upgraded
  expect(warnings()).toMatchObject([{ deviceNo: 3, kind: "command", detail: expect.stringContaining("SET") }]);
  release();
  await platform.commands.send(APP, { ...SET, deviceId: "meter" });
  expect(warnings()).toHaveLength(1);
});

test("another application's device is not found", async () => {
  platform.link.connected.add(1);
  expect(await rejection(platform.commands.send("app-2" as AppId, SET))).toBe("DEVICE_NOT_FOUND");
});

test("a device that is not connected fails at once, and nothing is stored", async () => {
  expect(await rejection(platform.commands.send(APP, SET))).toBe("DEVICE_OFFLINE");
  expect(await rejection(platform.commands.create(APP, { ...SET, paras: { level: 1 } }))).toBe("DEVICE_OFFLINE");
  expect(await rejection(platform.commands.send(APP, { ...SET, deviceId: "meter" }))).toBe("GATEWAY_OFFLINE");
  expect(statuses()).toEqual([]);
});

test("a pass-through product takes any command", async () => {
  platform.link.connected.add(4);
  const command = await platform.commands.send(APP, { deviceId: "raw", serviceId: "any", method: "thing" });
  expect(command).toMatchObject({ status: "SENT", serviceType: "any", paras: {} });
});

test("a sub-device is reached through its gateway and answers for itself only", async () => {
  platform.link.connected.add(2);
  await platform.commands.send(APP, { ...SET, deviceId: "gateway" });
  await platform.commands.send(APP, { ...SET, deviceId: "meter" });
  expect(platform.link.sent.map(({ carrierNo, command }) => [carrierNo, command.mid, command.deviceId])).toEqual([
    [2, 1, "gateway"],
    [2, 2, "meter"],
  ]);
  await platform.commands.answered(platform.live(3), 1, 0, undefined);
  expect(statuses()).toEqual(["SENT", "SENT"]);
  await platform.commands.answered(platform.live(3), 2, 0, undefined);
  await platform.commands.answered(platform.live(2), 1, 0, undefined);
  expect(statuses()).toEqual(["SUCCESSFUL", "SUCCESSFUL"]);
});

test("commands that have not ended are counted for each device, also behind a gateway", async () => {
  platform.link.connected.add(2);
  for (const deviceId of ["gateway", "meter", "meter"]) await platform.commands.send(APP, { ...SET, deviceId });
  const counts = () =>
    [
      { no: 1, gatewayNo: undefined },
      { no: 2, gatewayNo: undefined },
      { no: 3, gatewayNo: 2 },
    ].map(platform.commands.countOpen);
  expect(counts()).toEqual([0, 1, 2]);
  await platform.commands.answered(platform.live(3), 2, 0, undefined);
  expect(counts()).toEqual([0, 1, 1]);
});

test("a requestId is taken once in an application", async () => {
  platform.link.connected.add(1);
  const twice = await Promise.all(
    [1, 2].map(() => rejection(platform.commands.send(APP, { ...SET, requestId: "same" }))),
  );
  expect(twice).toEqual(["accepted", "INPUT_INVALID"]);
  expect(platform.link.sent.length).toBe(1);
  expect((await platform.commands.send(APP, { ...SET, requestId: "" })).id as string).toMatch(/^made-/);
});

test("NOACK is sent at most once and awaits nothing", async () => {
  platform.link.connected.add(1);
  const { id } = await platform.commands.send(APP, { ...SET, mode: "NOACK" });
  expect(platform.link.sent[0]?.command.atMostOnce).toBe(true);
  await platform.commands.answered(platform.live(1), 1, 0, undefined);
  await platform.commands.connectionLost(1);
  expect(platform.commands.find(APP, id)?.status).toBe("SENT");
  expect(platform.told.map(([name]) => name)).toEqual(["sent"]);
});

test("a device that cannot be reached after all is told as failed", async () => {
  platform.link.connected.add(1);
  platform.link.behaveAs(async () => "unreachable");
  const command = await platform.commands.create(APP, { ...SET, paras: { level: 1 }, callbackUrl: "http://a:1/" });
  expect(command).toMatchObject({ status: "FAILED", result: { reason: "device_unreachable" }, issuedTimes: 0 });
  expect(signalStatus(command)).toBe("failed");
  expect(platform.told).toEqual([["failed", command.id, clock.now(), "device_unreachable"]]);
});

test("a link that breaks fails the command, not the platform", async () => {
  platform.link.connected.add(1);
  platform.link.behaveAs(() => Promise.reject(new Error("broken")));
  expect((await platform.commands.send(APP, SET)).status).toBe("FAILED");
});

test("a device has a limited number of open commands, and an answer makes room", async () => {
  platform.link.connected.add(1);
  platform.link.connected.add(2);
  for (let count = 0; count < 3; count++) await platform.commands.send(APP, SET);
  expect(await rejection(platform.commands.send(APP, SET))).toBe("CONGESTED");
  await platform.commands.send(APP, { ...SET, deviceId: "gateway" }); // others are not touched
  await platform.commands.answered(platform.live(1), 2, 0, undefined);
  await platform.commands.send(APP, SET);
  expect(platform.link.sent.filter(({ carrierNo }) => carrierNo === 1).map(({ command }) => command.mid)).toEqual([
    1, 2, 3, 4,
  ]);
});

test("mids wrap around and pass over the open ones", async () => {
  platform.link.connected.add(1);
  await platform.commands.send(APP, SET);
  await platform.commands.send(APP, SET);
  await platform.commands.answered(platform.live(1), 2, 0, undefined);
  platform.db.run("UPDATE command SET mid = 65535 WHERE mid = 2"); // as after 65,533 more
  await platform.commands.send(APP, SET);
  expect(platform.link.sent.at(-1)?.command.mid).toBe(2);
});

test("a lost connection fails what no session holds; what was delivered stays open", async () => {
  platform.link.connected.add(1);
  for (const requestId of ["a", "b", "c"]) await platform.commands.send(APP, { ...SET, requestId });
  platform.link.sent[0]?.delivered();
  await platform.transactor.settled();
  platform.link.held.add(2);
  await platform.commands.connectionLost(1);
  expect(["a", "b", "c"].map((id) => platform.commands.find(APP, id)?.status)).toEqual(["DELIVERED", "SENT", "FAILED"]);
  await platform.commands.answered(platform.live(1), 1, 0, undefined);
  await platform.commands.delivered(1, 2);
  expect(["a", "b"].map((id) => platform.commands.find(APP, id)?.status)).toEqual(["SUCCESSFUL", "DELIVERED"]);
});

test("after a restart only what a session holds or the device has can still be answered", async () => {
  platform.link.connected.add(1);
  for (const requestId of ["a", "b", "c"]) await platform.commands.send(APP, { ...SET, requestId });
  platform.link.sent[0]?.delivered();
  await platform.transactor.settled();
  platform = start(platform.db);
  platform.link.held.add(2);
  await platform.commands.recover();
  expect(platform.told).toEqual([["failed", "c", clock.now(), "platform_restarted"]]);
  await platform.commands.delivered(1, 2);
  await platform.commands.delivered(1, 2);
  await platform.commands.delivered(1, 77);
  await platform.commands.answered(platform.live(1), 1, 0, undefined);
  expect(platform.told.slice(1).map(([name, id]) => [name, id])).toEqual([
    ["delivered", "b"],
    ["answered", "a"],
  ]);
});

test("what nobody answers is closed after the time limit, and its mid is free", async () => {
  platform.link.connected.add(1);
  for (const requestId of ["a", "b", "c"]) await platform.commands.send(APP, { ...SET, requestId });
  platform.link.sent[0]?.delivered();
  await platform.transactor.settled();
  const upkeep = startCommandUpkeep({ ...platform, clock, log: silentLog, settings: SETTINGS });
  await clock.advance(SETTINGS.answerTimeoutMs - 1);
  expect(statuses()).toEqual(["SENT", "SENT", "DELIVERED"]);
  await clock.advance(SETTINGS.sweepIntervalMs);
  await upkeep.stop();
  expect(statuses()).toEqual(["FAILED", "FAILED", "DELIVERED"]);
  expect(platform.commands.find(APP, "b")?.result).toEqual({ reason: "no_answer" });
  await platform.commands.answered(platform.live(1), 1, 0, undefined);
  expect(platform.commands.find(APP, "a")?.status).toBe("DELIVERED");
});

test("ended commands are kept for their time; open ones stay", async () => {
  const { commands } = platform;
  platform.link.connected.add(1);
  for (const requestId of ["a", "b", "c"]) await commands.send(APP, { ...SET, requestId, mode: "NOACK" });
  await clock.advance(SETTINGS.keepMs);
  await commands.send(APP, { ...SET, requestId: "open" });
  await commands.sweep();
  expect(statuses().length).toBe(4);
  await clock.advance(1);
  await commands.sweep();
  expect(commands.query(APP, ALL).items.map(({ id }) => id as string)).toEqual(["open"]);
});

test("commands are deleted with their device", async () => {
  platform.link.connected.add(1);
  await platform.commands.send(APP, SET);
  await platform.transactor.write(() =>
    platform.deviceEvents.emit("deviceDeleted", { device: platform.devices[0] as Device }),
  );
  expect(statuses()).toEqual([]);
});

test("what a listener stores is undone together with the change", async () => {
  platform.link.connected.add(1);
  await platform.commands.send(APP, SET);
  platform.events.on("commandAnswered", () => {
    throw new Error("outbox is full");
  });
  expect(await rejection(platform.commands.answered(platform.live(1), 1, 0, undefined))).toBe("outbox is full");
  expect(statuses()).toEqual(["SENT"]); // the device is not acknowledged and answers again
});

test("the history is paged newest first and filtered by device, time and status", async () => {
  platform.link.connected.add(1);
  platform.link.connected.add(2);
  const t0 = clock.now();
  for (const [index, deviceId] of ["lamp", "gateway", "lamp"].entries()) {
    await clock.advance(1_000);
    await platform.commands.send(APP, { ...SET, deviceId, requestId: `r${index + 1}` });
  }
  await platform.commands.answered(platform.live(1), 1, 0, undefined);
  const ids = (filter: Partial<CommandFilter>) => {
    const { items, total } = platform.commands.query(APP, { ...ALL, ...filter });
    return [items.map(({ id }) => id as string), total];
  };
  expect(ids({})).toEqual([["r3", "r2", "r1"], 3]);
  expect(ids({ pageNo: 1, pageSize: 2 })).toEqual([["r1"], 3]);
  expect(ids({ deviceId: "lamp" })).toEqual([["r3", "r1"], 2]);
  expect(ids({ createdAfter: t0 + 1_000, createdBefore: t0 + 3_000 })).toEqual([["r2"], 1]);
  expect(ids({ status: "SUCCESSFUL" })).toEqual([["r1"], 1]);
  expect(ids({ origin: "command" })).toEqual([[], 0]);
  expect(platform.commands.query("app-2" as AppId, ALL)).toEqual({ items: [], total: 0 });
  expect(() => ids({ createdAfter: t0, createdBefore: t0 })).toThrow("INPUT_INVALID");
  expect(() => ids({ deviceId: "nobody" })).toThrow("DEVICE_NOT_FOUND");
});

test("the queries of a big history use their indexes", () => {
  const plan = (sql: string) =>
    platform.db
      .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => detail)
      .join("; ");
  expect(plan("SELECT * FROM command WHERE app_id = 'a' ORDER BY created_ms DESC, no DESC LIMIT 1")).not.toContain(
    "SCAN",
  );
  const ofDevice = plan(
    "SELECT * FROM command WHERE +app_id = 'a' AND device_no = 1 AND created_ms > 5 ORDER BY created_ms DESC, no DESC",
  );
  expect(ofDevice).toContain("command_of_device");
  expect(ofDevice).not.toContain("TEMP B-TREE");
});
