import { expect, test } from "bun:test";
import { APP_A, deviceBench } from "./testing/device-bench";

const code = (expected: string) => expect.objectContaining({ code: expected });

async function withGateway() {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const gateway = await bench.register("gw", product, { nodeType: "GATEWAY" });
  const subs = [];
  for (const nodeId of ["s1", "s2"]) subs.push(await bench.register(nodeId, product, { gatewayNo: gateway.no }));
  bench.told();
  return { ...bench, product, gateway, subs };
}

test("a cascading deletion takes the devices behind it too, each told, each left for purging", async () => {
  const { devices, gateway, subs, told, disconnected } = await withGateway();
  const live = subs.map(({ no }) => devices.acquire(no));
  await devices.delete(gateway.no, { cascade: true });
  expect(told()).toEqual(["deleted s1 OFFLINE", "deleted s2 OFFLINE", "deleted gw INACTIVE"]);
  expect(live.map((it) => it?.deleted)).toEqual([true, true]);
  expect(disconnected).toEqual(["2 deleted", "3 deleted", "1 deleted"]);
  expect(devices.counts(APP_A)).toEqual({ ONLINE: 0, OFFLINE: 0, INACTIVE: 0, ABNORMAL: 0 });
  expect(devices.pendingPurges(2)).toEqual([1, 2]);
  await devices.purged([1, 2]);
  expect(devices.pendingPurges(10)).toEqual([3]);
});

test("without cascade the devices behind it become direct ones", async () => {
  const { devices, gateway, subs, told } = await withGateway();
  const live = devices.acquire(2);
  await devices.delete(gateway.no, { cascade: false });
  expect(told()).toEqual(["changed s1 OFFLINE", "changed s2 OFFLINE", "deleted gw INACTIVE"]);
  expect(devices.findByNo(2)).toMatchObject({ gatewayNo: undefined, gatewayId: subs[0]?.id });
  expect(live).toMatchObject({ gatewayNo: undefined, gatewayId: subs[0]?.id, deleted: false });
});

test("a deleted device is gone for everybody, and its node id is free again", async () => {
  const { devices, gateway, product, register } = await withGateway();
  await devices.delete(2, { cascade: true });
  await expect(devices.delete(2, { cascade: true })).rejects.toEqual(code("DEVICE_NOT_FOUND"));
  expect(devices.acquire(2)).toBeUndefined();
  expect(devices.loginByNodeId("s1")).toBeUndefined();
  expect(devices.find(APP_A, `${product.id}_s1`)).toBeUndefined();
  expect(() => devices.get(APP_A, `${product.id}_s1`)).toThrow(code("DEVICE_NOT_FOUND"));
  await register("s1", product, { gatewayNo: gateway.no });
});

test("a product with devices cannot be deleted", async () => {
  const { devices, gateway, product, products } = await withGateway();
  await expect(products.delete(product.id)).rejects.toEqual(code("PRODUCT_IN_USE"));
  await devices.delete(gateway.no, { cascade: true });
  await products.delete(product.id);
});

test("a product deleted while a device is being registered", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const [deleted, registered] = await Promise.allSettled([
    bench.products.delete(product.id),
    bench.register("a", product),
  ]);
  expect(deleted?.status).toBe("fulfilled");
  expect(registered).toMatchObject({ status: "rejected", reason: { code: "PRODUCT_NOT_FOUND" } });
});

test("a registration that nobody used is deleted when its validity is over, also over a restart", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  await bench.register("short", product, { timeoutS: 10 });
  await bench.register("used", product, { timeoutS: 10 });
  await bench.register("ever", product);
  await bench.register("long", product, { timeoutS: 100 });
  await bench.devices.connected(2);
  bench.told();
  const worker = bench.startExpiry();
  await bench.clock.advance(9_999);
  expect(bench.told()).toEqual([]);
  await bench.clock.advance(1_001);
  expect(bench.told()).toEqual(["bound expired short INACTIVE", "deleted short INACTIVE"]);
  await worker.stop();
  await bench.clock.advance(200_000);
  expect(bench.told()).toEqual([]);

  const again = deviceBench({ db: bench.db });
  await again.clock.advance(300_000);
  const next = again.startExpiry();
  await again.clock.advance(0);
  await again.transactor.settled();
  expect(again.told()).toEqual(["bound expired long INACTIVE", "deleted long INACTIVE"]);
  await next.stop();
  expect(["used", "ever"].map((nodeId) => again.devices.findByNodeId(nodeId)?.expiresAt)).toEqual([
    undefined,
    undefined,
  ]);
});

test("many registrations that are over go in pieces", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  await Promise.all(Array.from({ length: 450 }, (_, n) => bench.register(`n${n}`, product, { timeoutS: 1 })));
  const worker = bench.startExpiry();
  await bench.clock.advance(2_000);
  for (let turn = 0; turn < 10; turn++) await bench.clock.advance(1);
  expect(bench.devices.counts(APP_A).INACTIVE).toBe(0);
  await worker.stop();
});

test("credentials are refreshed only for a device that is offline and was active", async () => {
  const bench = deviceBench();
  const product = await bench.importProduct();
  const { no, id } = await bench.register("old", product);
  const coap = await bench.importProduct({ protocolType: "CoAP", model: "C" });
  await bench.register("other", coap, { credentials: { kind: "verifyCode", verifyCode: "taken" } });
  await expect(bench.devices.refreshCredentials(no, {})).rejects.toEqual(code("DEVICE_NOT_ACTIVE"));
  await bench.devices.connected(no);
  await expect(bench.devices.refreshCredentials(no, {})).rejects.toEqual(code("DEVICE_ONLINE"));
  bench.devices.disconnected(no);
  await bench.clock.advance(60_000);
  bench.told();
  await expect(bench.devices.refreshCredentials(no, { nodeId: "other" })).rejects.toEqual(code("NODE_ID_TAKEN"));
  await expect(bench.devices.refreshCredentials(no, { verifyCode: "taken" })).rejects.toEqual(
    code("VERIFY_CODE_INVALID"),
  );
  await expect(bench.devices.refreshCredentials(no, { nodeId: "a/b" })).rejects.toEqual(code("INPUT_INVALID"));
  await expect(bench.devices.refreshCredentials(99, {})).rejects.toEqual(code("DEVICE_NOT_FOUND"));
  expect(bench.told()).toEqual([]);

  const live = bench.devices.acquire(no);
  const refreshed = await bench.devices.refreshCredentials(no, { nodeId: "new", verifyCode: "mine" });
  expect(refreshed).toMatchObject({
    verifyCode: "mine",
    timeoutS: 180,
    device: { id, nodeId: "new", activated: true },
  });
  expect(refreshed.device).toMatchObject({ status: "OFFLINE", statusDetail: "NOT_ACTIVE" });
  expect(live).toMatchObject({ nodeId: "new", needsContact: true });
  expect(bench.disconnected).toEqual([`${no} new_credentials`]);
  expect(bench.told()).toEqual(["changed new OFFLINE"]);
  expect(bench.devices.loginByNodeId("old")).toBeUndefined();

  const worker = bench.startExpiry();
  await bench.devices.connected(no);
  expect(bench.told()).toEqual(["bound succeeded new ONLINE", "changed new ONLINE"]);
  await bench.clock.advance(200_000);
  expect(bench.devices.findByNo(no)?.expiresAt).toBeUndefined();
  await worker.stop();
});

test("refreshed credentials that nobody uses end the registration", async () => {
  const bench = deviceBench();
  const { no } = await bench.register("a", await bench.importProduct());
  await bench.devices.connected(no);
  bench.devices.disconnected(no);
  await bench.clock.advance(60_000);
  const { timeoutS } = await bench.devices.refreshCredentials(no, { timeoutS: 5 });
  expect(timeoutS).toBe(5);
  const worker = bench.startExpiry();
  await bench.clock.advance(6_000);
  expect(bench.devices.findByNo(no)).toBeUndefined();
  await worker.stop();
});

test("a new secret replaces the old one and ends the connection", async () => {
  const bench = deviceBench();
  const { no, id } = await bench.register("a", await bench.importProduct());
  const before = bench.devices.loginByDeviceId(id)?.secret;
  const made = await bench.devices.resetSecret(no);
  expect(made).toMatch(/^[0-9a-f]{20}$/);
  expect(made).not.toBe(before as string);
  expect(bench.devices.loginByDeviceId(id)?.secret).toBe(made);
  expect(bench.disconnected).toEqual([`${no} new_credentials`]);
  expect(await bench.devices.resetSecret(no, "F".repeat(20))).toBe("F".repeat(20));
  await expect(bench.devices.resetSecret(no, "short")).rejects.toEqual(code("INPUT_INVALID"));
  await expect(bench.devices.resetSecret(99)).rejects.toEqual(code("DEVICE_NOT_FOUND"));
});
