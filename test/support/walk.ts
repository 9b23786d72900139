import { Database } from "bun:sqlite";
import { join } from "node:path";
import smokeDetector from "../../docs/examples/smoke-detector.json" with { type: "json" };
import { renderUtcTime } from "../../src/platform/utc-time";
import { setUp } from "./api";
import { connectDevice, dataTopic, report } from "./device";
import { eventually } from "./eventually";
import type { Islet } from "./islet";
import { addLoraProducts, connectServer, registerServer } from "./lora";
import { firmwareFields, packageDesk, signedFirmware, signedSoftware } from "./packages";

type UpgradeKind = "software" | "firmware";
/** Upgrades do not go on by themselves. */
export const STILL_UPGRADES = { "upgrades.wait_ms": "3600000" };

export type Sample = { readonly method: string; readonly path: string; readonly body?: Record<string, unknown> };

/** An application with something behind every endpoint. `mark` is in every text it has chosen, `ids` are all it was given. */
export async function furnish(islet: Islet, mark: string, callbackUrl: string) {
  const { app, appId, appSecret, manage, productId, register } = await setUp(islet, mark);
  const ids = new Set<string>();
  let count = 0;
  const next = (what: string) => `${what}${mark}${++count}`;
  const keep = (id: string): string => {
    ids.add(id);
    return id;
  };
  async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await app<T & { error_code?: string }>(method, path, body);
    if (answer.body.error_code !== undefined) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer.body;
  }
  const model = structuredClone(smokeDetector);
  for (const property of model.servicetypes[0]?.services[0]?.properties ?? []) property.method = "RW";
  const sleeper = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, model);
  const sleeperProduct = sleeper.body.productId;

  const meter = async () => {
    const made = await register(next("node"));
    await app("PUT", `/iocm/app/dm/v1.4.0/devices/${made.deviceId}`, { name: next("name") });
    keep(made.deviceId);
    return made;
  };
  const device = async () => (await meter()).deviceId;
  /** Of a device that has connected and left. */
  const visited = async () => {
    const made = await meter();
    const client = await connectDevice(islet, made);
    await client.endAsync();
    await eventually(
      () => ask<{ deviceInfo: { status: string } }>("GET", `/iocm/app/dm/v1.4.0/devices/${made.deviceId}`),
      ({ deviceInfo }) => deviceInfo.status === "OFFLINE",
    );
    return made.deviceId;
  };
  const sleeping = async () => {
    const nodeId = next("node");
    const path = "/iocm/app/reg/v1.1.0/deviceCredentials";
    const asked = { nodeId, verifyCode: nodeId, productId: sleeperProduct, timeout: 0, deviceName: next("name") };
    return keep((await ask<{ deviceId: string }>("POST", path, asked)).deviceId);
  };
  const command = async (deviceId: string) => {
    const asked = { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 } };
    const made = { deviceId, command: asked, callbackUrl, expireTime: 3_600 };
    return keep((await ask<{ commandId: string }>("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", made)).commandId);
  };
  const group = async (...deviceIds: string[]) => {
    const asked = { name: next("group"), deviceIds };
    return keep((await ask<{ id: string }>("POST", "/iocm/app/devgroup/v1.3.0/devGroups", asked)).id);
  };
  const types = ["deviceAdded", "bindDevice", "deviceInfoChanged", "deviceDeleted", "messageConfirm", "commandRsp"];
  const subscription = async () => {
    const notifyType = types[count++ % types.length];
    await app("DELETE", `/iocm/app/sub/v1.2.0/subscriptions?notifyType=${notifyType}`);
    const asked = { notifyType, callbackUrl };
    const path = "/iocm/app/sub/v1.2.0/subscriptions";
    return keep((await ask<{ subscriptionId: string }>("POST", path, asked)).subscriptionId);
  };
  /** One that has ended, as all others have: they run a moment after they were created. */
  const task = async () => {
    const path = "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks";
    const deviceId = await sleeping();
    const made = await ask<{ taskId: string }>("POST", path, { deviceId });
    const tasks = () => ask<{ data: { status: string }[] }>("GET", path);
    await eventually(tasks, ({ data }) => data.every(({ status }) => status === "SUCCESS"));
    return keep(made.taskId);
  };

  /** The one device of its group cannot be sent it, so it ends by itself. */
  const newBatch = async () => {
    const groupList = [await group(await device())];
    const command = { serviceId: "Smoke", method: "SET_ALARM" };
    return {
      ...{ taskName: next("batch"), taskType: "DeviceCmd", timeout: 10 },
      ...{ tags: [{ tagName: next("tag"), tagValue: "v" }], param: { type: "GroupIdList", groupList, command } },
    };
  };
  const batch = async () => {
    const path = "/iocm/app/batchtask/v1.1.0/tasks";
    const { taskID } = await ask<{ taskID: string }>("POST", path, await newBatch());
    await eventually(
      () => ask<{ status: string }>("GET", `${path}/${taskID}`),
      ({ status }) => status === "Complete",
    );
    return keep(taskID);
  };

  const lora = await addLoraProducts({ manage, appId });
  const loraServer = await registerServer({ app }, lora.server, next("server"));
  keep(loraServer.deviceId);
  const eui = () => Buffer.from(mark).toString("hex").slice(0, 8) + `${++count}`.padStart(8, "0");
  const newGateway = () => ({
    ...{ loraServerId: loraServer.deviceId, productId: lora.gateway, gatewayEUI: eui(), name: next("roof") },
    gatewaySeq: "2b7e151628aed2a6abf7158809cf4f3c",
  });
  const newNode = () => ({
    ...{ loraServerId: loraServer.deviceId, productId: lora.node, devEUI: eui(), name: next("cellar") },
    ...{ appEUI: "70B3D57ED0000001", appKey: "2b7e151628aed2a6abf7158809cf4f3c" },
  });
  const behindServer = async (kind: "gateway" | "node", asked: Record<string, unknown>) =>
    keep((await ask<{ deviceId: string }>("POST", `/api/v3.0/devices/lora/${kind}`, asked)).deviceId);
  const loraGateway = () => behindServer("gateway", newGateway());
  const loraNode = () => behindServer("node", newNode());

  const desk = await packageDesk(islet, { manage, appId });
  const newPackage = async (kind: UpgradeKind = "software") => {
    const version = next("v").slice(-16);
    const content = Buffer.from(`${mark} ${version}`);
    const more = { name: next("package") };
    const { status, body } =
      kind === "software"
        ? await desk.upload(await signedSoftware(version, content), { fileType: "softwarePackage", ...more })
        : await desk.upload(await signedFirmware(content), { ...firmwareFields(version), ...more });
    if (status !== 201) throw new Error(JSON.stringify(body));
    return keep(body.fileId);
  };
  const packages = { software: await newPackage("software"), firmware: await newPackage("firmware") };
  /** Begins in an hour, for a device that has nothing else to do. */
  const newUpgrade = async (kind: UpgradeKind) => {
    const startTime = renderUtcTime(Date.now() + 3_600_000);
    const endTime = renderUtcTime(Date.now() + 7_200_000);
    return {
      ...{ fileId: packages[kind], targets: { devices: [await device()] } },
      policy: { executeType: "custom", startTime, endTime, retryType: true, retryTimes: 2 },
    };
  };
  const upgrade = async (kind: UpgradeKind = "software") => {
    const path = `/iodm/northbound/v1.5.0/operations/${kind}Upgrade`;
    return keep((await ask<{ operationId: string }>("POST", path, await newUpgrade(kind))).operationId);
  };

  // What is there for all.
  const { client: loraClient } = await connectServer(islet, loraServer);
  const online = await meter();
  const client = await connectDevice(islet, online);
  await client.publishAsync(
    dataTopic(online.deviceId),
    report("Climate", { temperature: 21, humidity: 40, battery: 77 }),
    { qos: 1 },
  );
  const wished = await sleeping();
  const shadow = { serviceDesireds: [{ serviceId: "Smoke", desired: { note: next("note") } }] };
  await ask("PUT", `/iocm/app/shadow/v1.5.0/devices/${wished}`, shadow);
  await command(wished);
  await task();
  await group(online.deviceId);
  await subscription();
  await upgrade();

  return {
    ...{ app, appId, appSecret, manage, productId, sleeperProduct, callbackUrl, mark, ids, next },
    ...{ device, visited, sleeping, command, group, subscription, task, batch, newBatch },
    ...{ newGateway, newNode, loraGateway, loraNode },
    ...{ upgradePackage: packages.software, newPackage, newUpgrade, upgrade },
    online: online.deviceId,
    wished,
    /** As in the texts of answers. */
    leaks: (text: string, request: string) =>
      [mark, ...ids].filter((secret) => text.includes(secret) && !request.includes(secret)),
    [Symbol.asyncDispose]: async () => void (await Promise.all([client.endAsync(), loraClient.endAsync()])),
  };
}
export type Furnished = Awaited<ReturnType<typeof furnish>>;

// Of the push, of sessions, of deleted devices and of tasks in the background (that one was created is in batch_spec): they change by themselves.
const RESTLESS = new Set(["outbox", "operator_session", "batch_task", "batch_item", "device_purge"]);

/** Everything that registry.db says, table by table. */
export function readRegistry(data: string): Record<string, unknown[]> {
  using db = new Database(join(data, "registry.db"), { readonly: true });
  const tables = db.query<{ name: string }, []>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  );
  const names = tables.all().map(({ name }) => name);
  return Object.fromEntries(
    names.filter((name) => !RESTLESS.has(name)).map((name) => [name, db.query(`SELECT * FROM "${name}"`).all()]),
  );
}
