import { expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { Device } from "../devices/device";
import { TEXTS } from "./failure-texts";
import { HOUR, MINUTE, S, samplePackage, type UpgradeBench, upgradeBench } from "./testing/upgrade-bench";

async function begin(options: Partial<Parameters<typeof upgradeBench>[0]> = {}, nodeIds = ["m1"]) {
  const clock = options.clock ?? manualClock();
  const it = upgradeBench({ ...options, clock });
  const product = await it.meter();
  const meters: Device[] = [];
  for (const nodeId of nodeIds) meters.push(await it.register(nodeId, product));
  await it.start();
  it.told();
  return { it, clock, product, meters, meter: meters[0] as Device };
}

const RADIO = { type: "radio", cellId: 7, rsrp: -90, sinr: 20 } as const;
/** From the contact until it downloads. */
async function toDownload(
  it: UpgradeBench,
  device: Device,
  radio: { rsrp: number; sinr: number } = RADIO,
): Promise<void> {
  it.ways.pcp.reachable.add(device.no);
  await it.heard(device);
  await it.tell(device, { type: "version", version: "V1" });
  await it.tell(device, { ...RADIO, ...radio });
  await it.tell(device, { type: "accepted" });
}

test("an upgrade over PCP from its creation to its success", async () => {
  const { it, meter } = await begin();
  const task = await it.create([meter]);
  expect([it.summary(task), it.state(task), it.isPackageInUse(1)]).toEqual(["wait: 1 wait", "wait", true]);
  await it.pass(10 * S - 1);
  expect(it.state(task)).toBe("wait");
  await it.pass(1 * S);
  expect([it.summary(task), it.state(task)]).toEqual(["processing: 1 processing", "processing online"]);
  expect(it.all(task)[0]?.detail).toBe("WaitingDeviceOnline");
  expect(it.ways.pcp.heard()).toEqual([]);

  it.ways.pcp.reachable.add(meter.no);
  await it.heard(meter);
  expect(it.ways.pcp.heard()).toEqual(["queryVersion"]);
  await it.heard(meter); // it knows already
  expect(it.ways.pcp.heard()).toEqual([]);
  expect(it.desk.orderOf(meter.no)).toMatchObject({ stage: "version", attempt: 1, package: undefined, token: "" });
  expect(await it.tell(meter, { type: "version", version: "V1" })).toBe("taken");
  expect(it.devices.findByNo(meter.no)?.info.swVersion).toBe("V1");
  expect(it.ways.pcp.heard()).toEqual(["queryRadio"]);
  await it.tell(meter, { type: "radio", cellId: undefined, rsrp: undefined, sinr: undefined });
  expect(it.ways.pcp.heard()).toEqual(["queryCell"]);
  expect(it.held(meter.no)).toBe(0);
  await it.tell(meter, { ...RADIO, rsrp: undefined, sinr: undefined });
  expect(it.ways.pcp.heard()).toEqual(["announce"]);
  expect(it.held(meter.no)).toBe(1);
  const { token = "", package: content } = it.desk.orderOf(meter.no) ?? {};
  expect([content?.version, token.length, it.desk.authorizeDownload(token)?.no]).toEqual(["V2", 43, 1]);
  expect(it.desk.authorizeDownload(`${token}x`)).toBeUndefined();

  expect(await it.tell(meter, { type: "accepted" })).toBe("taken");
  expect(await it.tell(meter, { type: "accepted" })).toBe("ignored");
  expect(await it.tell(meter, { type: "downloaded" })).toBe("taken");
  expect(it.ways.pcp.heard()).toEqual(["execute"]);
  await it.tell(meter, { type: "updating" });
  expect(await it.tell(meter, { type: "succeeded", version: "V2" })).toBe("taken");
  expect([it.summary(task), it.state(task)]).toEqual(["success: 1 success", "success: "]);
  expect(it.ways.pcp.heard()).toEqual(["finish"]);
  expect([it.held(meter.no), it.desk.orderOf(meter.no), it.desk.authorizeDownload(token)]).toEqual([
    0,
    undefined,
    undefined,
  ]);
  expect(it.devices.findByNo(meter.no)?.info.swVersion).toBe("V2");
  expect(it.isPackageInUse(1)).toBe(false);
  expect(it.told()).toEqual(["m1 downloading", "m1 downloaded", "m1 updating", "m1 idle", "m1 ended success (1/0)"]);
  expect(it.all(task)[0]).toMatchObject({
    ...{ sourceVersion: "V1", currentVersion: "V2", targetVersion: "V2", executions: 1, way: "pcp" },
  });
  expect(it.traces.map((line) => line.split(" ")[0])).toEqual(
    ["online", "version", "radio", "cell", "slot", "announcing", "downloading", "executing", "updating", "success"].map(
      (name) => `upgrade_${name}`,
    ),
  );
});

test("the same version is a success, another than the packages are for is none", async () => {
  const { it, meters } = await begin({ packages: [samplePackage({ no: 1, sourceVersions: ["V1.*"] })] }, ["m1", "m2"]);
  const [same, other] = meters as [Device, Device];
  const task = await it.create(meters);
  for (const { no } of meters) it.ways.pcp.reachable.add(no);
  await it.pass(11 * S);
  await it.tell(same, { type: "version", version: "V2" });
  await it.tell(other, { type: "version", version: "V0" });
  expect([it.state(task, same), it.state(task, other)]).toEqual([
    `success: ${TEXTS.sameVersion}`,
    "fail: source version not supported",
  ]);
  expect(it.summary(task)).toBe("failed: 1 success, 1 fail");
});

test("of several packages a device gets the one for its version", async () => {
  const packages = [
    samplePackage({ no: 1, sourceVersions: ["V1*"] }),
    samplePackage({ no: 2, version: "V3", sourceVersions: ["V2"] }),
  ];
  const { it, meters } = await begin({ packages }, ["m1", "m2", "m3"]);
  const task = await it.create(meters, { packages: ["file1", "file2"] });
  for (const { no } of meters) it.ways.pcp.reachable.add(no);
  await it.pass(11 * S);
  for (const [index, version] of ["V1.5", "V2", "V3"].entries())
    await it.tell(meters[index] as Device, { type: "version", version });
  expect(it.all(task).map((sub) => [sub.packageId, sub.targetVersion])).toEqual([
    ["file1", "V2"],
    ["file2", "V3"],
    ["file2", "V3"],
  ] as never);
  expect(it.state(task, meters[2])).toBe(`success: ${TEXTS.sameVersion}`);
});

test("a device has one upgrade at a time", async () => {
  const { it, meter } = await begin();
  const first = await it.create([meter]);
  const second = await it.create([meter]);
  expect([it.state(first), it.state(second), it.all(second)[0]?.executions]).toEqual([
    "wait",
    "fail: Task Conflict",
    1,
  ]);
  expect(it.summary(second)).toBe("failed: 1 fail");
  const third = await it.create([meter], { policy: { retryTimes: 2 } });
  expect([it.state(third), it.summary(third)]).toEqual(["processing retry", "processing: 1 processing"]);
  await it.upgrades.stop(first.id);
  await it.settle();
  expect(it.state(first)).toBe("stop: Stopped by hand");
  await it.pass(119 * S);
  expect(it.state(third)).toBe("processing retry");
  await it.pass(2 * S);
  expect(it.state(third)).toBe("processing online");
  await it.pass(24 * HOUR);
  expect(it.state(third)).toBe("processing online");
  await it.pass(30 * HOUR);
  expect([it.state(third), it.summary(third)]).toEqual([`fail: ${TEXTS.onlineTimeout}`, "failed: 1 fail, 1 timeout"]);
  expect(it.all(third)[0]?.executions).toBe(3);
});

test("what cannot be upgraded fails with its reason, and is tried again like everything else", async () => {
  const { it, product, meter } = await begin();
  await it.products.setOmCapability(product.id, null);
  const task = await it.create([meter], { policy: { retryTimes: 1 } });
  await it.pass(11 * S);
  expect([it.state(task), it.all(task)[0]?.detail]).toEqual(["processing retry", TEXTS.noWay]);
  await it.pass(2 * MINUTE);
  expect(it.state(task)).toBe(`fail: ${TEXTS.noWay}`);
});

test("now is for devices that are not ABNORMAL", async () => {
  const { it, meter } = await begin();
  it.db.run("UPDATE device SET status = 'ABNORMAL' WHERE no = ?", [meter.no]);
  const now = await it.create([meter], { policy: { executeType: "now" } });
  await it.pass(11 * S);
  expect(it.state(now)).toBe("fail: Device Abnormal is not online");
  const later = await it.create([meter]);
  await it.pass(11 * S);
  expect(it.state(later)).toBe("processing online");
});

test("over MQTT there is neither radio nor an order to install", async () => {
  const clock = manualClock();
  const it = upgradeBench({
    clock,
    packages: [samplePackage({ no: 1, kind: "firmware", protocolType: "MQTT", model: "M" })],
  });
  const product = await it.meter({ protocolType: "MQTT", model: "M" });
  const device = await it.register("m1", product);
  await it.start();
  it.ways.mqtt.reachable.add(device.no);
  const task = await it.create([device], { kind: "firmware" });
  await it.pass(11 * S);
  expect(it.ways.mqtt.heard()).toEqual(["queryVersion"]);
  await it.tell(device, { type: "version", version: "V1" });
  expect(it.ways.mqtt.heard()).toEqual(["announce"]);
  expect(it.state(task)).toBe("processing downloading");
  for (const type of ["downloading", "downloaded", "updating"] as const) await it.tell(device, { type });
  await it.pass(23 * HOUR);
  await it.tell(device, { type: "succeeded", version: "V2" });
  expect([it.state(task), it.devices.findByNo(device.no)?.info.fwVersion]).toEqual(["success: ", "V2"]);
  expect(it.ways.mqtt.heard()).toEqual(["finish"]);
});

test("a result that does not come is asked for", async () => {
  const { it, meters } = await begin({}, ["m1", "m2", "m3"]);
  const task = await it.create(meters);
  await it.pass(11 * S);
  for (const meter of meters) {
    await toDownload(it, meter);
    await it.tell(meter, { type: "downloaded" });
    await it.tell(meter, { type: "updating" });
  }
  it.ways.pcp.heard();
  await it.pass(30 * MINUTE + S);
  expect(it.ways.pcp.heard()).toEqual(["queryVersion", "queryVersion", "queryVersion"]);
  await it.tell(meters[0] as Device, { type: "version", version: "V2" });
  await it.tell(meters[1] as Device, { type: "version", version: "V1" });
  await it.pass(3 * MINUTE + S);
  expect(meters.map((meter) => it.state(task, meter))).toEqual([
    "success: ",
    `fail: ${TEXTS.resultTimeout}`,
    `fail: ${TEXTS.verifyTimeout}`,
  ]);
  expect(it.summary(task)).toBe("failed: 1 success, 2 fail, 2 timeout");
});

test("what was not sent is sent when the device is heard, what was not acknowledged is sent again", async () => {
  const { it, meter } = await begin();
  const task = await it.create([meter]);
  await it.pass(11 * S);
  it.ways.pcp.answer = () => "unreachable";
  it.ways.pcp.reachable.add(meter.no);
  await it.heard(meter);
  expect([it.ways.pcp.heard(), it.state(task)]).toEqual([["queryVersion"], "processing online"]);
  it.ways.pcp.answer = () => "noAnswer";
  await it.heard(meter);
  await it.heard(meter);
  it.ways.pcp.answer = () => "sent";
  await it.heard(meter);
  await it.heard(meter);
  expect(it.ways.pcp.heard()).toEqual(["queryVersion", "queryVersion!", "queryVersion!"]);
  expect(it.state(task)).toBe("processing version");
});

test("places in a cell go by level, to as many as there are, and to the next when one ends", async () => {
  const { it, meters } = await begin({}, ["m1", "m2", "m3", "m4"]);
  const [first, second, urgent, far] = meters as [Device, Device, Device, Device];
  const task = await it.create([first, second]);
  const other = await it.create([urgent, far], { policy: { priority: 9 } });
  await it.pass(11 * S);
  const weak = { rsrp: -120, sinr: 0 };
  for (const meter of [first, second, urgent]) await toDownload(it, meter, weak);
  await toDownload(it, far, { rsrp: -110, sinr: 0 });
  const states = () => [it.state(task, first), it.state(task, second), it.state(other, urgent), it.state(other, far)];
  expect(states()).toEqual(["downloading", "slot", "slot", "downloading"].map((stage) => `processing ${stage}`));
  await it.tell(first, { type: "failed", code: "04", reason: "low battery" });
  expect(states()).toEqual([
    "fail: low battery",
    ...["slot", "announcing", "downloading"].map((stage) => `processing ${stage}`),
  ]);
  expect(it.all(task)[0]?.errorCode).toBe("04");
  it.ways.pcp.reachable.delete(second.no); // asleep when its turn comes
  await it.upgrades.stop(other.id);
  await it.settle();
  expect(it.state(task, second)).toBe("processing slot");
  it.ways.pcp.reachable.add(second.no);
  await it.heard(second);
  expect(it.state(task, second)).toBe("processing announcing");
});

test("a place that is not used is given to others", async () => {
  const { it, meters } = await begin({}, ["m1", "m2"]);
  const [first, second] = meters as [Device, Device];
  const task = await it.create(meters);
  await it.pass(11 * S);
  it.ways.pcp.answer = ({ order, step }) =>
    step === "announce" && order.deviceNo === first.no ? "unreachable" : "sent";
  for (const meter of meters) await toDownload(it, meter, { rsrp: -120, sinr: 0 });
  expect([it.state(task, first), it.state(task, second)]).toEqual(["processing slot", "processing downloading"]);
  expect(it.held(first.no)).toBe(0);
  await it.pass(7 * 24 * HOUR + S);
  expect(it.state(task, first)).toBe(`fail: ${TEXTS.slotTimeout}`);
});

test("no more devices of a task are upgraded at a time than it wants", async () => {
  const { it, meters } = await begin({}, ["m1", "m2", "m3"]);
  for (const { no } of meters) it.ways.pcp.reachable.add(no);
  const task = await it.create(meters, { policy: { maxConcurrent: 2 } });
  await it.pass(11 * S);
  const stages = () => it.all(task).map((sub) => sub.stage ?? sub.status);
  expect(stages()).toEqual(["version", "version", "online"]);
  await it.pass(2 * MINUTE);
  await it.tell(meters[0] as Device, { type: "versionFailed", reason: "no" });
  expect(stages()).toEqual(["fail", "version", "version"]);
  // One that the platform keeps waiting is not late.
  const many = await it.create([meters[0] as Device], { policy: { maxConcurrent: 1 } });
  await it.pass(11 * S);
  expect(it.state(many)).toBe("processing version");
});

test("a task that is paused begins nothing, and goes on where it was", async () => {
  const { it, meters } = await begin({}, ["m1", "m2"]);
  const [running, waiting] = meters as [Device, Device];
  const task = await it.create(meters);
  await it.pass(11 * S);
  await toDownload(it, running);
  expect((await it.upgrades.pause(task.id)).paused).toBe("byOperator");
  it.ways.pcp.reachable.add(waiting.no);
  await it.heard(waiting);
  const late = await it.create([], { targets: { devices: [running.id] } });
  expect(it.state(late)).toBe(`fail: ${TEXTS.conflict}`);
  await it.pass(20 * MINUTE);
  await it.tell(running, { type: "downloaded" });
  expect([it.state(task, running), it.state(task, waiting)]).toEqual(["processing executing", "processing online"]);
  await it.tell(running, { type: "succeeded", version: "V2" });
  await it.pass(30 * HOUR); // longer than a device may let itself be waited for
  expect(it.state(task, waiting)).toBe("processing online");
  it.ways.pcp.heard();
  await it.upgrades.resume(task.id);
  await it.settle();
  expect([it.state(task, waiting), it.ways.pcp.heard()]).toEqual(["processing version", ["queryVersion"]]);
  expect(it.upgrades.resume(task.id)).rejects.toThrow("CONFLICT");
});

test("a task pauses itself when too many fail", async () => {
  const { it, meters } = await begin({}, ["m1", "m2", "m3", "m4"]);
  const task = await it.create(meters, { policy: { pauseOnFailure: { percent: 50, minEnded: 2 }, maxConcurrent: 1 } });
  for (const { no } of meters) it.ways.pcp.reachable.add(no);
  await it.pass(11 * S);
  const fail = (index: number) => it.tell(meters[index] as Device, { type: "versionFailed", reason: "no" });
  await it.tell(meters[0] as Device, { type: "version", version: "V2" });
  await fail(1);
  expect([it.task(task).paused, it.summary(task)]).toEqual([
    "byFailures",
    "processing: 2 processing, 1 success, 1 fail",
  ]);
  await it.pass(HOUR);
  expect(it.all(task).map(({ stage, status }) => stage ?? status)).toEqual(["success", "fail", "online", "online"]);
  expect((await it.upgrades.resume(task.id)).paused).toBeUndefined();
  await it.settle();
  await fail(2); // counted from here on
  expect(it.task(task).paused).toBeUndefined();
  await fail(3);
  expect([it.task(task).paused, it.summary(task)]).toEqual([undefined, "failed: 1 success, 3 fail"]);
});

test("a window has a beginning and an end", async () => {
  const { it, clock, meters } = await begin({}, ["m1", "m2"]);
  const [came, never] = meters as [Device, Device];
  const startAt = clock.now() + HOUR;
  const task = await it.create(meters, {
    policy: { executeType: "custom", startAt, endAt: startAt + HOUR, retryTimes: 5 },
  });
  it.ways.pcp.reachable.add(came.no);
  await it.pass(59 * MINUTE);
  expect(it.summary(task)).toBe("wait: 2 wait");
  await it.pass(2 * MINUTE);
  expect([it.state(task, came), it.state(task, never)]).toEqual(["processing version", "processing online"]);
  await toDownload(it, came);
  await it.pass(HOUR - 2 * MINUTE);
  expect(it.state(task, never)).toBe("processing online");
  await it.pass(2 * MINUTE);
  expect([it.state(task, came), it.state(task, never)]).toEqual([
    `fail: ${TEXTS.downloadTimeout}`,
    `fail: ${TEXTS.windowOver}`,
  ]);
  // By hand they run again, without the window.
  await it.upgrades.retry(task.id);
  await it.settle();
  expect(it.all(task).map(({ stage }) => stage)).toEqual(["version", "online"]);
});

test("stop ends what is unfinished, retry runs again what did not succeed", async () => {
  const { it, meters } = await begin({ settings: { stepItems: 2 } }, ["m1", "m2", "m3", "m4", "m5"]);
  const task = await it.create(meters);
  await it.pass(11 * S);
  await toDownload(it, meters[0] as Device);
  await it.tell(meters[0] as Device, { type: "succeeded", version: "V2" });
  await toDownload(it, meters[1] as Device);
  it.told();
  await it.upgrades.stop(task.id);
  await it.pass(S);
  expect(it.summary(task)).toBe("stop: 1 success, 4 stop");
  expect([it.held((meters[1] as Device).no), it.told()]).toEqual([0, ["m2 idle"]]); // and no word of an end
  expect(it.task(task).endedAt).toBeDefined();
  expect(it.upgrades.stop(task.id)).rejects.toThrow("CONFLICT");
  await it.upgrades.retry(task.id);
  await it.pass(2 * S);
  expect([it.summary(task), it.isPackageInUse(1)]).toEqual(["processing: 4 processing, 1 success", true]);
  expect(it.upgrades.delete(task.id)).rejects.toThrow("CONFLICT");
  await it.upgrades.stop(task.id);
  await it.pass(2 * S);
  await it.upgrades.delete(task.id);
  expect(() => it.task(task)).toThrow("UPGRADE_TASK_NOT_FOUND");
  await it.pass(5 * S);
  expect(it.db.query("SELECT 1 FROM upgrade_task UNION ALL SELECT 1 FROM upgrade_sub_task").all()).toEqual([]);
});

test("a device that is deleted ends its upgrade", async () => {
  const { it, meters } = await begin({}, ["m1", "m2"]);
  const [gone, stays] = meters as [Device, Device];
  const task = await it.create(meters, { policy: { retryTimes: 3 } });
  await it.pass(11 * S);
  await toDownload(it, gone);
  await it.devices.delete(gone.no, { cascade: true });
  await it.settle();
  expect([it.state(task, gone), it.state(task, stays)]).toEqual([`fail: ${TEXTS.deviceDeleted}`, "processing online"]);
  expect([it.held(gone.no), it.desk.orderOf(gone.no)]).toEqual([0, undefined]);
  expect(it.told()).toContain("m1 ended fail (0/1)");
});

test("a restart goes on in the middle: holds, tokens and places are there again, and nobody is told twice", async () => {
  const { it, clock, meters } = await begin({}, ["m1", "m2", "m3"]);
  const [loading, waiting, asked] = meters as [Device, Device, Device];
  const task = await it.create(meters);
  await it.pass(11 * S);
  await toDownload(it, loading, { rsrp: -120, sinr: 0 });
  await toDownload(it, waiting, { rsrp: -120, sinr: 0 });
  it.ways.pcp.reachable.add(asked.no);
  await it.heard(asked);
  const before = it.desk.orderOf(loading.no);
  await it.stop();

  const next = upgradeBench({ clock, db: it.db });
  for (const { no } of meters) next.ways.pcp.reachable.add(no);
  await next.start();
  expect(next.desk.orderOf(loading.no)).toEqual(before as never);
  expect([next.held(loading.no), next.held(waiting.no)]).toEqual([1, 0]);
  expect(next.desk.authorizeDownload(before?.token ?? "")?.no).toBe(1);
  expect(next.ways.pcp.heard()).toEqual(["queryVersion!"]); // of the third: its answer may have been lost
  await next.heard(waiting);
  expect(next.state(task, waiting)).toBe("processing slot"); // the place is taken
  await next.tell(loading, { type: "downloaded" });
  expect(next.ways.pcp.heard()).toEqual(["execute"]);
  await next.stop();

  // The order may have left and its acknowledgement not be stored.
  it.db.run("UPDATE upgrade_sub_task SET sent = 'trying' WHERE stage = 'executing'");
  const last = upgradeBench({ clock, db: it.db });
  await last.start();
  last.ways.pcp.reachable.add(loading.no);
  last.desk.deviceReady(loading.no);
  await last.settle();
  expect(last.ways.pcp.heard()).toEqual(["execute!"]);
});

test("a clock that jumps fails nothing", async () => {
  let jump = 0;
  const clock = manualClock();
  const jumping: ManualClock = { ...clock, now: () => clock.now() + jump };
  const { it, meter } = await begin({ clock: jumping });
  const task = await it.create([meter]);
  await it.pass(11 * S);
  jump = 10 * 365 * 24 * HOUR;
  await it.pass(MINUTE);
  expect(it.state(task)).toBe("processing online");
  await it.stop();
  // Set back while the platform was down: nothing waits longer than it may.
  jump = -365 * 24 * HOUR;
  const next = upgradeBench({ clock: jumping, db: it.db });
  await next.start();
  await next.pass(25 * HOUR + S);
  expect(next.state(task)).toBe(`fail: ${TEXTS.onlineTimeout}`);
});

test("members of groups that are of the product are upgraded, in many steps", async () => {
  const nodeIds = Array.from({ length: 7 }, (_, index) => `m${index}`);
  const { it, meters } = await begin({ settings: { stepItems: 2 } }, nodeIds);
  const other = await it.register("other", await it.meter({ model: "Else", manufacturerId: "X" }));
  it.group("roof", [...meters.slice(0, 4), other]);
  it.group("cellar", meters.slice(3));
  const names = { manufacturerName: "Test Manufacturer", deviceType: "WaterMeter", model: "Meter" };
  const created = it.create([], { targets: { deviceGroups: ["roof", "cellar"], ...names } });
  await it.settle();
  const task = await created;
  await it.pass(20 * S);
  expect(it.summary(task)).toBe("processing: 7 processing");
  expect(it.upgrades.list({ deviceId: meters[3]?.id, model: "Meter" }, 0, 10).total).toBe(1);
  expect(it.upgrades.list({ model: "Else" }, 0, 10).total).toBe(0);
  const run = (deviceGroups: string[]) =>
    it.upgrades.dryRun(1, { ...it.task(task), packages: ["file1"], targets: { deviceGroups, ...names } }, 3);
  expect([run(["roof"]).total, run(["roof"]).items.length]).toEqual([4, 3]);
});
