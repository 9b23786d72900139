import { expect, test } from "bun:test";
import { APP_A, deviceBench } from "./testing/device-bench";

async function withDevice() {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const device = await bench.register("a", product);
  return { ...bench, product, device };
}

test("there is one object of a device as long as somebody holds it", async () => {
  const { devices, device, product, liveCount } = await withDevice();
  const live = devices.acquire(device.no);
  expect(live).toMatchObject({
    no: device.no,
    id: device.id,
    appId: APP_A,
    nodeId: "a",
    gatewayNo: undefined,
    gatewayId: device.id,
    muted: false,
    storeHistory: true,
    pushEnabled: true,
    deleted: false,
  });
  expect(live?.product?.product.id).toBe(product.id);
  const again = devices.acquire(device.no);
  expect(again).toBe(live as never);
  if (!live) throw new Error("no live device");
  devices.release(live);
  expect(liveCount()).toBe(1);
  devices.release(live);
  expect(liveCount()).toBe(0);
  devices.release(live); // one too many
  expect(devices.acquire(device.no)).not.toBe(live);
  expect(devices.acquire(99)).toBeUndefined();
});

test("changes of device, product and application arrive in the object, after the commit", async () => {
  const { devices, device, product, products, changeApplication, transactor } = await withDevice();
  const live = devices.acquire(device.no);
  const change = devices.modify(device.no, { muted: true });
  expect(live?.muted).toBe(false);
  await change;
  expect(live?.muted).toBe(true);
  await products.setTopics(product.id, [{ name: "t", permission: "publish" }]);
  expect(live?.product?.product.topics).toHaveLength(1);
  await changeApplication(1, { storeHistory: false, pushEnabled: false });
  expect(live).toMatchObject({ storeHistory: false, pushEnabled: false });
  await changeApplication(2, { storeHistory: true });
  expect(live?.storeHistory).toBe(false);
  await transactor.settled();
});

test("whether a contact matters is known without asking the tables", async () => {
  const { devices, device, clock } = await withDevice();
  const live = devices.acquire(device.no);
  const needed = () => live?.needsContact;
  expect(needed()).toBe(true);
  const first = devices.seen(device.no);
  expect(needed()).toBe(true); // not before the commit
  await first;
  expect(needed()).toBe(false);
  await devices.connected(device.no);
  devices.disconnected(device.no);
  await clock.advance(60_000);
  expect(needed()).toBe(true); // OFFLINE
  await devices.seen(device.no);
  expect(needed()).toBe(false);
});

test("an undone change does not arrive", async () => {
  const { devices, device, events } = await withDevice();
  const live = devices.acquire(device.no);
  events.on("deviceInfoChanged", () => {
    throw new Error("undone");
  });
  await expect(devices.modify(device.no, { muted: true })).rejects.toThrow("undone");
  expect(live?.muted).toBe(false);
});

test("holders of a deleted device learn it, and their release does no harm", async () => {
  const { devices, device, product, register, liveCount } = await withDevice();
  const live = devices.acquire(device.no);
  await devices.delete(device.no, { cascade: true });
  expect(live?.deleted).toBe(true);
  const next = await register("a", product);
  const other = devices.acquire(next.no);
  if (live) devices.release(live);
  expect([liveCount(), other?.deleted]).toEqual([1, false]);
});
