import { describe, expect, test } from "bun:test";
import {
  type DeviceMessage,
  decodeDeviceMessage,
  decodePlatformMessage,
  encodeDeviceMessage,
  encodePlatformMessage,
  type PlatformMessage,
} from "../../wire/pcp";
import { BEHAVIOURS, type BehaviourName, UPGRADE_TIMES, type UpgradeTimes, upgradeBehaviour } from "./behaviour";
import { newPcpDevice, type PcpAction, type PcpDevice, type PcpEvent, pcpDueAtMs, stepPcpDevice } from "./pcp-device";

const PACKAGE = Uint8Array.from({ length: 70 }, (_, at) => at + 1);
const NOTICE: PlatformMessage = {
  type: "newVersionRequest",
  targetVersion: "V2",
  shardSize: 32,
  shardTotal: 3,
  packageCheckCode: 0x1234,
};

/** A device and the least of a platform: serves shards, and does what the test says. All goes over the wire. */
function setUp(behaviour: string, times: Partial<UpgradeTimes> = {}) {
  const found = upgradeBehaviour(behaviour);
  if (!found) throw new Error(behaviour);
  const settings = { behaviour: found, times: { ...UPGRADE_TIMES, ...times } };
  let device: PcpDevice = newPcpDevice("V1");
  let nowMs = 0;
  const said: DeviceMessage[] = [];
  const flash = new Uint8Array(PACKAGE.length);
  const log: string[] = [];
  const asked: number[] = [];
  let offMs: number | undefined;
  const platform = { servesShards: true, shardResult: 0 };

  function feed(event: PcpEvent): void {
    const step = stepPcpDevice(device, event, settings);
    device = step.next;
    step.actions.forEach(act);
  }

  function act(action: PcpAction): void {
    if (action.type === "send") hear(action.message);
    else log.push(action.type === "installed" ? `installed ${action.version}` : action.type);
    if (action.type === "restart") offMs = action.offMs;
    if (action.type === "erase") flash.fill(0);
    if (action.type === "store") flash.set(action.data, action.offset);
  }

  function hear(message: DeviceMessage): void {
    const decoded = decodeDeviceMessage(encodeDeviceMessage(message));
    if (decoded.kind !== "message") throw new Error(decoded.kind);
    said.push(decoded.message);
    if (message.type !== "shardRequest" || !platform.servesShards) return;
    const { shardIndex } = message;
    asked.push(shardIndex);
    const data = platform.shardResult
      ? PACKAGE.subarray(0, 0)
      : PACKAGE.subarray(shardIndex * 32, shardIndex * 32 + 32);
    tell({ type: "shardResponse", resultCode: platform.shardResult, shardIndex, data });
  }

  function tell(message: PlatformMessage): void {
    const decoded = decodePlatformMessage(encodePlatformMessage(message));
    if (decoded.kind !== "message") throw new Error(decoded.kind);
    feed({ type: "received", message: decoded.message, nowMs });
  }

  return {
    platform,
    said,
    log,
    asked,
    flash,
    feed,
    tell,
    get version() {
      return device.flash.version;
    },
    get last(): DeviceMessage | undefined {
      return said.at(-1);
    },
    /** Time passes: timers and restarts come due in their order. */
    pass(ms: number): void {
      const end = nowMs + ms;
      for (;;) {
        const dueAtMs = offMs === undefined ? pcpDueAtMs(device) : nowMs + offMs;
        if (dueAtMs === undefined || dueAtMs > end) break;
        nowMs = Math.max(nowMs, dueAtMs);
        const isStart = offMs !== undefined;
        offMs = undefined;
        feed({ type: isStart ? "started" : "tick", nowMs });
      }
      nowMs = end;
    },
    /** The answers of the platform to a good course, up to the order to install. */
    upToExecute(): void {
      tell({ type: "queryVersionRequest" });
      tell(NOTICE);
      this.pass(20_000);
      tell({ type: "downloadResultResponse", resultCode: 0 });
      tell({ type: "executeRequest" });
    },
    wholeCourse(): void {
      this.upToExecute();
      this.pass(20_000);
      if (this.last?.type === "upgradeResultRequest") tell({ type: "upgradeResultResponse", resultCode: 0 });
    },
  };
}

test("a good device goes all the way (pcp.md §6)", () => {
  const device = setUp("good");
  device.wholeCourse();
  expect(device.said).toEqual([
    { type: "queryVersionResponse", resultCode: 0, currentVersion: "V1" },
    { type: "newVersionResponse", resultCode: 0 },
    { type: "shardRequest", targetVersion: "V2", shardIndex: 0 },
    { type: "shardRequest", targetVersion: "V2", shardIndex: 1 },
    { type: "shardRequest", targetVersion: "V2", shardIndex: 2 },
    { type: "downloadResultRequest", downloadStatus: 0 },
    { type: "executeResponse", resultCode: 0 },
    { type: "upgradeResultRequest", resultCode: 0, currentVersion: "V2" },
  ]);
  expect(device.log).toEqual(["erase", "store", "store", "store", "installed V2", "erase", "restart"]);
  expect(device.version).toBe("V2");
  device.pass(3_600_000);
  expect(device.said.length).toBe(8);
  device.tell({ type: "queryVersionRequest" });
  expect(device.last).toEqual({ type: "queryVersionResponse", resultCode: 0, currentVersion: "V2" });
});

test("keeps the very bytes of the package until it is installed", () => {
  const device = setUp("good");
  device.tell(NOTICE);
  expect(device.flash).toEqual(PACKAGE);
});

/** What the platform hears at the end of each behaviour that fails. */
const FAILURES: [name: BehaviourName | string, last: DeviceMessage][] = [
  ["low-battery", { type: "newVersionResponse", resultCode: 4 }],
  ["no-storage", { type: "newVersionResponse", resultCode: 5 }],
  ["no-memory", { type: "newVersionResponse", resultCode: 9 }],
  ["in-use", { type: "newVersionResponse", resultCode: 1 }],
  ["poor-signal", { type: "newVersionResponse", resultCode: 2 }],
  ["latest", { type: "newVersionResponse", resultCode: 3 }],
  ["internal", { type: "newVersionResponse", resultCode: 0x7f }],
  ["wrong-crc", { type: "downloadResultRequest", downloadStatus: 7 }],
  ["bad-package", { type: "downloadResultRequest", downloadStatus: 8 }],
  ["download-timeout", { type: "downloadResultRequest", downloadStatus: 6 }],
  ["download-05", { type: "downloadResultRequest", downloadStatus: 5 }],
  ["execute-01", { type: "executeResponse", resultCode: 1 }],
  ["execute-04", { type: "executeResponse", resultCode: 4 }],
  ["execute-05", { type: "executeResponse", resultCode: 5 }],
  ["execute-09", { type: "executeResponse", resultCode: 9 }],
  ...[0x01, 0x04, 0x05, 0x09, 0x0a, 0x7f, 0x42].map((resultCode): [string, DeviceMessage] => [
    `result-${resultCode.toString(16).padStart(2, "0")}`,
    { type: "upgradeResultRequest", resultCode, currentVersion: "V1" },
  ]),
  ["install-fails", { type: "upgradeResultRequest", resultCode: 0x0a, currentVersion: "V1" }],
  ["lies", { type: "upgradeResultRequest", resultCode: 0, currentVersion: "V1" }],
  ["query-01", { type: "queryVersionResponse", resultCode: 1, currentVersion: "V1" }],
];

describe.each(FAILURES)("%s", (name, last) => {
  test("ends with its word, and with the old version", () => {
    const device = setUp(name);
    device.tell({ type: "queryVersionRequest" });
    if (last.type !== "queryVersionResponse") device.tell(NOTICE);
    device.tell({ type: "downloadResultResponse", resultCode: 0 });
    if (!["newVersionResponse", "downloadResultRequest", "queryVersionResponse"].includes(last.type))
      device.tell({ type: "executeRequest" });
    device.pass(20_000);
    expect(device.last).toEqual(last);
    expect(device.version).toBe("V1");
  });
});

test.each([
  ["silent", 0, undefined],
  ["silent-notice", 1, "queryVersionResponse"],
  ["silent-download", 3, "shardRequest"],
  ["silent-execute", 6, "downloadResultRequest"],
  ["silent-result", 7, "executeResponse"],
])("%s says no more than %d things", (name, count, last) => {
  const device = setUp(name);
  device.tell({ type: "queryVersionRequest" });
  if (name !== "silent") device.tell(NOTICE);
  if (name.endsWith("execute") || name.endsWith("result")) {
    device.tell({ type: "downloadResultResponse", resultCode: 0 });
    device.tell({ type: "executeRequest" });
  }
  device.pass(3_600_000);
  expect(device.said.length).toBe(count);
  expect(device.last?.type).toBe(last as "shardRequest");
  if (name !== "silent-result") return;
  device.tell({ type: "queryVersionRequest" });
  expect(device.said.length).toBe(count); // never heard again
});

test("an installation that is stuck ends never, and the old version is told", () => {
  const device = setUp("stuck");
  device.upToExecute();
  device.pass(86_400_000);
  device.tell({ type: "queryVersionRequest" });
  expect(device.last).toEqual({ type: "queryVersionResponse", resultCode: 0, currentVersion: "V1" });
});

test("a device that forgets does not report, and tells its new version when asked", () => {
  const device = setUp("forgets");
  device.wholeCourse();
  expect(device.last?.type).toBe("executeResponse");
  device.tell({ type: "queryVersionRequest" });
  expect(device.last).toMatchObject({ currentVersion: "V2" });
});

test("after a reboot in the middle it asks for what is missing, and only once for each", () => {
  const device = setUp("reboots");
  device.tell(NOTICE);
  expect(device.asked).toEqual([0]);
  device.tell({ type: "executeRequest" }); // it is off
  expect(device.last?.type).toBe("shardRequest");
  device.pass(5_000);
  expect(device.asked).toEqual([0, 1, 2]);
  expect(device.flash).toEqual(PACKAGE);
  expect(device.last).toEqual({ type: "downloadResultRequest", downloadStatus: 0 });
});

test("a reboot at any moment: the download goes on, and the installation is done once", () => {
  const device = setUp("good", { paceMs: 1_000 });
  device.tell(NOTICE);
  for (let cut = 0; cut < 3; cut++) {
    device.feed({ type: "stopped" });
    device.feed({ type: "started", nowMs: 0 });
    device.pass(1_000);
  }
  expect(device.flash).toEqual(PACKAGE);
  device.tell({ type: "downloadResultResponse", resultCode: 0 });
  device.feed({ type: "stopped" });
  device.feed({ type: "started", nowMs: 0 });
  device.tell({ type: "executeRequest" });
  device.pass(4_000);
  device.feed({ type: "stopped" });
  device.feed({ type: "started", nowMs: 8_000 });
  device.pass(20_000);
  expect(device.log.filter((line) => line.startsWith("installed"))).toEqual(["installed V2"]);
  expect(device.last).toEqual({ type: "upgradeResultRequest", resultCode: 0, currentVersion: "V2" });
});

test("a reboot while it installs: it installs, and reports", () => {
  const device = setUp("reboots-installing");
  device.wholeCourse();
  expect(device.log.filter((line) => line === "restart").length).toBe(2);
  expect(device.version).toBe("V2");
});

test("told twice to install, it says yes twice and installs once", () => {
  const device = setUp("good");
  device.upToExecute();
  device.tell({ type: "executeRequest" });
  expect(device.said.slice(-2)).toEqual(Array(2).fill({ type: "executeResponse", resultCode: 0 }));
  device.pass(10_000);
  device.tell({ type: "executeRequest" }); // it is done, and not known yet
  device.pass(60_000);
  expect(device.log.filter((line) => line.startsWith("installed")).length).toBe(1);
});

test("told to install what it does not have, it refuses", () => {
  const device = setUp("good");
  device.tell({ type: "executeRequest" });
  expect(device.last).toEqual({ type: "executeResponse", resultCode: 1 });
});

describe("a platform that is gone", () => {
  test("is asked again for the same shard, and then given up", () => {
    const device = setUp("good", { maxAttempts: 3 });
    device.platform.servesShards = false;
    device.tell(NOTICE);
    device.pass(89_999);
    expect(device.said.slice(1)).toEqual(
      Array(3).fill({ type: "shardRequest", targetVersion: "V2", shardIndex: 0 } satisfies DeviceMessage),
    );
    device.pass(1);
    expect(device.last).toEqual({ type: "downloadResultRequest", downloadStatus: 6 });
  });

  test("comes back: the download goes on where it was", () => {
    const device = setUp("slow");
    device.tell(NOTICE);
    device.platform.servesShards = false;
    device.pass(10_000);
    device.platform.servesShards = true;
    device.pass(60_000);
    expect(device.asked).toEqual([0, 1, 2]);
    expect(device.flash).toEqual(PACKAGE);
  });

  test("hears the result again, until it has heard it", () => {
    const device = setUp("good");
    device.upToExecute();
    device.pass(100_000);
    const reports = () => device.said.filter(({ type }) => type === "upgradeResultRequest").length;
    expect(reports()).toBe(4);
    device.tell({ type: "upgradeResultResponse", resultCode: 0x80 });
    device.pass(3_600_000);
    expect(reports()).toBe(4);
  });
});

test("without a task it stops asking, and goes on with the same package later", () => {
  const device = setUp("slow");
  device.tell(NOTICE);
  device.platform.shardResult = 0x80;
  device.pass(60_000);
  expect(device.asked).toEqual([0, 1]);
  expect(device.last?.type).toBe("shardRequest");
  device.platform.shardResult = 0;
  device.tell(NOTICE);
  device.pass(60_000);
  expect(device.asked).toEqual([0, 1, 1, 2]);
  expect(device.log.filter((line) => line === "erase").length).toBe(1);
});

test("another check code: all is dropped and asked for anew", () => {
  const device = setUp("slow");
  device.tell(NOTICE);
  device.tell({ ...NOTICE, packageCheckCode: 0x1235 });
  device.pass(60_000);
  expect(device.asked).toEqual([0, 0, 1, 2]);
  expect(device.log.filter((line) => line === "erase").length).toBe(2);
});

test("a repeated notice is answered, and disturbs nothing", () => {
  const device = setUp("slow");
  device.tell(NOTICE);
  device.tell(NOTICE);
  device.pass(60_000);
  expect(device.asked).toEqual([0, 1, 2]);
  expect(device.said.filter(({ type }) => type === "newVersionResponse").length).toBe(2);
});

test("late and double shards change nothing", () => {
  const device = setUp("slow");
  device.tell(NOTICE);
  const data = PACKAGE.subarray(0, 32);
  device.tell({ type: "shardResponse", resultCode: 0, shardIndex: 0, data });
  device.pass(60_000);
  device.tell({ type: "shardResponse", resultCode: 0, shardIndex: 2, data });
  expect(device.flash).toEqual(PACKAGE);
  expect(device.asked).toEqual([0, 1, 2]);
});

test("a slow device leaves a pause between two shards", () => {
  const device = setUp("slow", { slowPaceMs: 700 });
  device.tell(NOTICE);
  device.pass(699);
  expect(device.asked).toEqual([0]);
  device.pass(1);
  expect(device.asked).toEqual([0, 1]);
});

test("names: each of the table, codes of PCP and numbers, and nothing else", () => {
  for (const name of Object.keys(BEHAVIOURS)) expect(upgradeBehaviour(name)).toBeDefined();
  expect(upgradeBehaviour("notice-7f")?.failure).toEqual({ pcp: { at: "notice", code: 0x7f } });
  expect(upgradeBehaviour("code-5")?.failure).toEqual({ object5: 5, mqtt: 5 });
  expect(upgradeBehaviour("code-255")?.failure).toEqual({ mqtt: 255 });
  for (const name of ["", "bad", "notice-7", "notice-7F0", "code-256", "code-", "toString", "code-1x"])
    expect(upgradeBehaviour(name)).toBeUndefined();
});
