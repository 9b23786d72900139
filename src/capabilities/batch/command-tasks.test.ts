import { beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { Device } from "../devices/device";
import { APP_A, APP_B } from "../devices/testing/device-bench";
import type { Product } from "../products/product";
import type { Targets } from "./task";
import { type BatchBench, batchBench, SMALL_STEPS } from "./testing/batch-bench";

const MINUTE = 60_000;
let clock: ManualClock;
let it: BatchBench;
let meter: Product;
let devices: Device[];
const no = (at: number) => (devices[at] as Device).no;

beforeEach(async () => {
  clock = manualClock();
  it = batchBench({ clock, settings: SMALL_STEPS });
  meter = await it.importMeter();
  devices = await it.meters(meter, "m1", "m2", "m3", "m4", "m5");
  await it.start();
});

async function created(...args: Parameters<BatchBench["command"]>) {
  const task = await it.command(...args);
  await it.settle();
  return task;
}
const commandsOf = (at: number) =>
  it.commands.query(APP_A, { deviceId: devices[at]?.id, pageNo: 0, pageSize: 50 }).items;

test("a task makes a cached command for each device, which lasts as long as the task", async () => {
  const task = await it.command({ callbackUrl: "http://h:9/c", maxRetransmit: 2 });
  expect([task.phase, task.total, task.timeoutS]).toEqual(["expanding", 0, 600]);
  await it.settle();
  expect(it.summary(task)).toBe("running 5/0/0/0/0 of 5");
  expect(it.states(task)).toEqual({
    m1: "WaitResult",
    m2: "WaitResult",
    m3: "WaitResult",
    m4: "WaitResult",
    m5: "WaitResult",
  });
  const [command, ...others] = commandsOf(0);
  expect(others).toEqual([]);
  expect(command).toMatchObject({
    ...{ status: "PENDING", dispatch: "cached", origin: "command", method: "SET_PRESSURE", paras: { value: 3 } },
    ...{ callbackUrl: "http://h:9/c", maxRetransmit: 2, expireTimeS: 600 },
  });
  const { items } = it.batch.items(it.task(task), { commandId: command?.id }, 0, 10);
  expect(items.map(({ target }) => target)).toEqual([devices[0]?.id as string]);
});

test("sub-tasks follow their commands, and the task is complete with the last one", async () => {
  const task = await created();
  await it.wake(no(0), 0);
  await it.wake(no(1), 1);
  expect(it.states(task)).toMatchObject({ m1: "Success", m2: "Fail COMMAND_FAILED", m3: "WaitResult" });
  expect(it.summary(task)).toBe("running 3/1/1/0/0 of 5");
  const [first, second] = it.batch.items(it.task(task), {}, 0, 2).items;
  expect(first?.result).toEqual({ status: "SUCCESSFUL", detail: { errcode: 0 } });
  expect([second?.result, second?.error?.details]).toEqual([
    { status: "FAILED", detail: { errcode: 1 } },
    { errcode: 1 },
  ]);
  for (const at of [2, 3, 4]) await it.wake(no(at), 0);
  expect(it.summary(task)).toBe("Complete 0/4/1/0/0 of 5");
  expect(it.task(task).endedAt).toBe(clock.now());
});

test("a command that is delivered and never answered is awaited until the time of the task is over", async () => {
  const task = await created();
  for (const at of [0, 1, 2, 3]) await it.wake(no(at), 0);
  await it.wake(no(4));
  expect(commandsOf(4)[0]?.status).toBe("DELIVERED");
  expect(it.summary(task)).toBe("running 1/4/0/0/0 of 5");
  await clock.advance(10 * MINUTE);
  await it.settle();
  expect(it.summary(task)).toBe("Timeout 0/4/0/1/0 of 5");
  expect(it.states(task)).toMatchObject({ m5: "Timeout TASK_TIMEOUT" });
});

test("a command without an acknowledgement times its sub-task out, not the task", async () => {
  const task = await created({ targets: { type: "DeviceList", deviceIds: [devices[0]?.id as string] } });
  it.scripted.listening.add(no(0));
  it.contactEvents.emit("deviceHeard", { deviceNo: no(0), hasMore: false });
  await it.settle();
  await clock.advance(3 * MINUTE);
  await it.settle();
  expect(it.states(task)).toEqual({ m1: "Timeout COMMAND_TIMEOUT" });
  expect(it.summary(task)).toBe("Complete 0/0/0/1/0 of 1");
});

test("what was never sent when the time is over has expired, and the task timed out", async () => {
  const task = await created();
  await it.wake(no(0), 0);
  await clock.advance(10 * MINUTE - 1);
  expect(it.task(task).phase).toBe("running");
  await clock.advance(1);
  await it.settle();
  expect(it.summary(task)).toBe("Timeout 0/1/0/4/4 of 5");
  expect(it.states(task)).toMatchObject({ m2: "Timeout COMMAND_EXPIRED" });
  expect(commandsOf(1)[0]?.status).toBe("EXPIRED");
  // Late answers change nothing.
  await it.wake(no(1), 0);
  expect(it.summary(task)).toBe("Timeout 0/1/0/4/4 of 5");
});

test("a command that the application cancels fails its sub-task", async () => {
  const task = await created();
  await it.commands.cancel(APP_A, commandsOf(2)[0]?.id as string);
  expect(it.states(task)).toMatchObject({ m3: "Fail COMMAND_CANCELED" });
});

test("a device that is deleted fails its sub-task, in the same transaction", async () => {
  const task = await created();
  await it.devices.delete(no(3), { cascade: true });
  expect(it.states(task)).toMatchObject({ m4: "Fail DEVICE_NOT_FOUND" });
  expect(it.summary(task)).toBe("running 4/0/1/0/0 of 5");
});

describe("a device that cannot be sent it fails its sub-task, with the error of 1.9.1", () => {
  test("20 commands wait already", async () => {
    const [device] = devices;
    for (let at = 0; at < 20; at++)
      await it.commands.create(APP_A, {
        ...{
          deviceId: device?.id as string,
          serviceId: "WaterMeterBasic",
          method: "SET_PRESSURE",
          paras: { value: 1 },
        },
      });
    const task = await created();
    expect(it.states(task)).toMatchObject({ m1: "Fail COMMAND_LIMIT_REACHED", m2: "WaitResult" });
    expect(commandsOf(0).length).toBe(20);
  });

  test("it was not seen for a week", async () => {
    await it.devices.seen(no(0));
    it.lastSeen.set(no(0), clock.now() - 8 * 24 * 60 * MINUTE);
    expect(it.states(await created())).toMatchObject({ m1: "Fail DEVICE_ZOMBIE", m2: "WaitResult" });
  });

  test("the command is muted, unknown, or does not fit", async () => {
    await it.devices.modify(no(0), { mutedCommands: { WaterMeterBasic: ["SET_PRESSURE"] } });
    expect(it.states(await created())).toMatchObject({ m1: "Fail COMMAND_MUTED", m2: "WaitResult" });
    expect(it.states(await created({ serviceId: "Nothing" }))).toMatchObject({ m2: "Fail SERVICE_NOT_FOUND" });
    expect(it.states(await created({ method: "NOTHING" }))).toMatchObject({ m2: "Fail COMMAND_NAME_INVALID" });
    const misfit = await created({ paras: { value: 11 } });
    expect(it.states(misfit)).toMatchObject({ m2: "Fail COMMAND_PARAMETERS_INVALID" });
    expect(it.summary(misfit)).toBe("Complete 0/0/5/0/0 of 5");
  });

  test("it does not sleep", async () => {
    await it.register("mqtt-1", await it.importProduct());
    expect(it.states(await created())).toMatchObject({ "mqtt-1": "Fail COMMAND_NOT_CACHEABLE", m1: "WaitResult" });
  });

  test("there is no such device, or it is another application's", async () => {
    const foreign = await it.register("foreign", await it.importProduct({ protocolType: "LWM2M" }, APP_B), {}, APP_B);
    const ids = ["nobody", foreign.id as string, devices[1]?.id as string, "nobody"];
    const task = await created({ targets: { type: "DeviceList", deviceIds: ids } });
    expect(it.states(task)).toEqual({
      nobody: "Fail DEVICE_NOT_FOUND",
      foreign: "Fail DEVICE_NOT_FOUND",
      m2: "WaitResult",
    });
    expect(it.batch.items(it.task(task), { target: foreign.id }, 0, 5).items[0]?.deviceId).toBeUndefined();
  });
});

describe("targets", () => {
  beforeEach(async () => {
    const other = await it.importMeter({ model: "Other", manufacturerId: "OtherManu" });
    await it.meters(other, "o1");
    await it.devices.modify(no(0), { info: { location: "roof" }, tags: [{ tagName: "floor", tagValue: "2" }] });
    await it.devices.modify(no(3), { info: { location: "roof" } });
    await it.register("mqtt-1", await it.importProduct({ deviceType: "Lamp" }));
    it.members.push({ deviceNo: no(1) }, { deviceNo: no(2) }, { deviceNo: no(3) }, { deviceNo: no(4) });
  });
  const MODEL = { type: "DeviceType", deviceType: "WaterMeter" } as const;
  const TARGETS: [Targets, string[]][] = [
    [MODEL, ["m1", "m2", "m3", "m4", "m5", "o1"]],
    [{ ...MODEL, manufacturerId: "OtherManu" }, ["o1"]],
    [{ ...MODEL, model: "Meter" }, ["m1", "m2", "m3", "m4", "m5"]],
    [{ ...MODEL, model: "Meter", manufacturerId: "OtherManu" }, []],
    [{ type: "DeviceType", deviceType: "watermeter" }, []],
    [{ type: "DeviceArea", location: "roof" }, ["m1", "m4"]],
    [{ type: "GroupList", groups: ["roof"] }, ["m2", "m3", "m4", "m5"]],
    [{ type: "GroupIdList", groups: ["g7", "g7"] }, ["m2", "m3", "m4", "m5"]],
    [{ type: "Broadcast" }, ["m1", "m2", "m3", "m4", "m5", "o1", "mqtt-1"]],
  ];
  test.each(TARGETS)("%j", async (targets, expected) => {
    const task = await created({ targets });
    expect(Object.keys(it.states(task))).toEqual(expected);
    expect(it.task(task).total).toBe(expected.length);
    if (expected.length === 0) expect(it.summary(task)).toBe("Complete 0/0/0/0/0 of 0");
  });

  test("a tag narrows them", async () => {
    expect(Object.keys(it.states(await created({ groupTag: "floor" })))).toEqual(["m1"]);
    expect(
      Object.keys(it.states(await created({ groupTag: "floor", targets: { type: "GroupIdList", groups: ["g7"] } }))),
    ).toEqual([]);
  });

  test("a device that moves to a later group meanwhile is there once", async () => {
    it.moved.push({ deviceNo: no(1) }, { deviceNo: no(0) });
    const task = await created({ targets: { type: "GroupIdList", groups: ["g7", "g8"] } });
    expect(Object.keys(it.states(task))).toEqual(["m2", "m3", "m4", "m5", "m1"]);
    expect(it.task(task).total).toBe(5);
  });

  test("a device that is registered later is not meant", async () => {
    const task = await it.command();
    await clock.advance(1);
    await it.meters(meter, "late");
    await it.settle();
    expect(Object.keys(it.states(task))).not.toContain("late");
  });
});

describe("a task is refused, and nothing is left behind,", () => {
  const REFUSED: [name: string, facts: Parameters<BatchBench["command"]>[0], code: string][] = [
    ["that is too short", { timeoutMinutes: 9 }, "INPUT_INVALID"],
    ["that is too long", { timeoutMinutes: 2_881 }, "INPUT_INVALID"],
    ["of half a minute", { timeoutMinutes: 10.5 }, "INPUT_INVALID"],
    ["without a name", { name: "" }, "INPUT_INVALID"],
    ["with a long name", { name: "x".repeat(257) }, "INPUT_INVALID"],
    ["without devices", { targets: { type: "DeviceList", deviceIds: [] } }, "INPUT_INVALID"],
    ["without groups", { targets: { type: "GroupList", groups: [] } }, "INPUT_INVALID"],
    ["for an unknown group", { targets: { type: "GroupList", groups: ["roof", "no"] } }, "BATCH_TARGET_NOT_FOUND"],
    ["for an unknown group id", { targets: { type: "GroupIdList", groups: ["roof"] } }, "BATCH_TARGET_NOT_FOUND"],
    ["for an unknown tag", { groupTag: "colour" }, "TAG_NOT_FOUND"],
    [
      "with a tag twice",
      {
        tags: [
          { tagName: "a", tagValue: "b" },
          { tagName: "a", tagValue: "b" },
        ],
      },
      "TAG_USED",
    ],
  ];
  test.each(REFUSED)("%s", async (_name, facts, code) => {
    expect(await it.command(facts).catch((error) => error.code)).toBe(code);
    expect(it.tasksOf("command")).toEqual([]);
  });

  test("when its name is in use", async () => {
    const task = await created({ name: "twice" });
    expect(await it.command({ name: "twice" }).catch((error) => error.code)).toBe("BATCH_NAME_TAKEN");
    await it.batch.stop(task.id);
    await it.settle();
    expect(await it.command({ name: "twice" }).catch((error) => error.code)).toBe("BATCH_NAME_TAKEN");
    await it.batch.delete(task.id);
    await created({ name: "twice" }); // at once, while the old one is still being deleted
  });

  test("when ten are unfinished; those of others, and of other kinds, do not count", async () => {
    for (let at = 0; at < 10; at++) await it.command({ timeoutMinutes: at === 0 ? 10 : 20 });
    expect(await it.command().catch((error) => error.code)).toBe("BATCH_LIMIT_REACHED");
    const about = { name: "x", operator: "o", origin: "Portal" } as const;
    await it.batch.createDeletion(APP_A, { ...about, cascade: true, targets: { type: "DeviceArea", location: "no" } });
    await it.settle();
    await clock.advance(10 * MINUTE);
    await it.settle();
    await created();
  });
});

test("tasks of another application, or of another kind, are not there", async () => {
  const task = await created();
  expect(it.batch.get(1, "command", task.id).id).toBe(task.id);
  expect(() => it.batch.get(2, "command", task.id)).toThrow("BATCH_TASK_NOT_FOUND");
  expect(() => it.batch.get(1, "deletion", task.id)).toThrow("BATCH_TASK_NOT_FOUND");
  expect(() => it.batch.getById("nobody")).toThrow("BATCH_TASK_NOT_FOUND");
});

test("a task that is stopped cancels what waits, and calls nothing back", async () => {
  const task = await created();
  await it.wake(no(0), 0);
  it.scripted.listening.add(no(1));
  it.contactEvents.emit("deviceHeard", { deviceNo: no(1), hasMore: false });
  await it.settle();
  await it.batch.stop(task.id);
  await it.settle();
  expect(it.states(task)).toEqual({
    m1: "Success",
    m2: "Fail TASK_STOPPED",
    m3: "Fail COMMAND_CANCELED",
    m4: "Fail COMMAND_CANCELED",
    m5: "Fail COMMAND_CANCELED",
  });
  expect([commandsOf(1)[0]?.status, commandsOf(2)[0]?.status]).toEqual(["SENT", "CANCELED"]);
  expect(it.summary(task)).toBe("Stopped 0/1/4/0/0 of 5");
  expect(await it.batch.stop(task.id).catch((error) => error.code)).toBe("CONFLICT");
});

test("a task is deleted when it has ended, in steps, and by its age", async () => {
  const task = await created();
  expect(await it.batch.delete(task.id).catch((error) => error.code)).toBe("CONFLICT");
  await it.batch.stop(task.id);
  await it.settle();
  const other = await created();
  await it.batch.stop(other.id);
  await it.settle();
  await it.batch.delete(task.id);
  expect(() => it.task(task)).toThrow("BATCH_TASK_NOT_FOUND");
  await it.settle();
  const count = (table: string) => it.db.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n;
  expect(["batch_task", "batch_spec", "batch_item"].map(count)).toEqual([1, 1, 5]);
  await clock.advance(31 * 24 * 60 * MINUTE);
  await it.settle();
  expect(["batch_task", "batch_spec", "batch_item"].map(count)).toEqual([0, 0, 0]);
  expect(it.batch.list({}, 0, 10)).toEqual({ items: [], total: 0 });
});

test("pages are whole, with any filter", async () => {
  const task = await created();
  await it.wake(no(0), 0);
  await it.wake(no(4), 1);
  const page = (filter: object, at: number, size: number) => {
    const { items, total } = it.batch.items(it.task(task), filter, at, size);
    return [total, items.map(({ target }) => target.slice(target.indexOf("_") + 1)).join(" ")];
  };
  expect(page({}, 0, 2)).toEqual([5, "m1 m2"]);
  expect(page({}, 2, 2)).toEqual([5, "m5"]);
  expect(page({}, 3, 2)).toEqual([5, ""]);
  expect(page({ state: "WaitResult" }, 0, 2)).toEqual([3, "m2 m3"]);
  expect(page({ state: "WaitResult" }, 1, 2)).toEqual([3, "m4"]);
  expect(page({ state: "Success" }, 0, 9)).toEqual([1, "m1"]);
  expect(page({ state: "Fail" }, 0, 9)).toEqual([1, "m5"]);
  expect(page({ state: "Pending" }, 0, 9)).toEqual([0, ""]);
  expect(page({ state: "Timeout" }, 0, 9)).toEqual([0, ""]);
  expect(page({ target: devices[1]?.id }, 0, 9)).toEqual([1, "m2"]);
  expect(page({ target: devices[1]?.id, state: "Success" }, 0, 9)).toEqual([0, ""]);
  expect(page({ commandId: commandsOf(2)[0]?.id }, 0, 9)).toEqual([1, "m3"]);
  expect(page({ commandId: "nobody" }, 0, 9)).toEqual([0, ""]);
});

test("tasks take turns", async () => {
  const tasks = [await it.command(), await it.command(), await it.command()];
  await it.settle(8);
  expect(tasks.map((task) => it.task(task).total > 0)).toEqual([true, true, true]);
  await it.settle();
  expect(tasks.map((task) => it.summary(task))).toEqual(tasks.map(() => "running 5/0/0/0/0 of 5"));
});
