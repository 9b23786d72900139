import { beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { Device } from "../devices/device";
import { APP_A } from "../devices/testing/device-bench";
import type { CompiledProduct, Product } from "../products/product";
import { toServiceDesired } from "./configuration-values";
import type { NewConfigurationTask, NewDeletionTask } from "./task";
import { type BatchBench, batchBench, SMALL_STEPS } from "./testing/batch-bench";

const MINUTE = 60_000;
let clock: ManualClock;
let it: BatchBench;
let devices: Device[];
const no = (at: number) => (devices[at] as Device).no;

beforeEach(async () => {
  clock = manualClock();
  it = batchBench({ clock, settings: SMALL_STEPS });
  devices = await it.meters(await it.importMeter(), "m1", "m2", "m3", "m4");
  await it.start();
});

const about = { name: "task", operator: "tester", origin: "Portal", targets: { type: "Broadcast" } } as const;
async function configured(facts: Partial<NewConfigurationTask> = {}) {
  const task = await it.batch.createConfiguration(APP_A, { ...about, values: { flow: "12" }, ...facts });
  await it.settle();
  return task;
}
async function deleted(facts: Partial<NewDeletionTask> = {}) {
  const task = await it.batch.createDeletion(APP_A, { ...about, cascade: true, ...facts });
  await it.settle();
  return task;
}
/** What the shadow tells when a device has taken the values, or not. */
async function settled(at: number, properties: object, status: "DELIVERED" | "FAILED" = "DELIVERED"): Promise<void> {
  const { id, appNo, appId } = devices[at] as Device;
  const device = { no: no(at), id, appNo, appId };
  await it.transactor.write(() =>
    it.shadowEvents.emit("desiredSettled", {
      ...{ device, serviceId: "WaterMeterBasic", properties: { ...properties }, status },
    }),
  );
  await it.settle();
}
const wishes = (at: number) =>
  it.db
    .query<{ properties: string }, [number]>("SELECT properties FROM desired_service WHERE device_no = ?")
    .all(no(at))
    .map(({ properties }) =>
      Object.entries(JSON.parse(properties)).map(([name, it]) => [name, (it as { value: unknown }).value]),
    );

describe("a configuration", () => {
  test("puts its values into the shadows, and follows them", async () => {
    const task = await configured();
    expect(it.summary(task)).toBe("running 4/0/0/0/0 of 4");
    expect(wishes(0)).toEqual([[["flow", "12"]]]);
    await settled(0, { flow: "12" });
    await settled(1, { flow: "12" }, "FAILED");
    await settled(2, { flow: "13" });
    await settled(3, { temperature: 3 });
    expect(it.states(task)).toEqual({
      m1: "Success",
      m2: "Fail CONFIGURATION_FAILED",
      m3: "Fail CONFIGURATION_SUPERSEDED",
      m4: "WaitResult",
    });
    await settled(3, { flow: "12", temperature: 3 });
    expect(it.summary(task)).toBe("Complete 0/2/2/0/0 of 4");
  });

  test("is tried again as often as it was told", async () => {
    const task = await configured({
      ...{
        retry: { times: 2, intervalS: 120 },
        targets: { type: "DeviceList", deviceIds: [devices[0]?.id as string] },
      },
    });
    for (let tries = 1; tries <= 2; tries++) {
      await settled(0, { flow: "12" }, "FAILED");
      expect(it.states(task)).toEqual({ m1: "Pending CONFIGURATION_FAILED" });
      await clock.advance(119_999);
      await it.settle();
      expect(it.task(task).counts.waiting).toBe(0);
      await clock.advance(1);
      await it.settle();
      expect(it.states(task)).toEqual({ m1: "WaitResult" });
    }
    await settled(0, { flow: "12" }, "FAILED");
    expect(it.states(task)).toEqual({ m1: "Fail CONFIGURATION_FAILED" });
    expect(it.batch.items(it.task(task), {}, 0, 1).items[0]?.tries).toBe(3);
  });

  test("waits for its start, and ends when it was told to", async () => {
    const startAt = clock.now() + 30 * MINUTE;
    const task = await configured({ startAt, endAt: startAt + 60 * MINUTE });
    expect([it.summary(task), wishes(0)]).toEqual(["scheduled 0/0/0/0/0 of 4", []]);
    await clock.advance(30 * MINUTE);
    await it.settle();
    expect(it.summary(task)).toBe("running 4/0/0/0/0 of 4");
    await clock.advance(60 * MINUTE);
    await it.settle();
    expect(it.summary(task)).toBe("Timeout 0/0/0/4/0 of 4");
  });

  test("for nobody is complete when its time has come", async () => {
    const startAt = clock.now() + MINUTE;
    const targets = { type: "DeviceArea", location: "nowhere" } as const;
    const task = await configured({ startAt, endAt: startAt + 10 * MINUTE, targets });
    expect(it.summary(task)).toBe("scheduled 0/0/0/0/0 of 0");
    await clock.advance(MINUTE);
    await it.settle();
    expect(it.summary(task)).toBe("Complete 0/0/0/0/0 of 0");
  });

  test("fails where the model does not take it, and leaves no half of it behind", async () => {
    await it.register("mqtt-1", await it.importProduct());
    const states = async (values: NewConfigurationTask["values"], name: string) =>
      it.states(await configured({ values, name }));
    expect(await states({ flow: "1" }, "a")).toMatchObject({
      m1: "WaitResult",
      "mqtt-1": "Fail PROPERTY_NOT_WRITABLE",
    });
    expect(await states({ level: "1" }, "b")).toMatchObject({ m1: "Fail PROPERTY_NOT_WRITABLE" });
    expect(await states({ flow: "9", nothing: 1 }, "c")).toMatchObject({ m1: "Fail SHADOW_PROPERTIES_UNKNOWN" });
    expect(await states({ flow: "1234567" }, "d")).toMatchObject({ m1: "Fail INPUT_INVALID" });
    expect(wishes(0)).toEqual([[["flow", "1"]]]);
  });

  const REFUSED: [name: string, facts: () => Partial<NewConfigurationTask>][] = [
    ["a long name", () => ({ name: "x".repeat(51) })],
    ["no values", () => ({ values: {} })],
    ["many values", () => ({ values: { flow: "x".repeat(20_000) } })],
    ["a start that is over", () => ({ startAt: clock.now() - 1, endAt: clock.now() + 60 * MINUTE })],
    ["an end before the start", () => ({ startAt: clock.now() + MINUTE, endAt: clock.now() })],
    ["a short time", () => ({ endAt: clock.now() + 10 * MINUTE - 1 })],
    ["a long time", () => ({ endAt: clock.now() + 2_880 * MINUTE + 1 })],
    ["no retry", () => ({ retry: { times: 0, intervalS: 120 } })],
    ["six retries", () => ({ retry: { times: 6, intervalS: 120 } })],
    ["no interval", () => ({ retry: { times: 1, intervalS: 0 } })],
  ];
  test.each(REFUSED)("with %s is refused", async (_name, facts) => {
    expect(await configured(facts()).catch((error) => error.code)).toBe("INPUT_INVALID");
    expect(it.batch.list({}, 0, 9).total).toBe(0);
  });
});

describe("values for the devices of a product", () => {
  const property = (name: string, dataType: string) => ({ name, dataType });
  const product = {
    passThrough: false,
    product: {
      services: [
        {
          serviceId: "A",
          properties: [
            ...[property("i", "int"), property("d", "decimal"), property("s", "string"), property("both", "int")],
            ...[
              property("b", "boolean"),
              property("o", "jsonObject"),
              property("l", "string list"),
              property("A", "int"),
            ],
          ],
        },
        { serviceId: "B", properties: [property("both", "int"), property("only", "enum")] },
      ],
    },
  } as unknown as CompiledProduct;
  const CASES: [values: object, services: object][] = [
    [
      { i: "7", only: "x" },
      { A: { i: 7 }, B: { only: "x" } },
    ],
    [{ i: 7, d: "-1.5e3", s: "5", b: "true" }, { A: { i: 7, d: -1500, s: "5", b: true } }],
    [{ i: "7 apples", b: "yes", o: "{", l: '["a"]' }, { A: { i: "7 apples", b: "yes", o: "{", l: ["a"] } }],
    [{ o: '{"a":1}', i: "" }, { A: { o: { a: 1 }, i: "" } }],
    [
      { A: { i: "1", nothing: 2 }, B: { both: "3" } },
      { A: { i: 1, nothing: 2 }, B: { both: 3 } },
    ],
    [{ A: "5" }, { A: { A: 5 } }],
  ];
  test.each(CASES)("%j", (values, services) => {
    const found = toServiceDesired(product, values as Record<string, unknown>);
    expect(Object.fromEntries(found.map(({ serviceId, desired }) => [serviceId, desired]))).toEqual(services as never);
  });
  test.each([
    [{ both: 1 }, "INPUT_INVALID"],
    [{ nobody: 1 }, "SHADOW_PROPERTIES_UNKNOWN"],
    [{ B: 1 }, "SHADOW_PROPERTIES_UNKNOWN"],
  ])("%j is refused", (values, code) => {
    expect(() => toServiceDesired(product, values)).toThrow(code);
  });
  test("a product without a model has none", () => {
    expect(() => toServiceDesired({ ...product, passThrough: true }, { i: 1 })).toThrow("SHADOW_MODEL_MISSING");
    expect(() => toServiceDesired(undefined, { i: 1 })).toThrow("SHADOW_MODEL_MISSING");
  });
});

describe("a deletion", () => {
  test("deletes the devices with all that is theirs", async () => {
    await it.command();
    await it.settle();
    const task = await deleted({
      targets: { type: "DeviceList", deviceIds: [...devices.slice(0, 3).map(({ id }) => id), "no"] },
    });
    expect(it.states(task)).toEqual({ m1: "Success", m2: "Success", m3: "Success", no: "Fail DEVICE_NOT_FOUND" });
    expect(devices.map(({ no }) => it.devices.findByNo(no)?.nodeId)).toEqual([undefined, undefined, undefined, "m4"]);
    const [command] = it.tasksOf("command");
    expect(it.summary(command as never)).toBe("running 1/0/3/0/0 of 4");
    expect(it.told().filter((line) => line.startsWith("deleted"))).toHaveLength(3);
  });

  test("a gateway takes what is behind it along; both are successes", async () => {
    const gateway = await it.register("gw", await it.importProduct({ deviceType: "XGateway" }));
    const behind = await it.register("behind", (await it.importProduct({ model: "Behind" })) as Product, {
      gatewayNo: gateway.no,
    });
    const targets = { type: "DeviceList", deviceIds: [gateway.id, behind.id] } as const;
    expect(it.states(await deleted({ targets }))).toEqual({ gw: "Success", behind: "Success" });
  });

  test("or leaves it", async () => {
    const gateway = await it.register("gw", await it.importProduct({ deviceType: "XGateway" }));
    const behind = await it.register("behind", (await it.importProduct({ model: "Behind" })) as Product, {
      gatewayNo: gateway.no,
    });
    await deleted({ cascade: false, targets: { type: "DeviceList", deviceIds: [gateway.id] } });
    expect(it.devices.findByNo(behind.no)?.gatewayNo).toBeUndefined();
  });

  test("a device that somebody else deletes first is gone, as was wanted", async () => {
    const task = await it.batch.createDeletion(APP_A, { ...about, cascade: true });
    await it.settle(3);
    await it.devices.delete(no(3), { cascade: true });
    await it.settle();
    expect(it.summary(task)).toBe("Complete 0/4/0/0/0 of 4");
  });
});

test("the tasks of an application go with it", async () => {
  await configured();
  await it.transactor.write(() => it.events.emit("applicationDeleted", { application: { no: 1 } as never }));
  expect(it.batch.list({}, 0, 9).total).toBe(0);
  await it.settle();
  expect(it.db.query<{ n: number }, []>("SELECT count(*) AS n FROM batch_item").get()?.n).toBe(0);
});

test("a fault at one device costs that one only, and is logged", async () => {
  it.events.on("deviceDeleted", ({ device }) => {
    if (device.nodeId === "m2") throw new Error("broken");
  });
  const task = await deleted();
  expect(it.states(task)).toEqual({ m1: "Success", m2: "Fail INTERNAL", m3: "Success", m4: "Success" });
  expect(it.devices.findByNodeId("m2")?.no).toBe(no(1));
});
