import { expect, test } from "bun:test";
import type { DevicePatch } from "./device-service";
import { APP_A, APP_B, deviceBench } from "./testing/device-bench";

const code = (expected: string) => expect.objectContaining({ code: expected });

const PATCHES: [what: string, patch: DevicePatch, expected: object][] = [
  [
    "texts",
    { info: { name: "n", location: "l", endUser: "u", imsi: "1" } },
    { info: { name: "n", location: "l", endUser: "u", imsi: "1" } },
  ],
  ["mute", { muted: true }, { muted: true }],
  ["isSecure", { isSecure: true }, { isSecure: true }],
  ["tags", { tags: [{ tagName: "a", tagValue: "b" }] }, { tags: [{ tagName: "a", tagValue: "b" }] }],
  [
    "custom fields",
    { customFields: [{ fieldName: "f", fieldValue: [1] }] },
    { customFields: [{ fieldName: "f", fieldValue: [1] }] },
  ],
  ["dataAgingTime", { dataAgingDays: 90 }, { dataAgingDays: 90 }],
  ["muted commands", { mutedCommands: { S: ["C"] } }, { mutedCommands: { S: ["C"] } }],
  ["node type", { nodeType: "UNKNOW" }, { nodeType: "UNKNOW" }],
];
for (const [what, patch, expected] of PATCHES) {
  test(`changes ${what}, tells once, and nothing the second time`, async () => {
    const bench = deviceBench();
    const before = await bench.register("a", await bench.importProduct());
    bench.told();
    await bench.clock.advance(5_000);
    const after = await bench.devices.modify(before.no, patch);
    expect(after).toMatchObject(expected);
    expect(after.modifiedAt).toBe(before.modifiedAt + 5_000);
    expect(bench.devices.findByNo(before.no)).toEqual(after);
    const { info, modifiedAt, ...rest } = after;
    expect({ ...before, ...expected, info, modifiedAt }).toEqual({ ...rest, info, modifiedAt });
    await bench.clock.advance(5_000);
    expect(await bench.devices.modify(before.no, patch)).toEqual(after);
    expect(await bench.devices.modify(before.no, {})).toEqual(after);
    expect(bench.told()).toEqual(["changed a INACTIVE"]);
  });
}

test("null takes a value away, undefined leaves it", async () => {
  const bench = deviceBench();
  const { no } = await bench.register("a", await bench.importProduct(), { info: { location: "l", endUser: "u" } });
  await bench.devices.modify(no, { info: { endUser: null, location: undefined }, dataAgingDays: 3 });
  const { info, dataAgingDays } = await bench.devices.modify(no, { dataAgingDays: null, tags: [] });
  expect([info.endUser, info.location, dataAgingDays]).toEqual([undefined, "l", undefined]);
});

test("to another product of the application; what the old one said does not stay behind", async () => {
  const bench = deviceBench();
  const first = await bench.importProduct();
  const second = await bench.importProduct({ model: "M2", deviceType: "Valve" });
  const foreign = await bench.importProduct({}, APP_B);
  const { no, id } = await bench.register("a", first);
  const live = bench.devices.acquire(no);
  const moved = await bench.devices.modify(no, { productId: second.id });
  expect(moved).toMatchObject({ id, productId: second.id, info: { model: "M2", deviceType: "Valve" } });
  expect(live?.product?.product.id).toBe(second.id);
  await expect(bench.devices.modify(no, { productId: foreign.id })).rejects.toEqual(code("PRODUCT_NOT_FOUND"));
  const back = await bench.devices.modify(no, { info: { model: "NBIoTDevice", deviceType: "WaterMeter" } });
  expect(back.productId).toBe(first.id);
  const described = await bench.devices.modify(no, { info: { model: "unknown to us" } });
  expect(described).toMatchObject({ productId: first.id, info: { model: "unknown to us", deviceType: "WaterMeter" } });
  const list = { sort: "ASC", page: 0, pageSize: 10 } as const;
  expect(bench.devices.list(APP_A, { ...list, deviceType: "WaterMeter" }).total).toBe(1);
  expect(bench.devices.list(APP_A, { ...list, deviceType: "Valve" }).total).toBe(0);
});

test("a new psk is stored sealed; the connection ends where it stands on it", async () => {
  const bench = deviceBench();
  const mqtt = await bench.register("a", await bench.importProduct());
  const coap = await bench.register("b", await bench.importProduct({ protocolType: "CoAP", model: "C" }));
  bench.told();
  for (const { no } of [mqtt, coap]) {
    await bench.devices.modify(no, { psk: "0123456789abcdef" });
    await bench.devices.modify(no, { psk: "0123456789abcdef" });
    expect(bench.devices.pskOf(no)).toBe("0123456789abcdef");
  }
  expect(bench.told()).toEqual(["changed a INACTIVE", "changed b INACTIVE"]);
  expect(bench.disconnected).toEqual([`${coap.no} new_credentials`]);
  await expect(bench.devices.modify(mqtt.no, { psk: "xyz" })).rejects.toEqual(code("INPUT_INVALID"));
});

test("another isSecure ends the session where there is one that stands on it", async () => {
  const bench = deviceBench();
  const mqtt = await bench.register("a", await bench.importProduct());
  const coap = await bench.register("b", await bench.importProduct({ protocolType: "CoAP", model: "C" }));
  const live = bench.devices.acquire(coap.no);
  for (const { no } of [mqtt, coap]) {
    await bench.devices.modify(no, { isSecure: true });
    await bench.devices.modify(no, { isSecure: true, info: { name: "n" } });
  }
  expect(bench.disconnected).toEqual([`${coap.no} new_credentials`]);
  expect(live?.isSecure).toBe(true);
});

test("limits of frozen and of non-secure devices", async () => {
  const bench = deviceBench({ settings: { maxFrozenDevices: 1, maxNonSecureDevices: 2 } });
  const product = await bench.importProduct();
  const a = await bench.register("a", product);
  const b = await bench.register("b", product);
  const s = await bench.register("s", product, { isSecure: true });
  await bench.devices.modify(a.no, { muted: true });
  await expect(bench.devices.modify(b.no, { muted: true })).rejects.toEqual(code("FROZEN_LIMIT_REACHED"));
  await bench.devices.modify(a.no, { muted: true, info: { name: "still frozen" } });
  await bench.devices.modify(a.no, { muted: false });
  await bench.devices.modify(b.no, { muted: true });
  await expect(bench.devices.modify(s.no, { isSecure: false })).rejects.toEqual(code("NON_SECURE_LIMIT_REACHED"));
  await bench.devices.modify(a.no, { isSecure: true });
  await bench.devices.modify(s.no, { isSecure: false });
});

test("two changes in one commit both hold; an unknown device is refused", async () => {
  const bench = deviceBench();
  const { no } = await bench.register("a", await bench.importProduct());
  await Promise.all([
    bench.devices.modify(no, { info: { name: "n" } }),
    bench.devices.modify(no, { info: { location: "l" } }),
  ]);
  expect(bench.devices.findByNo(no)?.info).toMatchObject({ name: "n", location: "l" });
  await expect(bench.devices.modify(99, { muted: true })).rejects.toEqual(code("DEVICE_NOT_FOUND"));
});

test("devices with a time of their own for history", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  for (const [nodeId, dataAgingDays] of [
    ["a", 1],
    ["b", 0],
    ["c", undefined],
    ["d", 90],
  ] as const) {
    const { no } = await bench.register(nodeId, product);
    await bench.devices.modify(no, { dataAgingDays });
  }
  expect(bench.devices.agingOverrides(0, 10)).toEqual([
    { deviceNo: 1, days: 1 },
    { deviceNo: 4, days: 90 },
  ]);
  expect(bench.devices.agingOverrides(1, 10)).toEqual([{ deviceNo: 4, days: 90 }]);
  expect(bench.devices.agingOverrides(0, 1)).toHaveLength(1);
});
