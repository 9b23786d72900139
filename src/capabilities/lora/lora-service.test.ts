import { beforeEach, describe, expect, test } from "bun:test";
import { silentLog } from "../../platform/log";
import { createSealer } from "../../platform/secrets";
import type { PlatformAnswer, PlatformRequest } from "../commands/platform-requests";
import type { Device } from "../devices/device";
import type { DeviceSettings } from "../devices/device-settings";
import { APP_A, APP_B, deviceBench } from "../devices/testing/device-bench";
import { LORA_DEFAULTS, type LoraSettings, type NewLoraNode } from "./lora";
import { createLora } from "./lora-service";

const KEY = "2b7e151628aed2a6abf7158809cf4f3c";
const EUI = "0004A30B001A2B3C";
const YES: PlatformAnswer = { kind: "answered", errcode: 0, body: undefined };
const no = (errcode: number, body?: Record<string, unknown>): PlatformAnswer => ({ kind: "answered", errcode, body });

type Options = { settings?: Partial<LoraSettings>; devices?: Partial<DeviceSettings> };

async function open({ settings, devices: deviceSettings = {} }: Options = {}) {
  const bench = deviceBench({ settings: deviceSettings });
  const product = (model: string, deviceType: string, protocolType: string, app = APP_A) =>
    bench.importProduct({ model, deviceType, protocolType }, app);
  const products = {
    server: await product("server", "LoRaServer", "MQTT"),
    sensor: await product("sensor", "Sensor", "MQTT"),
    gateway: await product("gw", "LoRaGateway", "LoRaWAN"),
    node: await product("node", "WaterMeter", "LoRaWAN"),
    foreign: await product("node", "WaterMeter", "LoRaWAN", APP_B),
    foreignServer: await product("server", "LoRaServer", "MQTT", APP_B),
  };
  const server = await bench.register("server-1", products.server);
  const connected = new Set([server.no]);
  const asked: (PlatformRequest & { server: string; timeoutMs: number })[] = [];
  const it = { answer: (): PlatformAnswer | Promise<PlatformAnswer> => YES };
  const join = () =>
    createLora({
      ...{ db: bench.db, transactor: bench.transactor, devices: bench.devices, products: bench.products },
      ...{ deviceEvents: bench.events, clock: bench.clock, log: silentLog },
      sealer: createSealer(new Uint8Array(32)),
      requests: {
        isConnected: (deviceNo) => connected.has(deviceNo),
        async ask({ no: deviceNo, id }, request, timeoutMs) {
          if (!connected.has(deviceNo)) return { kind: "unreachable" };
          asked.push({ ...request, server: id, timeoutMs });
          return it.answer();
        },
      },
      settings: { ...LORA_DEFAULTS, ...settings },
    });
  const node: NewLoraNode = {
    ...{ loraServerId: server.id, productId: products.node.id, devEUI: EUI, name: "Cellar" },
    ...{ appEUI: "70B3D57ED0000001", appKey: KEY },
  };
  const gateway = {
    loraServerId: server.id,
    productId: products.gateway.id,
    gatewayEUI: "00800000a0001234",
    name: "Roof",
  };
  bench.told();
  return Object.assign(it, {
    ...{ bench, products, server, connected, asked, node, gateway, join, lora: join() },
    devices: bench.devices,
    nodes: () => bench.devices.behindGateway(APP_A, server.id, 100).slice(1),
    pending: () => bench.db.query<{ eui: string; state: string }, []>("SELECT eui, state FROM lora_pending").all(),
    loraRows: () => bench.db.query("SELECT * FROM lora_device").all().length,
    requested: () => asked.splice(0).map(({ method, paras }) => [method, paras]),
  });
}

let it: Awaited<ReturnType<typeof open>>;
beforeEach(async () => {
  it = await open();
});
const codeOf = (run: Promise<unknown>) =>
  run.then(
    () => "done",
    ({ code, details, message }) => (details?.reason === undefined ? (code ?? message) : `${code}: ${details.reason}`),
  );
const register = (change: Partial<NewLoraNode> = {}, app = APP_A) =>
  it.lora.service.registerNode(app, { ...it.node, ...change });
const nothingLeft = () => expect([it.nodes(), it.loraRows(), it.pending(), it.bench.told()]).toEqual([[], 0, [], []]);

describe("a node", () => {
  test("is a sub-device of its server, OFFLINE, once the server has said yes", async () => {
    it.answer = () => {
      expect(it.pending()).toEqual([{ eui: EUI.toLowerCase(), state: "registering" }]);
      expect(it.nodes()).toEqual([]);
      return YES;
    };
    const made = await register({ description: "below" });
    const deviceId = `${it.products.node.id}_${EUI}`;
    expect(made as object).toEqual({
      ...it.node,
      ...{ deviceId, deviceClass: "classA", joinType: "OTAA", description: "below" },
      ...{ authCode: undefined, appSKey: undefined, nwkSKey: undefined, devAddr: undefined },
    });
    expect(it.asked).toEqual([
      {
        ...{ serviceId: "$lora", method: "REGISTER_NODE", server: it.server.id, timeoutMs: 20_000 },
        paras: {
          ...{ productId: it.products.node.id, devEUI: EUI, name: "Cellar", appEUI: it.node.appEUI, appKey: KEY },
          ...{ deviceClass: "classA", joinType: "OTAA", description: "below" },
        },
      },
    ]);
    expect(it.nodes()).toMatchObject([
      {
        ...{ nodeId: EUI, status: "OFFLINE", gatewayId: it.server.id, nodeType: "ENDPOINT", expiresAt: undefined },
        info: { name: "Cellar", description: "below", protocolType: "LoRaWAN" },
      },
    ]);
    expect(it.bench.told()).toEqual([`added ${EUI} OFFLINE`]);
    expect(it.pending()).toEqual([]);
    expect(it.lora.service.node(APP_A, deviceId)).toEqual(made);
  });

  test("by ABP takes its keys; what it is told with is sealed", async () => {
    const keys = { appSKey: KEY.replace("2", "3"), nwkSKey: KEY.replace("2", "4"), authCode: KEY.replace("2", "5") };
    const { deviceId } = await register({ joinType: "ABP", devAddr: "0011AAff", ...keys, appKey: undefined });
    expect(it.lora.service.node(APP_A, deviceId)).toMatchObject({ joinType: "ABP", devAddr: "0011AAff", ...keys });
    const file = Buffer.from(it.bench.db.serialize()).toString("latin1");
    for (const key of [KEY, ...Object.values(keys)]) expect(file.includes(key)).toBe(false);
    expect(file).toContain(EUI);
  });

  test.each([
    ["LORA_APP_KEY_MISSING", { appKey: undefined }],
    ["LORA_APP_KEY_MISSING", { appKey: "", joinType: "OTAA", appSKey: KEY }],
    ["LORA_APP_SKEY_MISSING", { joinType: "ABP" }],
    ["LORA_NWK_SKEY_MISSING", { joinType: "ABP", appSKey: KEY, devAddr: "00112233" }],
    ["LORA_DEV_ADDR_MISSING", { joinType: "ABP", appSKey: KEY, nwkSKey: KEY, devAddr: "" }],
    ["PRODUCT_NOT_FOUND", { productId: "nothing" }],
    ["LORA_SERVER_NOT_FOUND", { loraServerId: "nobody" }],
  ] as const)("is refused: %s", async (code, change) => {
    expect(await codeOf(register(change))).toBe(code);
    expect(it.asked).toEqual([]);
    nothingLeft();
  });

  test("needs the application's own product, of LoRaWAN, not of gateways", async () => {
    const withProduct = (productId: string) => codeOf(register({ productId }));
    expect(await withProduct(it.products.foreign.id)).toBe("PRODUCT_NOT_FOUND");
    expect(await withProduct(it.products.sensor.id)).toBe("LORA_PROTOCOL_REQUIRED");
    expect(await withProduct(it.products.gateway.id)).toBe("LORA_GATEWAY_TYPE_REFUSED");
    nothingLeft();
  });

  test("needs a server: a gateway of the application that speaks MQTT, by itself", async () => {
    const foreign = await it.bench.register("foreign-server", it.products.foreignServer, {}, APP_B);
    const sensor = await it.bench.register("sensor", it.products.sensor);
    const behind = await it.bench.register("behind", it.products.server, { gatewayNo: it.server.no });
    for (const { id, no: deviceNo } of [foreign, sensor, behind]) {
      it.connected.add(deviceNo);
      expect(await codeOf(register({ loraServerId: id }))).toBe("LORA_SERVER_NOT_FOUND");
    }
    expect(it.asked).toEqual([]);
  });

  test("a server that is not online is not asked", async () => {
    it.connected.clear();
    expect(await codeOf(register())).toBe("LORA_SERVER_OFFLINE");
    nothingLeft();
  });

  test.each<[string, PlatformAnswer, string]>([
    ["refuses with a reason", no(7, { reason: "no\nroom" }), "LORA_SERVER_FAILED: no room"],
    ["refuses without one", no(1), "LORA_SERVER_FAILED: errcode 1"],
    ["gives an empty one", no(-4, { reason: "" }), "LORA_SERVER_FAILED: errcode -4"],
    ["gives a senseless one", no(2, { reason: { a: 1 } }), "LORA_SERVER_FAILED: errcode 2"],
    ["gives an endless one", no(2, { reason: "x".repeat(9_999) }), `LORA_SERVER_FAILED: ${"x".repeat(200)}`],
    ["was gone before it heard", { kind: "unreachable" }, "LORA_SERVER_OFFLINE"],
  ])("a server that %s leaves nothing", async (_name, answer, code) => {
    it.answer = () => answer;
    expect(await codeOf(register())).toBe(code);
    nothingLeft();
    it.answer = () => YES;
    expect(await codeOf(register())).toBe("done"); // nothing is in the way of another try
  });

  test.each<[string, PlatformAnswer, string]>([
    ["is silent", { kind: "silent" }, "LORA_SERVER_FAILED: no answer within 20 s"],
    ["goes away", { kind: "connectionLost" }, "LORA_SERVER_FAILED: the connection ended before the answer"],
  ])("a server that %s leaves no device, and is told to forget", async (_name, answer, code) => {
    it.answer = () => answer;
    expect(await codeOf(register())).toBe(code);
    expect([it.nodes(), it.loraRows(), it.bench.told()]).toEqual([[], 0, []]);
    it.requested();
    await it.lora.withdraw(); // still silent
    expect(it.requested()).toEqual([["DELETE_NODE", { devEUI: EUI }]]);
    it.answer = () => no(404); // it never had it: that is as good
    await it.lora.withdraw();
    await it.lora.withdraw();
    expect(it.requested().length).toBe(1);
    nothingLeft();
  });
});

describe("an EUI", () => {
  test("is one whatever its spelling: EXISTS for one's own of the kind, TAKEN for all else", async () => {
    await register();
    expect(await codeOf(register())).toBe("LORA_NODE_EXISTS");
    expect(await codeOf(register({ devEUI: EUI.toLowerCase() }))).toBe("LORA_NODE_EXISTS");
    expect(await codeOf(it.lora.service.registerGateway(APP_A, { ...it.gateway, gatewayEUI: EUI }))).toBe(
      "LORA_EUI_TAKEN",
    );
    const foreignServer = await it.bench.register("server-b", it.products.foreignServer, {}, APP_B);
    it.connected.add(foreignServer.no);
    const elsewhere = { loraServerId: foreignServer.id, productId: it.products.foreign.id };
    expect(await codeOf(register(elsewhere, APP_B))).toBe("LORA_EUI_TAKEN");
    await it.bench.register("00000000000000aa", it.products.sensor);
    expect(await codeOf(register({ devEUI: "00000000000000aa" }))).toBe("LORA_EUI_TAKEN");
    expect(it.asked.length).toBe(1);
  });

  test("that is being registered is taken, also at another server and in the same turn", async () => {
    const { promise, resolve } = Promise.withResolvers<PlatformAnswer>();
    it.answer = () => promise;
    const both = [codeOf(register()), codeOf(register({ devEUI: EUI.toLowerCase() }))];
    expect(await both[1]).toBe("LORA_EUI_TAKEN");
    expect(await codeOf(register())).toBe("LORA_EUI_TAKEN");
    resolve(YES);
    expect(await both[0]).toBe("done");
    expect(it.asked.length).toBe(1);
  });

  test("that somebody takes as a nodeId while the server thinks is withdrawn from it", async () => {
    it.answer = async () => {
      await it.bench.register(EUI, it.products.sensor);
      return YES;
    };
    expect(await codeOf(register())).toBe("LORA_EUI_TAKEN");
    expect([it.nodes(), it.loraRows()]).toEqual([[], 0]);
    expect(it.pending()).toEqual([{ eui: EUI.toLowerCase(), state: "withdrawing" }]);
  });
});

test("registrations under way at one server are limited", async () => {
  it = await open({ settings: { maxUnderWay: 2 } });
  const waiting: ((answer: PlatformAnswer) => void)[] = [];
  it.answer = () => new Promise((resolve) => waiting.push(resolve));
  const euis = [1, 2, 3].map((digit) => `000000000000000${digit}`);
  const all = euis.map((devEUI) => codeOf(register({ devEUI })));
  expect(await all[2]).toBe("CONGESTED: registrations under way");
  for (const resolve of waiting) resolve(YES);
  expect(await Promise.all(all.slice(0, 2))).toEqual(["done", "done"]);
  expect(it.nodes().length).toBe(2);
});

test.each([
  ["the application has no room", { maxDevices: 1 }],
  ["the server has no room", { maxSubDevices: 1 }],
])("a yes of the server is withdrawn when %s", async (_name, devices) => {
  it = await open({ devices });
  if ("maxSubDevices" in devices) await register({ devEUI: "0000000000000001" });
  const before = it.nodes().length;
  it.bench.told();
  expect(await codeOf(register())).toBe("DEVICE_LIMIT_REACHED");
  expect([it.nodes().length, it.bench.told()]).toEqual([before, []]);
  it.requested();
  await it.lora.withdraw();
  expect(it.requested()).toEqual([["DELETE_NODE", { devEUI: EUI }]]);
  expect(it.pending()).toEqual([]);
});

test("a server that is deleted while it thinks gets no node", async () => {
  it.answer = async () => {
    await it.devices.delete(it.server.no, { cascade: true });
    return YES;
  };
  expect(await codeOf(register())).toBe("LORA_SERVER_NOT_FOUND");
  expect([it.loraRows(), it.pending()]).toEqual([0, []]);
});

test("a fault of ours is told as a failed registration, and undoes it", async () => {
  it.bench.events.on("deviceAdded", () => {
    throw new Error("disk gone");
  });
  expect(await codeOf(register())).toBe("LORA_REGISTRATION_FAILED");
  expect([it.nodes(), it.loraRows(), it.pending().map(({ state }) => state)]).toEqual([[], 0, ["withdrawing"]]);
});

test("a crash between request and answer leaves no device; the next start withdraws it, when the server is there", async () => {
  it.answer = () => new Promise(() => {});
  void register();
  await it.bench.transactor.settled();
  await Promise.resolve();
  it.lora = it.join();
  await it.lora.recover();
  expect([it.nodes(), it.loraRows(), it.pending().map(({ state }) => state)]).toEqual([[], 0, ["withdrawing"]]);
  it.answer = () => YES;
  it.connected.clear();
  it.requested();
  await it.lora.withdraw();
  expect(it.requested()).toEqual([]);
  it.connected.add(it.server.no);
  await it.lora.withdraw();
  expect(it.requested()).toEqual([["DELETE_NODE", { devEUI: EUI }]]);
  expect(it.pending()).toEqual([]);
});

test("a withdrawal ends with its time, and with a new registration of the same EUI", async () => {
  it.answer = () => ({ kind: "silent" });
  await codeOf(register());
  it.answer = () => YES;
  await register();
  it.requested();
  await it.lora.withdraw();
  expect(it.requested()).toEqual([]); // it would delete what was just registered
  it.answer = () => ({ kind: "silent" });
  await codeOf(register({ devEUI: "0000000000000002" }));
  await it.bench.clock.advance(LORA_DEFAULTS.withdrawKeepMs);
  it.requested();
  await it.lora.withdraw();
  expect([it.requested(), it.pending()]).toEqual([[], []]);
});

test("a round of withdrawals passes by what is registered anew meanwhile, and asks a silent server once", async () => {
  it.answer = () => ({ kind: "silent" });
  const euis = [1, 2, 3].map((digit) => `000000000000000${digit}`);
  for (const devEUI of euis) await codeOf(register({ devEUI }));
  it.requested();
  await it.lora.withdraw();
  expect(it.requested().length).toBe(1);
  it.answer = async () => {
    it.answer = () => YES;
    await register({ devEUI: euis[1] as string });
    return YES;
  };
  await it.lora.withdraw();
  expect(it.requested().map(([method, paras]) => `${method} ${(paras as { devEUI: string }).devEUI}`)).toEqual([
    `DELETE_NODE ${euis[0]}`,
    `REGISTER_NODE ${euis[1]}`,
    `DELETE_NODE ${euis[2]}`,
  ]);
  expect([it.pending(), it.nodes().length]).toEqual([[], 1]);
});

describe("a gateway", () => {
  const registerGateway = (change = {}) => it.lora.service.registerGateway(APP_A, { ...it.gateway, ...change });
  test("is registered, shown and deleted", async () => {
    const made = await registerGateway({ gatewaySeq: KEY });
    const deviceId = `${it.products.gateway.id}_${it.gateway.gatewayEUI}`;
    expect(made as object).toEqual({ ...it.gateway, deviceId, gatewaySeq: KEY });
    expect(it.lora.service.gateway(APP_A, deviceId)).toEqual(made);
    expect(it.nodes()).toMatchObject([{ nodeType: "GATEWAY", gatewayId: it.server.id }]);
    expect(await codeOf(registerGateway())).toBe("LORA_GATEWAY_EXISTS");
    await it.lora.service.delete(APP_A, "gateway", deviceId);
    const { loraServerId: _, ...told } = it.gateway;
    expect(it.requested()).toEqual([
      ["REGISTER_GATEWAY", { ...told, gatewaySeq: KEY }],
      ["DELETE_GATEWAY", { gatewayEUI: it.gateway.gatewayEUI }],
    ]);
    expect([it.nodes(), it.loraRows(), it.pending()]).toEqual([[], 0, []]);
  });
  test("needs a product of gateways", async () => {
    expect(await codeOf(registerGateway({ productId: it.products.node.id }))).toBe("LORA_GATEWAY_TYPE_REQUIRED");
    expect(await codeOf(registerGateway({ productId: it.products.server.id }))).toBe("LORA_PROTOCOL_REQUIRED");
  });
});

describe("deleting a node", () => {
  let deviceId: string;
  let remove: () => Promise<string>;
  beforeEach(async () => {
    ({ deviceId } = await register());
    remove = () => codeOf(it.lora.service.delete(APP_A, "node", deviceId));
    it.asked.splice(0);
    it.bench.told();
  });

  test("is agreed with its server, and told of once", async () => {
    expect(await remove()).toBe("done");
    expect(it.requested()).toEqual([["DELETE_NODE", { devEUI: EUI }]]);
    expect(it.bench.told()).toEqual([`deleted ${EUI} OFFLINE`]);
    expect([it.nodes(), it.loraRows(), it.pending()]).toEqual([[], 0, []]);
    expect(await remove()).toBe("LORA_NODE_NOT_FOUND");
  });

  test.each<[PlatformAnswer, string]>([
    [no(5, { reason: "busy" }), "LORA_SERVER_FAILED: busy"],
    [{ kind: "silent" }, "LORA_SERVER_FAILED: no answer within 20 s"],
    [{ kind: "connectionLost" }, "LORA_SERVER_FAILED: the connection ended before the answer"],
    [{ kind: "unreachable" }, "LORA_SERVER_OFFLINE"],
  ])("%j: the node stays", async (answer, code) => {
    it.answer = () => answer;
    expect(await remove()).toBe(code);
    expect([it.nodes().length, it.loraRows(), it.bench.told()]).toEqual([1, 1, []]);
  });

  test("twice at once: one of them finds nothing any more", async () => {
    expect((await Promise.all([remove(), remove()])).sort()).toEqual(["LORA_NODE_NOT_FOUND", "done"]);
    expect(it.pending()).toEqual([]);
  });

  test("by the general call is told to the server when it is there", async () => {
    const { no: deviceNo } = it.devices.get(APP_A, deviceId);
    await it.devices.delete(deviceNo, { cascade: true });
    expect([it.loraRows(), it.asked]).toEqual([0, []]);
    await it.lora.withdraw();
    expect(it.requested()).toEqual([["DELETE_NODE", { devEUI: EUI }]]);
    expect(it.pending()).toEqual([]);
  });

  test("goes with its server in cascade", async () => {
    await it.devices.delete(it.server.no, { cascade: true });
    expect([it.loraRows(), it.pending()]).toEqual([0, []]);
  });

  test("whose server is gone without it: shown, not deletable here", async () => {
    await it.devices.delete(it.server.no, { cascade: false });
    expect(it.lora.service.node(APP_A, deviceId)).toMatchObject({ loraServerId: it.server.id, appKey: KEY });
    expect(await remove()).toBe("LORA_SERVER_NOT_FOUND");
    const { no: deviceNo } = it.devices.get(APP_A, deviceId);
    await it.devices.delete(deviceNo, { cascade: true });
    expect([it.loraRows(), it.pending()]).toEqual([0, []]);
  });

  test("shows the name that the device has now", async () => {
    const { no: deviceNo } = it.devices.get(APP_A, deviceId);
    await it.devices.modify(deviceNo, { info: { name: "Attic" } });
    expect(it.lora.service.node(APP_A, deviceId).name).toBe("Attic");
  });
});

test("another application's, another kind, and what is no LoRa device are not found", async () => {
  const { deviceId } = await register();
  const sensor: Device = await it.bench.register("plain", it.products.sensor);
  const { service } = it.lora;
  const look = (run: () => unknown) => codeOf((async () => run())());
  it.asked.splice(0);
  for (const [app, id] of [
    [APP_B, deviceId],
    [APP_A, sensor.id],
    [APP_A, "nobody"],
    [APP_A, it.server.id],
  ] as const) {
    expect(await look(() => service.node(app, id))).toBe("LORA_NODE_NOT_FOUND");
    expect(await look(() => service.delete(app, "node", id))).toBe("LORA_NODE_NOT_FOUND");
  }
  expect(await look(() => service.gateway(APP_A, deviceId))).toBe("LORA_GATEWAY_NOT_FOUND");
  expect(await look(() => service.delete(APP_A, "gateway", deviceId))).toBe("LORA_GATEWAY_NOT_FOUND");
  expect(it.asked).toEqual([]);
});
