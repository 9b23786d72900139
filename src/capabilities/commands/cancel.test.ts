import { beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import { type CancelTaskFilter, type CancelTaskStatus, endOf } from "./cancel-task";
import { APP, METER, SETTINGS, type SleepyPlatform, sleepyPlatform } from "./testing/sleepy-platform";

const S = 1_000;
const ALL: CancelTaskFilter = { pageNo: 0, pageSize: 100 };
let clock: ManualClock;
let platform: SleepyPlatform;
beforeEach(() => {
  clock = manualClock();
  platform = sleepyPlatform({ clock });
});
const rejection = (run: Promise<unknown>) =>
  run.then(
    () => "accepted",
    ({ code, message }) => code ?? message,
  );
const tasks = (filter: Partial<CancelTaskFilter> = {}) =>
  platform.commands.queryCancelTasks(APP, { ...ALL, ...filter }).items.map(({ id, status }) => `${id} ${status}`);

describe("one command", () => {
  test("is CANCELED while it is PENDING, once; it is neither sent nor told", async () => {
    const { id } = await platform.create({ callbackUrl: "http://h:9/c" });
    expect(await platform.commands.cancel(APP, id)).toMatchObject({ id, status: "CANCELED", result: undefined });
    expect(await rejection(platform.commands.cancel(APP, id))).toBe("COMMAND_NOT_CANCELLABLE");
    await platform.hear();
    expect([platform.told, platform.transmissions]).toEqual([[], []]);
    expect(platform.metrics.render()).toContain("islet_commands_pending 0");
  });
  test("of nobody, or of another application, is not found", async () => {
    const { id } = await platform.create();
    expect(await rejection(platform.commands.cancel(APP, "nobody"))).toBe("COMMAND_NOT_FOUND");
    expect(await rejection(platform.commands.cancel("app-2" as never, id))).toBe("COMMAND_NOT_FOUND");
    expect(platform.statuses()).toEqual(["PENDING"]);
  });
  test.each<[status: string, make: () => Promise<unknown>]>([
    ["SENT", () => platform.hear()],
    ["DELIVERED", () => platform.hear().then(() => platform.end())],
    ["SUCCESSFUL", () => platform.hear().then(() => platform.answer(1))],
    ["FAILED", () => platform.hear().then(() => platform.end("refused"))],
    ["TIMEOUT", () => platform.hear().then(() => platform.end("noAcknowledgement"))],
    ["EXPIRED", () => clock.advance(172_800 * S)],
  ])("that is %s cannot be cancelled", async (status, make) => {
    const { id } = await platform.create();
    await make();
    expect(await rejection(platform.commands.cancel(APP, id))).toBe("COMMAND_NOT_CANCELLABLE");
    expect(platform.status(id)).toBe(status as never);
  });
  test("whose time is over has expired, though nobody has seen to it", async () => {
    let jump = 0;
    platform = sleepyPlatform({ clock: { ...clock, now: () => clock.now() + jump } });
    const { id } = await platform.create({ expireTimeS: 60 });
    jump = 60 * S;
    expect(await rejection(platform.commands.cancel(APP, id))).toBe("COMMAND_NOT_CANCELLABLE");
    expect(platform.status(id)).toBe("EXPIRED");
  });
});

test.each<[total: number, cancelled: number, end: CancelTaskStatus]>([
  [0, 0, "SUCCESS"],
  [3, 3, "SUCCESS"],
  [3, 0, "FAILED"],
  [3, 1, "PART_SUCCESS"],
])("a task of %d commands of which %d were cancelled ends as %s", (total, cancelled, end) => {
  expect(endOf({ total, cancelled })).toBe(end);
});

describe("a task", () => {
  test("cancels all that is PENDING for its device, and nothing else", async () => {
    platform.listening.add(METER);
    await platform.create();
    await platform.settle(); // this one is under way
    for (let count = 0; count < 5; count++) await platform.create();
    await platform.create({ deviceId: "valve" });
    const task = await platform.commands.createCancelTask(APP, "meter");
    expect(task).toMatchObject({ status: "WAITTING", total: 5, deviceId: "meter", createdAt: clock.now() });
    expect(task.commands.map(({ id, status }) => `${id} ${status}`)).toEqual(
      [2, 3, 4, 5, 6].map((no) => `c${no} PENDING`),
    );
    await platform.settle();
    expect(platform.statuses().join(" ")).toBe("SENT CANCELED CANCELED CANCELED CANCELED CANCELED PENDING");
    const { items, totalCommands } = platform.commands.queryCancelTasks(APP, ALL);
    expect(items).toMatchObject([{ id: task.id, status: "SUCCESS", total: 5 }]);
    expect([items[0]?.commands.map(({ status }) => status as string), totalCommands]).toEqual([
      new Array(5).fill("CANCELED"),
      5,
    ]);
    expect(platform.told).toEqual(["c1 SENT"]);
  });

  test("without anything to cancel is a success", async () => {
    await platform.commands.createCancelTask(APP, "meter");
    await platform.settle();
    expect(tasks()).toEqual(["c1 SUCCESS"]);
  });

  test.each<[left: number, status: CancelTaskStatus]>([
    [1, "PART_SUCCESS"],
    [2, "FAILED"],
  ])("that %d of two commands escaped is %s", async (left, status) => {
    await platform.create();
    await platform.create();
    // As if they had left between the creation of the task and its first step.
    const task = platform.commands.createCancelTask(APP, "meter");
    void platform.transactor.write(() =>
      platform.db.run("UPDATE command SET status = 'DELIVERED', queued = 0 WHERE no <= ?", [left]),
    );
    await task;
    await platform.settle();
    expect(tasks()).toEqual([`c3 ${status}`]);
  });

  test("is on disk in each of its states, and a later run ends it", async () => {
    for (let count = 0; count < 5; count++) await platform.create();
    await platform.create({ deviceId: "valve" });
    const states = new Set<string>();
    for (let steps = 0; steps < 6; steps++) {
      const created = platform.commands.createCancelTask(APP, "meter");
      await created;
      for (let step = 0; step < steps; step++) await new Promise((resolve) => setImmediate(resolve));
      states.add(tasks()[0]?.split(" ")[1] ?? "");
    }
    await platform.settle();
    expect([...states]).toEqual(expect.arrayContaining(["WAITTING", "RUNNING"]));

    platform.db.run("UPDATE command_cancel_task SET status = 'WAITTING', cancelled = 0");
    platform.db.run("UPDATE command_cancel_item SET done = 0");
    const next = sleepyPlatform({ clock, db: platform.db, idPrefix: "again" });
    await next.commands.recover();
    expect(new Set(tasks().map((it) => it.split(" ")[1]))).toEqual(new Set(["SUCCESS"]));
    expect(next.status("c6")).toBe("PENDING");
  });

  test("of an unknown device, or another application's, is refused", async () => {
    expect(await rejection(platform.commands.createCancelTask(APP, "nobody"))).toBe("DEVICE_NOT_FOUND");
    expect(await rejection(platform.commands.createCancelTask("app-2" as never, "meter"))).toBe("DEVICE_NOT_FOUND");
    expect(tasks()).toEqual([]);
  });

  test("is found by every filter, newest first; the total counts commands of all pages", async () => {
    const t0 = clock.now();
    for (const [index, deviceId] of ["meter", "valve", "meter"].entries()) {
      for (let count = 0; count <= index; count++) await platform.create({ deviceId });
      await platform.commands.createCancelTask(APP, deviceId);
      await platform.settle();
      await clock.advance(S);
    }
    expect(tasks()).toEqual(["c9 SUCCESS", "c5 SUCCESS", "c2 SUCCESS"]);
    expect(tasks({ pageNo: 1, pageSize: 2 })).toEqual(["c2 SUCCESS"]);
    expect(platform.commands.queryCancelTasks(APP, { ...ALL, pageSize: 1 }).totalCommands).toBe(6);
    expect(tasks({ deviceId: "meter" })).toEqual(["c9 SUCCESS", "c2 SUCCESS"]);
    expect(tasks({ taskId: "c5" })).toEqual(["c5 SUCCESS"]);
    expect(tasks({ taskId: "nobody" })).toEqual([]);
    expect(tasks({ status: "FAILED" })).toEqual([]);
    expect(tasks({ createdAfter: t0, createdBefore: t0 + 2 * S })).toEqual(["c5 SUCCESS"]);
    expect(platform.commands.queryCancelTasks("app-2" as never, ALL)).toEqual({ items: [], totalCommands: 0 });
    expect(() => tasks({ deviceId: "nobody" })).toThrow("DEVICE_NOT_FOUND");
    expect(() => tasks({ createdAfter: t0, createdBefore: t0 })).toThrow("INPUT_INVALID");
  });

  test("is kept as long as commands are", async () => {
    await platform.create();
    await platform.commands.createCancelTask(APP, "meter");
    await platform.settle();
    await clock.advance(SETTINGS.keepMs);
    await platform.commands.sweep();
    expect(tasks().length).toBe(1);
    await clock.advance(1);
    await platform.commands.sweep();
    expect([tasks(), platform.statuses()]).toEqual([[], []]);
    expect(platform.db.query("SELECT count(*) FROM command_cancel_item").values()).toEqual([[0]]);
  });
});

test("a PENDING command outlives the time for which ended ones are kept", async () => {
  await platform.create({ expireTimeS: 30 * 86_400 });
  await clock.advance(SETTINGS.keepMs + 1);
  await platform.commands.sweep();
  expect(platform.statuses()).toEqual(["PENDING"]);
});
