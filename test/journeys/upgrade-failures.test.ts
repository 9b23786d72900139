import { expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";
import {
  contentOf,
  type Installed,
  lwm2mDevice,
  mqttDevice,
  QUICK,
  registerSensor,
  setUpUpgrades,
  sha256,
} from "../support/upgrades";

setDefaultTimeout(120_000);

/** Every limit short, and long enough for a busy machine. */
const SETTINGS = {
  ...QUICK,
  "upgrades.online_ms": "20000",
  "upgrades.version_ms": "6000",
  "upgrades.radio_ms": "4000",
  "upgrades.cell_ms": "4000",
  "upgrades.announce_ms": "6000",
  "upgrades.download_ms": "12000",
  "upgrades.execute_ms": "4000",
  "upgrades.result_ms": "8000",
  "upgrades.mqtt_ms": "12000",
  "upgrades.verify_ms": "6000",
  // What is not acknowledged holds up what comes after it; within the limits above, as it is with the defaults.
  "coap.ack_timeout_ms": "300",
  "coap.max_retransmit": "2",
};

/** How it ends: the text, and the code of the device where it gave one. `ok`: success, with no text. */
type End = "ok" | readonly [detail: string, code?: string];
const ONLINE: End = ["Waiting for the device online timeout"];
const CELL: End = ["Waiting for report cellId timeout"];
const DOWNLOAD: End = ["Waiting for device downloaded package timeout"];
const RESULT: End = ["Wait for the device to report upgrade result timeout"];
const VERIFY: End = ["Updating timeout and query device version for check timeout"];
const OTHER: End = ["The version after the upgrade is not the target version"];
const SW_VERSION: End = ["Waiting for report device software version timeout"];
const FW_VERSION: End = ["Waiting for report device firmware version timeout"];

const PCP: Readonly<Record<string, End>> = {
  ...{ good: "ok", slow: "ok", reboots: "ok", "reboots-installing": "ok", forgets: "ok", strict: "ok" },
  ...{ "weak-signal": "ok", "no-radio": "ok", "no-cell": CELL },
  ...{ "bad-uri": "ok", "bad-protocol": "ok" }, // object 5 only
  "wrong-crc": ["upgrade package verification failure", "07"],
  "low-battery": ["low battery", "04"],
  "no-storage": ["insufficient storage space", "05"],
  "no-memory": ["insufficient memory", "09"],
  "in-use": ["device in use", "01"],
  "poor-signal": ["poor signal", "02"],
  latest: ["already the latest version", "03"],
  internal: ["internal exception", "7F"],
  "download-timeout": ["download timeout", "06"],
  "bad-package": ["unsupported upgrade package type", "08"],
  "install-fails": ["upgrade package installation failure", "0A"],
  ...{ lies: OTHER, stuck: RESULT },
  ...{ silent: SW_VERSION, "silent-notice": DOWNLOAD, "silent-download": DOWNLOAD },
  ...{ "silent-execute": RESULT, "silent-result": VERIFY },
  // Each code in each message that has it (pcp.md 5.7), and some in one that has not.
  "query-01": ["unknown result code 0x01"],
  "notice-06": ["unknown result code 0x06", "06"],
  "notice-80": ["unknown result code 0x80", "80"],
  "download-05": ["insufficient storage space", "05"],
  "download-01": ["unknown result code 0x01", "01"],
  "execute-01": ["device in use", "01"],
  "execute-04": ["low battery", "04"],
  "execute-05": ["insufficient storage space", "05"],
  "execute-09": ["insufficient memory", "09"],
  "execute-7f": ["unknown result code 0x7F", "7F"],
  "result-01": ["device in use", "01"],
  "result-04": ["low battery", "04"],
  "result-05": ["insufficient storage space", "05"],
  "result-09": ["insufficient memory", "09"],
  "result-7f": ["internal exception", "7F"],
  "result-03": ["unknown result code 0x03", "03"],
};

const STORAGE: End = ["Not enough storage for the new firmware package", "2"];
const MEMORY: End = ["Out of memory during downloading process", "3"];
const CONNECTION: End = ["Connection lost during downloading process", "4"];
const INTEGRITY: End = ["Integrity check failure for new downloaded package", "5"];
const TYPE: End = ["Unsupported package type", "6"];
const URI: End = ["Invalid URI", "7"];
const FAILED: End = ["Firmware update failed", "8"];
const PROTOCOL: End = ["Unsupported protocol", "9"];
const OBJECT5: Readonly<Record<string, End>> = {
  ...{ good: "ok", slow: "ok", reboots: "ok", "reboots-installing": "ok", forgets: "ok", strict: "ok" },
  ...{ "weak-signal": "ok", "no-radio": "ok", "no-cell": CELL },
  ...{ "code-2": STORAGE, "code-3": MEMORY, "code-4": CONNECTION, "code-5": INTEGRITY, "code-6": TYPE, "code-7": URI },
  ...{ "code-8": FAILED, "code-9": PROTOCOL },
  ...{ "wrong-crc": INTEGRITY, "no-storage": STORAGE, "no-memory": MEMORY, "poor-signal": CONNECTION },
  ...{ "low-battery": FAILED, "in-use": FAILED, latest: FAILED, internal: FAILED, "install-fails": FAILED },
  ...{ "download-timeout": CONNECTION, "bad-package": TYPE, "bad-uri": URI, "bad-protocol": PROTOCOL },
  ...{ lies: OTHER, stuck: RESULT },
  ...{ silent: FW_VERSION, "silent-notice": DOWNLOAD, "silent-download": DOWNLOAD },
  ...{ "silent-execute": RESULT, "silent-result": VERIFY },
};

const MQTT: Readonly<Record<string, End>> = {
  ...{ good: "ok", slow: "ok", reboots: "ok", "reboots-installing": "ok", forgets: "ok", strict: "ok" },
  ...{ "weak-signal": "ok", "no-radio": "ok", "no-cell": "ok", "bad-uri": "ok", "bad-protocol": "ok" },
  "silent-execute": "ok", // there is no such order over MQTT
  ...{
    "code-1": ["device in use", "1"],
    "code-2": ["poor signal", "2"],
    "code-3": ["already the latest version", "3"],
  },
  ...{
    "code-4": ["low battery", "4"],
    "code-5": ["insufficient storage space", "5"],
    "code-6": ["download timeout", "6"],
  },
  ...{ "code-7": ["upgrade package verification failure", "7"], "code-8": ["unsupported upgrade package type", "8"] },
  ...{ "code-9": ["insufficient memory", "9"], "code-10": ["upgrade package installation failure", "10"] },
  ...{ "code-255": ["internal exception", "255"], "code-11": ["unknown result code 11", "11"] },
  "low-battery": ["low battery", "4"],
  "wrong-crc": ["upgrade package verification failure", "7"],
  ...{ lies: OTHER, stuck: RESULT, silent: SW_VERSION, "silent-notice": RESULT, "silent-download": RESULT },
  "silent-result": VERIFY,
};

test("however a device behaves, the application reads how it ended", async () => {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(temporaryFolder());
  const islet = opened.use(await startIslet({ data: folder.path, settings: SETTINGS }));
  const receiver = opened.use(startCallbackReceiver());
  const its = await setUpUpgrades(islet);
  await its.subscribe(receiver.url("/u"));
  const content = contentOf("2.0.0", randomBytes(4_001));
  const expected = new Map<string, { name: string; end: End; installed?: Installed[] }>();
  let last = 0;

  async function overLwm2m(way: string, table: Readonly<Record<string, End>>): Promise<string[]> {
    const ids: string[] = [];
    for (const [behaviour, end] of Object.entries(table)) {
      const registered = await its.register(its.productId, `86123450000${++last + 1_000}`);
      const device = lwm2mDevice(islet.ready.coap, { device: registered, behaviour });
      opened.defer(() => device[Symbol.asyncDispose]());
      expect(await device.register()).toBe(true);
      expected.set(registered.deviceId, { name: `${way} ${behaviour}`, end, installed: device.installed });
      ids.push(registered.deviceId);
    }
    return ids;
  }
  async function overMqtt(): Promise<string[]> {
    const ids: string[] = [];
    for (const [behaviour, end] of Object.entries(MQTT)) {
      const registered = await registerSensor(its, `sensor-${behaviour}`);
      const device = opened.use(await mqttDevice(islet.ready.mqtt, { device: registered, behaviour }));
      expected.set(registered.deviceId, { name: `mqtt ${behaviour}`, end, installed: device.installed });
      ids.push(registered.deviceId);
    }
    return ids;
  }

  const software = await its.upload("software", "LWM2M", "2.0.0", content);
  const firmware = await its.upload("firmware", "LWM2M", "2.0.0", content);
  const overHttp = await its.upload("software", "MQTT", "2.0.0", content);
  const narrow = await its.upload("software", "LWM2M", "3.0.0", content, { supportSourceVersionList: ["0.*", "1.?"] });
  const pcp = await overLwm2m("pcp", PCP);
  const object5 = await overLwm2m("object5", OBJECT5);
  const mqtt = await overMqtt();
  const other = await overLwm2m("pcp of another source version", { good: ["source version not supported"] });
  // Registered, and never there.
  const absent = await its.register(its.productId, "861234500009999");
  expected.set(absent.deviceId, { name: "absent", end: ONLINE });
  const tasks = [
    await its.create("software", software, { devices: [...pcp, absent.deviceId] }),
    await its.create("firmware", firmware, { devices: object5 }),
    await its.create("software", overHttp, { devices: mqtt }),
    await its.create("software", narrow, { devices: other }),
  ];
  const conflict = await its.create("firmware", firmware, { devices: [absent.deviceId] });

  await eventually(
    async () => Promise.all(tasks.map(async (id) => (await its.operation(id)).staResult)),
    (all) => all.every(({ wait, processing }) => wait === 0 && processing === 0),
    80_000,
  );
  const subs = (await Promise.all(tasks.map((id) => its.subOperations(id)))).flat();
  expect(subs.length).toBe(expected.size);
  const read = new Map(subs.map((sub) => [sub.deviceId, sub]));
  const wanted: Record<string, unknown> = {};
  const got: Record<string, unknown> = {};
  const pushed: Record<string, unknown> = {};
  for (const [deviceId, { name, end, installed = [] }] of expected) {
    const isGood = end === "ok";
    const [detail, code = ""] = isGood ? [""] : end;
    const result = isGood ? "SUCCESS" : "FAIL";
    wanted[name] = [isGood ? "success" : "fail", detail];
    got[name] = [read.get(deviceId)?.status, read.get(deviceId)?.detailInfo ?? ""];
    const push = await receiver.until(
      ({ subOperationId, notifyType }) =>
        subOperationId === read.get(deviceId)?.subOperationId && String(notifyType).endsWith("ResultNotify"),
    );
    pushed[name] = [push.swUpgradeResult ?? push.status, push.resultDesc ?? push.statusDesc];
    expect([name, pushed[name]]).toEqual([name, [result, detail || result]]); // SUCCESS where nobody has said more
    if (push.notifyType === "swUpgradeResultNotify")
      expect([name, push.errorCode, push.description]).toEqual([name, code, detail]);
    expect([name, installed.length <= 1]).toEqual([name, true]);
    if (isGood) expect([name, installed]).toMatchObject([name, [{ version: "2.0.0", sha256: sha256(content) }]]);
  }
  expect(got).toEqual(wanted);

  const ok = [...expected.values()].filter(({ end }) => end === "ok").length;
  const sums = await Promise.all(tasks.map(async (id) => (await its.operation(id)).staResult));
  expect([sums.reduce((sum, { success }) => sum + success, 0), sums.reduce((sum, { fail }) => sum + fail, 0)]).toEqual([
    ...[ok, expected.size - ok],
  ]);
  expect(await its.subOperations(conflict)).toMatchObject([{ status: "fail", detailInfo: "Task Conflict" }]);
  expect((await its.operation(conflict)).status).toBe("failed");
  expect(islet.errors).toBe("");
});
