import { expect, test } from "bun:test";
import type { NewDevice } from "./device-service";
import { APP_A, APP_B, deviceBench } from "./testing/device-bench";

const code = (expected: string) => expect.objectContaining({ code: expected });

test("by password: secret and psk are made, the id follows the rule, and it is told once", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const { device, secret, psk, verifyCode, timeoutS } = await bench.devices.register(APP_A, {
    nodeId: "imei:1",
    product: { productId: product.id },
    credentials: { kind: "password" },
    info: { region: "north" },
  });
  expect(secret).toMatch(/^[0-9a-f]{20}$/);
  expect(psk).toMatch(/^[0-9a-f]{32}$/);
  expect([verifyCode, timeoutS]).toEqual([undefined, 0]);
  expect(device).toEqual({
    no: 1,
    id: `${product.id}_imei:1` as never,
    appNo: 1,
    appId: APP_A,
    productNo: product.no,
    productId: product.id,
    nodeId: "imei:1",
    nodeType: "ENDPOINT",
    gatewayNo: undefined,
    gatewayId: `${product.id}_imei:1` as never,
    info: {
      name: "imei:1",
      region: "north",
      manufacturerId: "TestManuId",
      manufacturerName: "Test Manufacturer",
      deviceType: "WaterMeter",
      model: "NBIoTDevice",
      protocolType: "MQTT",
    },
    status: "INACTIVE",
    statusDetail: "NOT_ACTIVE",
    muted: false,
    isSecure: false,
    tags: [],
    customFields: [],
    dataAgingDays: undefined,
    mutedCommands: {},
    activated: false,
    createdAt: bench.clock.now(),
    modifiedAt: bench.clock.now(),
    expiresAt: undefined,
  });
  expect(bench.told()).toEqual(["added imei:1 INACTIVE"]);
  for (const found of [
    bench.devices.get(APP_A, device.id),
    bench.devices.findByNo(1),
    bench.devices.findById(device.id),
    bench.devices.findByNodeId("imei:1"),
  ])
    expect(found).toEqual(device);
  expect(bench.devices.loginByDeviceId(device.id)).toEqual(bench.devices.loginByNodeId("imei:1"));
  expect(bench.devices.loginByNodeId("imei:1")).toEqual({ no: 1, id: device.id, nodeId: "imei:1", appNo: 1, secret });
  expect(bench.devices.pskOf(1)).toBe(psk);
});

test("secrets are nowhere readable in the file", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const credentials = { kind: "password", secret: "0123456789abcdef0123", psk: "ABCDEF0123456789" } as const;
  const made = await bench.devices.register(APP_A, { nodeId: "a", product: { productId: product.id }, credentials });
  expect(made).toMatchObject({ secret: credentials.secret, psk: credentials.psk });
  const file = Buffer.from(bench.db.serialize());
  expect(file.includes(credentials.secret)).toBe(false);
  expect(file.includes(credentials.psk)).toBe(false);
});

const COAP = { protocolType: "CoAP", model: "C" };

test("by verification code: given or made, unique in the installation", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct(COAP);
  const register = (nodeId: string, verifyCode?: string) =>
    bench.devices.register(APP_A, {
      nodeId,
      product: { productId: product.id },
      credentials: { kind: "verifyCode", verifyCode, psk: "12345678" },
      isSecure: true,
      timeoutS: 60,
    });
  const first = await register("a", "code");
  expect(first).toMatchObject({ verifyCode: "code", psk: "12345678", timeoutS: 60, device: { isSecure: true } });
  expect(first.device.expiresAt).toBe(bench.clock.now() + 60_000);
  expect((await register("b")).verifyCode).toMatch(/^[0-9a-f]{32}$/);
  await expect(register("c", "code")).rejects.toEqual(code("VERIFY_CODE_INVALID"));
  expect(bench.devices.findByNodeId("c")).toBeUndefined();
});

test("a device with the agent SDK has its nodeId as its code, and no other", async () => {
  const bench = deviceBench();
  const product = { productId: (await bench.importProduct()).id };
  const register = (verifyCode: string | undefined) =>
    bench.devices.register(APP_A, { nodeId: "a", product, credentials: { kind: "verifyCode", verifyCode } });
  for (const verifyCode of [undefined, "b"]) {
    await expect(register(verifyCode)).rejects.toEqual(code("VERIFY_CODE_INVALID"));
    expect(bench.devices.findByNodeId("a")).toBeUndefined();
  }
  expect((await register("a")).verifyCode).toBe("a");
});

const HOLDERS: [rule: string, contacted: boolean, app: typeof APP_A, expected: string][] = [
  ["the application's own device that has connected", true, APP_A, "DEVICE_ALREADY_BOUND"],
  ["one that has not connected yet", false, APP_A, "NODE_ID_TAKEN"],
  ["another application's device, connected or not", true, APP_B, "NODE_ID_TAKEN"],
];
for (const [rule, contacted, app, expected] of HOLDERS) {
  test(`a node id in use, by verification code: ${rule}`, async () => {
    const bench = deviceBench();
    const product = await bench.importProduct(COAP, app);
    const { no } = await bench.register("a", product, {}, app);
    if (contacted) await bench.devices.seen(no);
    const mine = app === APP_A ? product : await bench.importProduct(COAP, APP_A);
    const credentials = { kind: "verifyCode" } as const;
    await expect(bench.register("a", mine, { credentials })).rejects.toEqual(code(expected));
    await expect(bench.register("a", mine)).rejects.toEqual(code("NODE_ID_TAKEN")); // 1.5.2 has one row
  });
}

test("an endpoint is one device under any of its names, and no device when two have them", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct(COAP);
  const { no, id } = await bench.register("urn:imei:861234500000017", product, { isSecure: true });
  const names = ["861234500000017", "urn:imei:861234500000017"];
  expect(bench.devices.loginByEndpoint(names)).toEqual({
    kind: "found",
    ...{ no, id, nodeId: "urn:imei:861234500000017", appNo: 1, isSecure: true, muted: false, protocolType: "CoAP" },
  });
  expect(bench.devices.loginByEndpoint([])).toEqual({ kind: "unknown" });
  expect(bench.devices.loginByEndpoint(["861234500000018"])).toEqual({ kind: "unknown" });
  await bench.register("861234500000017", product);
  expect(bench.devices.loginByEndpoint(names)).toEqual({ kind: "ambiguous" });
  expect(bench.devices.loginByEndpoint(names.slice(0, 1))).toMatchObject({ kind: "found", isSecure: false });
});

test("a node id is taken in the whole installation", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const other = await bench.importProduct({}, APP_B);
  await bench.register("a", product);
  await expect(bench.register("a", product)).rejects.toEqual(code("NODE_ID_TAKEN"));
  await expect(bench.register("a", other, {}, APP_B)).rejects.toEqual(code("NODE_ID_TAKEN"));
  const [left, right] = await Promise.allSettled([bench.register("b", product), bench.register("b", product)]);
  expect([left?.status, right?.status]).toEqual(["fulfilled", "rejected"]);
  expect(bench.told()).toEqual(["added a INACTIVE", "added b INACTIVE"]);
});

const REFUSED: [what: string, input: Partial<NewDevice>, expected: string][] = [
  ["an empty node id", { nodeId: "" }, "INPUT_INVALID"],
  ["a node id of 257 characters", { nodeId: "x".repeat(257) }, "INPUT_INVALID"],
  ["a node id with a control character", { nodeId: "a\n" }, "INPUT_INVALID"],
  ["a node id that would be two topic levels", { nodeId: "a/b" }, "INPUT_INVALID"],
  ["a node id that is a wildcard", { nodeId: "+" }, "INPUT_INVALID"],
  ["a secret of 19 digits", { credentials: { kind: "password", secret: "0".repeat(19) } }, "INPUT_INVALID"],
  ["a secret that is not hex", { credentials: { kind: "password", secret: "g".repeat(20) } }, "INPUT_INVALID"],
  ["a psk of 7 digits", { credentials: { kind: "password", psk: "0".repeat(7) } }, "INPUT_INVALID"],
  ["an empty verification code", { credentials: { kind: "verifyCode", verifyCode: "" } }, "VERIFY_CODE_INVALID"],
  ["a negative timeout", { timeoutS: -1 }, "INPUT_INVALID"],
  ["a timeout of half a second", { timeoutS: 0.5 }, "INPUT_INVALID"],
  ["a product that is not there", { product: { productId: "gone" } }, "PRODUCT_NOT_FOUND"],
  ["no product for a direct device", { product: undefined }, "PRODUCT_NOT_FOUND"],
  ["a gateway that is not there", { gatewayNo: 99 }, "DEVICE_NOT_FOUND"],
];
for (const [what, input, expected] of REFUSED) {
  test(`refuses ${what}`, async () => {
    const bench = deviceBench();
    const product = { productId: (await bench.importProduct()).id };
    const whole: NewDevice = { nodeId: "a", product, credentials: { kind: "password" }, ...input };
    await expect(bench.devices.register(APP_A, whole)).rejects.toEqual(code(expected));
    expect(bench.told()).toEqual([]);
    expect(bench.devices.counts(APP_A).INACTIVE).toBe(0);
  });
}

test("an application registers with its own products only", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  await expect(bench.register("a", product, {}, APP_B)).rejects.toEqual(code("PRODUCT_NOT_FOUND"));
  await expect(bench.register("a", product, {}, "gone" as never)).rejects.toEqual(code("APP_NOT_FOUND"));
});

test("a product is found by its five fields", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const { manufacturerId, manufacturerName, deviceType, model } = product;
  const fields = { manufacturerId, manufacturerName, deviceType, model, protocolType: "mqtt" };
  expect((await bench.register("a", product, { product: fields })).productId).toBe(product.id);
});

test("an id that the rule would make too long, or twice, is opaque", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const long = await bench.register("x".repeat(256), product);
  expect(long.id.length).toBeLessThanOrEqual(256);
  const first = await bench.register("a", product);
  await bench.devices.connected(first.no);
  bench.devices.disconnected(first.no);
  await bench.clock.advance(60_000);
  await bench.devices.refreshCredentials(first.no, { nodeId: "b" });
  const second = await bench.register("a", product);
  expect(second.id).not.toBe(first.id);
  expect(bench.devices.findByNodeId("b")?.id).toBe(first.id);
});

test("limits hold for each application, also inside one commit", async () => {
  const bench = deviceBench({ settings: { maxDevices: 3, maxNonSecureDevices: 2 } });
  const product = await bench.importProduct();
  const other = await bench.importProduct({}, APP_B);
  const results = await Promise.allSettled([1, 2, 3].map((n) => bench.register(`n${n}`, product)));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
  await expect(bench.register("n3", product)).rejects.toEqual(code("NON_SECURE_LIMIT_REACHED"));
  await bench.register("s1", product, { isSecure: true });
  await expect(bench.register("s2", product, { isSecure: true })).rejects.toEqual(code("DEVICE_LIMIT_REACHED"));
  await bench.register("b1", other, {}, APP_B);
  await bench.devices.delete(1, { cascade: true });
  await bench.register("n4", product);
});

test("behind a gateway: without a product too, OFFLINE until the gateway speaks, the other becomes a GATEWAY", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const foreign = await bench.register("foreign", await bench.importProduct({}, APP_B), {}, APP_B);
  const gateway = await bench.register("gw", product);
  bench.told();
  const sub = await bench.register("sub", product, { gatewayNo: gateway.no });
  expect(sub).toMatchObject({
    gatewayNo: gateway.no,
    gatewayId: gateway.id,
    status: "OFFLINE",
    statusDetail: "NOT_ACTIVE",
  });
  expect(bench.told()).toEqual(["changed gw INACTIVE", "added sub OFFLINE"]);
  expect(bench.devices.findByNo(gateway.no)?.nodeType).toBe("GATEWAY");
  const bare = await bench.register("bare", product, { gatewayNo: gateway.no, product: undefined });
  expect(bare).toMatchObject({ productId: undefined, info: { name: "bare" } });
  await expect(bench.register("x", product, { gatewayNo: sub.no })).rejects.toEqual(code("INPUT_INVALID"));
  await expect(bench.register("x", product, { gatewayNo: foreign.no })).rejects.toEqual(code("DEVICE_NOT_FOUND"));
  expect(bench.devices.behindGateway(APP_A, gateway.id, 2).map((it) => it.nodeId)).toEqual(["gw", "sub"]);
  expect(bench.devices.behindGateway(APP_B, gateway.id, 2)).toEqual([]);
  expect(bench.devices.findSubDevice(gateway.no, sub.id)?.no).toBe(sub.no);
  expect(bench.devices.findSubDevice(gateway.no, "bare")?.no).toBe(bare.no);
  expect(bench.devices.findSubDevice(gateway.no, "gw")?.no).toBe(gateway.no);
  expect(bench.devices.findSubDevice(sub.no, "bare")).toBeUndefined();
  expect(bench.devices.findSubDevice(gateway.no, "foreign")).toBeUndefined();
});

test("a device type that ends in Gateway makes a gateway", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct({ deviceType: "CameraGateway", model: "G" });
  expect((await bench.register("a", product)).nodeType).toBe("GATEWAY");
  expect((await bench.register("b", product, { nodeType: "UNKNOW" })).nodeType).toBe("UNKNOW");
});

test("a listener that fails undoes the registration", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  bench.events.on("deviceAdded", ({ device }) => {
    expect(bench.db.inTransaction).toBe(true);
    if (device.nodeId === "bad") throw new Error("no room for the outbox row");
  });
  await expect(bench.register("bad", product)).rejects.toThrow("no room");
  expect(bench.devices.findByNodeId("bad")).toBeUndefined();
  const next = await bench.register("good", product);
  expect(bench.devices.findByNo(next.no)?.nodeId).toBe("good");
});

test("numbers are not used again after a restart", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  await bench.register("a", product);
  const last = await bench.register("b", product);
  await bench.devices.delete(last.no, { cascade: true });
  const again = deviceBench({ db: bench.db });
  expect((await again.register("c", product)).no).toBeGreaterThan(last.no);
});
