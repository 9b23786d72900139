import { beforeEach, describe, expect, test } from "bun:test";
import type { Product } from "../products/product";
import type { Device } from "./device";
import type { DeviceSettings } from "./device-settings";
import type { SubDeviceTask } from "./sub-devices";
import { APP_A, APP_B, deviceBench } from "./testing/device-bench";

let bench: ReturnType<typeof deviceBench>;
let product: Product;
let gateway: Device;
async function open(settings: Partial<DeviceSettings> = {}) {
  bench = deviceBench({ settings });
  const gateways = await bench.importProduct({ model: "G", deviceType: "HomeGateway" });
  product = await bench.importProduct({ model: "M1", deviceType: "Meter" });
  gateway = await bench.register("gw", gateways);
  bench.told();
}
beforeEach(() => open());

const run = async (tasks: SubDeviceTask[], gatewayNo = gateway.no): Promise<string[]> =>
  (await bench.subDevices.run(gatewayNo, tasks)).map((it) => (it.done ? it.deviceId : it.code));
const add = (nodeId: string, info = {}, productId?: string): SubDeviceTask => ({
  ...{ kind: "add", nodeId, info },
  ...(productId !== undefined && { productId }),
});
const behind = () => bench.devices.behindGateway(APP_A, gateway.id, 1_000).filter(({ no }) => no !== gateway.no);

describe("adding", () => {
  test("gives a device of the gateway's application, OFFLINE, and tells of it", async () => {
    expect(await run([add("s", { name: "S" }, product.id)])).toEqual([`${product.id}_s`]);
    expect(behind()).toMatchObject([
      {
        ...{ appId: APP_A, nodeId: "s", gatewayId: gateway.id, gatewayNo: gateway.no, productId: product.id },
        ...{ status: "OFFLINE", statusDetail: "NOT_ACTIVE", activated: false, expiresAt: undefined },
        info: { name: "S", deviceType: "Meter" },
      },
    ]);
    expect(bench.told()).toEqual(["added s OFFLINE"]);
  });

  const MODEL = { manufacturerId: "TestManuId", model: "M1" };
  test.each([
    ["its manufacturer and model", MODEL, true],
    [
      "all of the model",
      { ...MODEL, manufacturerName: "Test Manufacturer", deviceType: "Meter", protocolType: "mqtt" },
      true,
    ],
    ["a type that does not fit", { ...MODEL, deviceType: "Lamp" }, false],
    ["a protocol that does not fit", { ...MODEL, protocolType: "CoAP" }, false],
    ["another model", { ...MODEL, model: "M2" }, false],
    ["a model without its manufacturer", { model: "M1" }, false],
    ["nothing", {}, false],
  ])("by %s", async (_name, info, matches) => {
    const [deviceId] = await run([add("s", info)]);
    const [device] = behind();
    expect(device?.productId).toBe(matches ? product.id : undefined);
    expect(device?.id as string).toBe(deviceId as string);
    if (!matches) expect(device?.info).toMatchObject(info); // what it said of itself is all that is known
  });

  test("by a productId of nobody or of another application: no product", async () => {
    const foreign = await bench.importProduct({ model: "M1" }, APP_B);
    await run([add("s", {}, foreign.id), add("t", {}, "nothing")]);
    expect(behind().map(({ productId }) => productId)).toEqual([undefined, undefined]);
  });

  test("again changes nothing and gives the same; twice in one message too", async () => {
    const first = await run([add("s", {}, product.id), add("s", { name: "other" }, product.id)]);
    expect(first).toEqual([`${product.id}_s`, `${product.id}_s`]);
    expect(await run([add("s")])).toEqual([`${product.id}_s`]);
    expect(behind().length).toBe(1);
    expect(bench.told()).toEqual(["added s OFFLINE"]);
  });

  test.each([
    ["the node id of the gateway itself", "gw", "NODE_ID_TAKEN"],
    ["one of another application", "foreign", "NODE_ID_TAKEN"],
    ["one of a direct device", "direct", "NODE_ID_TAKEN"],
    ["one of another gateway", "theirs", "NODE_ID_TAKEN"],
    ["what makes no topic", "a/b", "INPUT_INVALID"],
    ["what makes a filter", "+", "INPUT_INVALID"],
    ["control characters", "a\u0000b", "INPUT_INVALID"],
  ])("%s is refused, and nothing happens", async (_name, nodeId, code) => {
    const foreign = await bench.importProduct({ model: "F" }, APP_B);
    await bench.register("foreign", foreign, {}, APP_B);
    await bench.register("direct", product);
    const other = await bench.register("gw2", product, { nodeType: "GATEWAY" });
    await bench.register("theirs", product, { gatewayNo: other.no });
    bench.told();
    expect(await run([add(nodeId, {}, product.id)])).toEqual([code]);
    expect([behind(), bench.told()]).toEqual([[], []]);
  });

  test("one bad one does not harm the others", async () => {
    expect(await run([add("s"), add("gw"), add("t")])).toEqual([
      expect.any(String),
      "NODE_ID_TAKEN",
      expect.any(String),
    ]);
    expect(behind().map(({ nodeId }) => nodeId)).toEqual(["s", "t"]);
  });

  test("is for gateways: not for a plain device, nor for one that is behind a gateway", async () => {
    const plain = await bench.register("plain", product);
    await run([add("s", { deviceType: "SmallGateway" })]);
    const [nested] = behind();
    bench.told();
    expect(await run([add("x")], plain.no)).toEqual(["NOT_A_GATEWAY"]);
    expect(await run([add("x")], nested?.no)).toEqual(["INPUT_INVALID"]);
    expect(await run([add("x")], 999)).toEqual(["NOT_A_GATEWAY"]);
    expect(bench.told()).toEqual([]);
    expect(bench.devices.findByNo(plain.no)?.nodeType).toBe("ENDPOINT");
  });

  test("ends at the limit of the gateway, in one message too; deleting makes room", async () => {
    await open({ maxSubDevices: 2 });
    const outcomes = await run(["a", "b", "c"].map((nodeId) => add(nodeId)));
    expect(outcomes.map((it) => it === "DEVICE_LIMIT_REACHED")).toEqual([false, false, true]);
    expect(await run([add("a")])).toEqual(outcomes.slice(0, 1)); // it is there already
    const other = await bench.register("gw2", product, { nodeType: "GATEWAY" });
    expect(await run([add("d")], other.no)).not.toEqual(["DEVICE_LIMIT_REACHED"]);
    await run([{ kind: "delete", id: "a" }]);
    expect(await run([add("c")])).not.toEqual(["DEVICE_LIMIT_REACHED"]);
    await bench.devices.delete(gateway.no, { cascade: false });
    expect(bench.db.query("SELECT * FROM sub_device_count").all()).toEqual([{ gateway_no: other.no, devices: 1 }]);
    await bench.devices.delete(other.no, { cascade: true });
    expect(bench.db.query("SELECT * FROM sub_device_count").all()).toEqual([]);
  });

  test("counts for the application", async () => {
    await open({ maxDevices: 2 });
    expect(await run([add("a"), add("b")])).toEqual([expect.any(String), "DEVICE_LIMIT_REACHED"]);
  });
});

describe("status", () => {
  const status = (id: string, to: "ONLINE" | "OFFLINE", detail?: string): SubDeviceTask => ({
    ...{ kind: "status", id, status: to },
    ...(detail !== undefined && { detail }),
  });
  test("is what the gateway says, by either id; the first ONLINE binds", async () => {
    const [deviceId] = await run([add("s", {}, product.id)]);
    bench.told();
    expect(await run([status("s", "ONLINE")])).toEqual([deviceId as string]);
    expect(bench.told()).toEqual(["bound succeeded s ONLINE", "changed s ONLINE"]);
    await run([status(deviceId as string, "OFFLINE", "DUTY_CYCLE")]);
    expect(behind()).toMatchObject([{ status: "OFFLINE", statusDetail: "DUTY_CYCLE", activated: true }]);
    bench.told();
    await run([status("s", "OFFLINE", "DUTY_CYCLE")]);
    expect(bench.told()).toEqual([]); // nothing new
  });

  test("stays when the gateway goes", async () => {
    await run([add("s"), add("t")]);
    await run([status("s", "ONLINE")]);
    await bench.devices.connected(gateway.no);
    bench.devices.disconnected(gateway.no);
    await bench.clock.advance(120_000);
    await bench.transactor.settled();
    expect(bench.devices.findByNo(gateway.no)?.status).toBe("OFFLINE");
    expect(behind().map((it) => it.status)).toEqual(["ONLINE", "OFFLINE"]);
    bench.devices.recover();
    await bench.clock.advance(120_000);
    await bench.transactor.settled();
    expect(behind().map((it) => it.status)).toEqual(["ONLINE", "OFFLINE"]);
  });
});

test("deleting takes the device away and tells of it; again it is not there", async () => {
  const [deviceId] = await run([add("s", {}, product.id)]);
  bench.told();
  expect(await run([{ kind: "delete", id: deviceId as string }])).toEqual([deviceId as string]);
  expect(bench.told()).toEqual(["deleted s OFFLINE"]);
  expect(await run([{ kind: "delete", id: "s" }])).toEqual(["DEVICE_NOT_FOUND"]);
});

test("a gateway reaches nothing that is not behind it, and cannot tell what there is", async () => {
  const foreign = await bench.importProduct({ model: "F" }, APP_B);
  const others = [
    await bench.register("foreign", foreign, {}, APP_B),
    await bench.register("direct", product),
    gateway,
  ];
  const other = await bench.register("gw2", product, { nodeType: "GATEWAY" });
  others.push(await bench.register("theirs", product, { gatewayNo: other.no }));
  bench.told();
  for (const id of ["nobody", ...others.flatMap((it) => [it.id as string, it.nodeId])]) {
    const tasks: SubDeviceTask[] = [
      { kind: "status", id, status: "ONLINE" },
      { kind: "delete", id },
    ];
    expect(await bench.subDevices.run(gateway.no, tasks)).toEqual(
      tasks.map(() => ({ done: false, code: "DEVICE_NOT_FOUND", reason: undefined })),
    );
  }
  expect(bench.told()).toEqual([]);
});

test("a fault of ours is one, whatever the others did", async () => {
  bench.events.on("deviceAdded", () => {
    throw new Error("disk full");
  });
  await expect(bench.subDevices.run(gateway.no, [add("s")])).rejects.toThrow("disk full");
  expect(behind()).toEqual([]);
});
