import { expect, test } from "bun:test";
import { APP_A, deviceBench } from "./testing/device-bench";

async function withDevices(count: number, settings = {}) {
  const bench = deviceBench({ settings });
  const product = await bench.importProduct();
  for (let n = 1; n <= count; n++) await bench.register(`n${n}`, product);
  bench.told();
  return { ...bench, product };
}

test("the first connection binds, and every change is told", async () => {
  const { devices, clock, told } = await withDevices(1);
  await devices.connected(1);
  expect(devices.findByNo(1)).toMatchObject({ status: "ONLINE", statusDetail: "NONE", activated: true });
  expect(told()).toEqual(["bound succeeded n1 ONLINE", "changed n1 ONLINE"]);
  devices.disconnected(1);
  await clock.advance(59_999);
  expect(devices.findByNo(1)?.status).toBe("ONLINE");
  await clock.advance(1);
  expect(devices.findByNo(1)).toMatchObject({ status: "OFFLINE", statusDetail: "NONE", activated: true });
  expect(told()).toEqual(["changed n1 OFFLINE"]);
  await devices.connected(1);
  expect(told()).toEqual(["changed n1 ONLINE"]);
});

test("a reconnect within the grace time tells nothing", async () => {
  const { devices, clock, told } = await withDevices(1);
  await devices.connected(1);
  told();
  for (let round = 0; round < 5; round++) {
    devices.disconnected(1);
    await clock.advance(50_000);
    await devices.connected(1);
    await clock.advance(50_000);
  }
  expect(told()).toEqual([]);
  expect(devices.findByNo(1)?.status).toBe("ONLINE");
});

test("while a second connection takes over, the end of the first one changes nothing", async () => {
  const { devices, clock, told } = await withDevices(1);
  await devices.connected(1);
  await devices.connected(1);
  devices.disconnected(1);
  await clock.advance(100_000);
  expect(devices.findByNo(1)?.status).toBe("ONLINE");
  devices.disconnected(1);
  devices.disconnected(1); // one too many
  await clock.advance(60_000);
  expect(devices.findByNo(1)?.status).toBe("OFFLINE");
  expect(told()).toEqual(["bound succeeded n1 ONLINE", "changed n1 ONLINE", "changed n1 OFFLINE"]);
});

test("devices leave in the order of their ends, each after its own grace", async () => {
  const { devices, clock, told } = await withDevices(3, { onlineGraceMs: 1_000 });
  for (const no of [1, 2, 3]) await devices.connected(no);
  told();
  devices.disconnected(2);
  await clock.advance(300);
  devices.disconnected(1);
  await clock.advance(300);
  devices.disconnected(3);
  await clock.advance(400);
  expect(told()).toEqual(["changed n2 OFFLINE"]);
  await clock.advance(300);
  expect(told()).toEqual(["changed n1 OFFLINE"]);
  await devices.connected(3);
  await clock.advance(5_000);
  expect(told()).toEqual([]);
});

test("thousands at once: ONLINE in few commits, OFFLINE in pieces", async () => {
  const { devices, clock, told, register, product, connectedCount } = await withDevices(0);
  const all = await Promise.all(Array.from({ length: 1_200 }, (_, n) => register(`m${n}`, product)));
  await Promise.all(all.map(({ no }) => devices.connected(no)));
  expect([devices.counts(APP_A).ONLINE, connectedCount()]).toEqual([1_200, 1_200]);
  for (const { no } of all) devices.disconnected(no);
  told();
  await clock.advance(60_000);
  for (let turn = 0; turn < 6; turn++) await clock.advance(1);
  expect([devices.counts(APP_A).OFFLINE, connectedCount()]).toEqual([1_200, 0]);
  expect(told()).toHaveLength(1_200);
});

test("when the store fails the device goes OFFLINE at a later try", async () => {
  const { devices, clock, events } = await withDevices(1);
  await devices.connected(1);
  let failures = 1;
  events.on("deviceInfoChanged", () => {
    if (failures-- > 0) throw new Error("disk full");
  });
  devices.disconnected(1);
  await clock.advance(60_000);
  expect(devices.findByNo(1)?.status).toBe("ONLINE");
  await clock.advance(60_000);
  expect(devices.findByNo(1)?.status).toBe("OFFLINE");
});

test("after a crash nobody stays ONLINE without a connection", async () => {
  const before = await withDevices(3);
  const coap = await before.register("coap", await before.importProduct({ protocolType: "CoAP", model: "C" }));
  const sub = await before.register("sub", before.product, { gatewayNo: 1 });
  for (const no of [1, 2, coap.no]) await before.devices.connected(no);
  await before.devices.setSubDeviceStatus(1, sub.no, "ONLINE");

  const after = deviceBench({ db: before.db });
  after.devices.recover();
  await after.devices.connected(2); // comes back
  await after.clock.advance(59_999);
  expect(after.told()).toEqual([]);
  await after.clock.advance(1);
  expect(after.told()).toEqual(["changed n1 OFFLINE"]);
  expect(after.devices.counts(APP_A)).toEqual({ ONLINE: 3, OFFLINE: 1, INACTIVE: 1, ABNORMAL: 0 });
  // Devices without a long connection, and those that a gateway speaks for, keep what was known.
  expect(["coap", "sub"].map((nodeId) => after.devices.findByNodeId(nodeId)?.status)).toEqual(["ONLINE", "ONLINE"]);
});

test("a device behind a gateway has the status that its gateway reports", async () => {
  const { devices, register, product, told } = await withDevices(2);
  const sub = await register("sub", product, { gatewayNo: 1, timeoutS: 5 });
  told();
  await devices.setSubDeviceStatus(1, sub.no, "OFFLINE");
  expect(devices.findByNo(sub.no)).toMatchObject({ status: "OFFLINE", statusDetail: "NONE", activated: false });
  await devices.setSubDeviceStatus(1, sub.no, "ONLINE");
  await devices.setSubDeviceStatus(1, sub.no, "ONLINE");
  expect(devices.findByNo(sub.no)).toMatchObject({ status: "ONLINE", activated: true, expiresAt: undefined });
  expect(told()).toEqual(["changed sub OFFLINE", "bound succeeded sub ONLINE", "changed sub ONLINE"]);
  for (const [gatewayNo, deviceNo] of [
    [2, sub.no],
    [1, 1],
    [1, 99],
  ] as const)
    await expect(devices.setSubDeviceStatus(gatewayNo, deviceNo, "OFFLINE")).rejects.toMatchObject({
      code: "DEVICE_NOT_FOUND",
    });
});

test("an uplink without a connection is a contact too; unknown and deleted devices are ignored", async () => {
  const { devices, clock, told, connectedCount } = await withDevices(2);
  await devices.seen(1);
  expect(told()).toEqual(["bound succeeded n1 ONLINE", "changed n1 ONLINE"]);
  await devices.seen(99);
  await devices.connected(99);
  devices.disconnected(99);
  await devices.connected(2);
  await devices.delete(2, { cascade: true });
  devices.disconnected(2);
  told();
  await clock.advance(100_000);
  expect(told()).toEqual([]);
  expect(connectedCount()).toBe(0);
});
