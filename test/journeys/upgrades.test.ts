import { expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DELIVERY } from "../../src/simulator/upgrade/behaviour";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { type Islet, startIslet, temporaryFolder } from "../support/islet";
import { answer, readAlarm } from "../support/nb-iot";
import {
  contentOf,
  type Kind,
  lwm2mDevice,
  mqttDevice,
  type Protocol,
  QUICK,
  registerSensor,
  setUpUpgrades,
  sha256,
  type UpgradeSetup,
} from "../support/upgrades";

setDefaultTimeout(60_000);

const SOFTWARE = contentOf("2.0.0", randomBytes(6_011)); // no multiple of any block or shard
const FIRMWARE = contentOf("2.0.0", randomBytes(5_003));

/** A started process with a package for each protocol and kind, and a receiver of what applications are told. */
async function stage() {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(temporaryFolder());
  const islet = opened.use(await startIslet({ data: folder.path, settings: QUICK }));
  const receiver = opened.use(startCallbackReceiver());
  const its = await setUpUpgrades(islet);
  await its.subscribe(receiver.url("/upgrades"));
  const upload = (kind: Kind, protocol: Protocol) =>
    its.upload(kind, protocol, "2.0.0", kind === "software" ? SOFTWARE : FIRMWARE);
  const files = {
    LWM2M: { software: await upload("software", "LWM2M"), firmware: await upload("firmware", "LWM2M") },
    MQTT: { software: await upload("software", "MQTT"), firmware: await upload("firmware", "MQTT") },
  };
  const all = opened.move();
  return { ...{ folder, islet, receiver, its, files }, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** The only sub-task, once it has ended. */
const ended = (its: UpgradeSetup, operationId: string) =>
  eventually(
    async () => (await its.subOperations(operationId))[0],
    (sub) => sub !== undefined && !["wait", "processing"].includes(sub.status),
    30_000,
  );

type Ways = Record<
  string,
  {
    kind: Kind;
    way: string;
    protocol: Protocol;
    states: string[];
    start(islet: Islet, its: UpgradeSetup): Promise<Started>;
  }
>;
type Started = AsyncDisposable & { deviceId: string; installed: { way: string; version: string; sha256: string }[] };

let lastNodeId = 0;
const over =
  (options: Omit<Parameters<typeof lwm2mDevice>[1], "device">) =>
  async (islet: Islet, its: UpgradeSetup): Promise<Started> => {
    const { isSecure = false } = options;
    const registered = await its.register(its.productId, `8612345000${++lastNodeId + 10_000}`, { isSecure });
    const device = lwm2mDevice(isSecure ? islet.ready.coaps : islet.ready.coap, { device: registered, ...options });
    expect(await device.register()).toBe(true);
    return {
      deviceId: registered.deviceId,
      installed: device.installed,
      [Symbol.asyncDispose]: device[Symbol.asyncDispose],
    };
  };
const overMqtt = async (islet: Islet, its: UpgradeSetup): Promise<Started> => {
  const registered = await registerSensor(its, `sensor-${++lastNodeId}`);
  const device = await mqttDevice(islet.ready.mqtt, { device: registered });
  return {
    deviceId: registered.deviceId,
    installed: device.installed,
    [Symbol.asyncDispose]: async () => device[Symbol.dispose](),
  };
};

/** Over MQTT a device reports how much it has, and its end. */
const STATES = ["downloading", "downloaded", "updating", "idle"];
const WAYS: Ways = {
  "PCP over LwM2M": { kind: "software", way: "pcp", protocol: "LWM2M", states: STATES, start: over({}) },
  "PCP over DTLS": { kind: "software", way: "pcp", protocol: "LWM2M", states: STATES, start: over({ isSecure: true }) },
  "PCP over TUP": { kind: "software", way: "pcp", protocol: "LWM2M", states: STATES, start: over({ style: "tup" }) },
  "object 5, pull by CoAP": { kind: "firmware", way: "object5", protocol: "LWM2M", states: STATES, start: over({}) },
  "object 5, pull by CoAPS": {
    kind: "firmware",
    way: "object5",
    protocol: "LWM2M",
    states: STATES,
    start: over({ isSecure: true }),
  },
  "object 5, push by Block1": {
    ...{ kind: "firmware", way: "object5", protocol: "LWM2M", states: STATES },
    start: over({ settings: { delivery: DELIVERY.push } }),
  },
  "object 5, pull by HTTP": {
    ...{ kind: "firmware", way: "object5", protocol: "LWM2M", states: STATES },
    start: over({ settings: { protocols: [2] } }),
  },
  "firmware over MQTT": {
    kind: "firmware",
    way: "mqtt",
    protocol: "MQTT",
    states: ["downloading", "idle"],
    start: overMqtt,
  },
  "software over MQTT": {
    kind: "software",
    way: "mqtt",
    protocol: "MQTT",
    states: ["downloading", "idle"],
    start: overMqtt,
  },
};

test("each way ends well: the bytes, the versions, the notifications in order; the same version again ends at once", async () => {
  await using on = await stage();
  const { islet, its, files, receiver, folder } = on;
  for (const kind of ["software", "firmware"] as const)
    expect(
      readFileSync(join(folder.path, "packages", files.LWM2M[kind])).equals(kind === "software" ? SOFTWARE : FIRMWARE),
    ).toBe(true);
  await Promise.all(
    Object.entries(WAYS).map(async ([name, { kind, way, protocol, states, start }]) => {
      await using device = await start(islet, its);
      const { deviceId, installed } = device;
      const operationId = await its.create(kind, files[protocol][kind], { devices: [deviceId] });
      const sub = await ended(its, operationId);
      const extendPara = { sourceVersion: "1.0.0", curVersion: "2.0.0", targetVersion: "2.0.0" };
      expect([name, sub]).toMatchObject([name, { deviceId, status: "success", detailInfo: null, extendPara }]);
      expect([name, installed]).toEqual([
        name,
        [{ way, version: "2.0.0", sha256: sha256(kind === "software" ? SOFTWARE : FIRMWARE) }],
      ]);
      expect([name, (await its.versions(deviceId))[kind]]).toEqual([name, "2.0.0"]);
      expect(await its.operation(operationId)).toMatchObject({
        status: "success",
        staResult: { total: 1, success: 1 },
      });

      const result = kind === "software" ? "swUpgradeResultNotify" : "fwUpgradeResultNotify";
      const end = await receiver.until((body) => body.notifyType === result && body.operationId === operationId);
      expect([name, end]).toMatchObject([
        name,
        {
          deviceId,
          subOperationId: sub?.subOperationId,
          ...extendPara,
          [kind === "software" ? "swUpgradeResult" : "status"]: "SUCCESS",
        },
      ]);
      const told = receiver.received.flatMap(({ body }) =>
        body.operationId === operationId ? [String(body.swUpgradeState ?? body.stepDesc ?? body.notifyType)] : [],
      );
      expect([name, told]).toEqual([name, [...states, result]]);

      const again = await ended(its, await its.create(kind, files[protocol][kind], { devices: [deviceId] }));
      expect([name, again?.status, again?.detailInfo, installed.length]).toEqual([
        ...[name, "success", "The current version is the same as the target version", 1],
      ]);
    }),
  );
});

test("commands wait while a device is upgraded, and go out after it", async () => {
  await using on = await stage();
  const { islet, its, files } = on;
  const registered = await its.register(its.productId, "861234500000777");
  const heard: string[] = [];
  await using device = lwm2mDevice(islet.ready.coap, {
    device: registered,
    behaviour: "slow",
    settings: {},
    command: (payload) => void heard.push(`${readAlarm(payload).value} after ${device.installed.length} installations`),
    answers: [(payload) => answer(readAlarm(payload).mid, 0, 0)],
  });
  expect(await device.register()).toBe(true);
  const operationId = await its.create("software", files.LWM2M.software, { devices: [registered.deviceId] });
  await eventually(
    () => its.manage<{ items: { stage: string }[] }>("GET", `/upgrades/${operationId}/devices`),
    ({ body }) => body.items?.[0]?.stage === "downloading",
  );
  for (const value of [1, 2]) expect((await its.command(registered.deviceId, value)).status).toBe(201);
  expect((await its.commands(registered.deviceId)).map(({ status }) => status)).toEqual(["PENDING", "PENDING"]);
  expect((await ended(its, operationId))?.status).toBe("success");
  await eventually(
    () => its.commands(registered.deviceId),
    (commands) => commands.every(({ status }) => status === "SUCCESSFUL"),
  );
  expect(heard).toEqual(["1 after 1 installations", "2 after 1 installations"]);
});
