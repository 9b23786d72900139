import type { Islet } from "./islet";
import { partsOf, type Schema } from "./json-schema";
import type { Document, Endpoint } from "./open-api";
import type { Furnished } from "./walk";

/** A request in parts; `body` undefined: none. */
export type Request = {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>> | undefined;
};
/** `other`: an application whose tokens nobody needs. */
export type World = Furnished & { readonly islet: Islet; readonly other: { appId: string; secret: string } };
type Right = { readonly params?: object; readonly query?: object; readonly body?: object };

export async function worldOf(islet: Islet, its: Furnished): Promise<World> {
  const other = await its.manage<{ appId: string; secret: string }>("POST", "/apps", { name: "other" });
  return { ...its, islet, other: other.body };
}

const SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions";
const command = { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 } };
const noCommand = ({ online }: World): Right => ({ params: { deviceId: online } });

/** A call of each operation that does what it should. One that is not here is made from its schemas alone. */
export const RIGHT: Readonly<Record<string, (world: World) => Right | Promise<Right>>> = {
  login: ({ other: { appId, secret } }) => ({ body: { appId, secret } }),
  async refreshAccessToken({ islet, other: { appId, secret } }) {
    const body = new URLSearchParams({ appId, secret });
    const answer = await fetch(`http://${islet.ready.http}/iocm/app/sec/v1.1.0/login`, { method: "POST", body });
    const { refreshToken } = (await answer.json()) as { refreshToken: string };
    return { body: { appId, secret, refreshToken } };
  },
  registerDeviceByCode({ next, sleeperProduct: productId }) {
    const nodeId = next("code");
    return { body: { nodeId, verifyCode: nodeId, productId, timeout: 0 } };
  },
  registerDeviceByPassword: ({ next, productId }) => ({ body: { deviceInfo: { nodeId: next("node") }, productId } }),
  refreshDeviceCredentials: async ({ visited, next }) => ({
    params: { deviceId: await visited() },
    body: { verifyCode: next("code") },
  }),
  modifyDevice: ({ online, next }) => ({ params: { deviceId: online }, body: { name: next("name") } }),
  removeDevice: async ({ device }) => ({ params: { deviceId: await device() } }),
  queryDeviceActivation: noCommand,
  modifyDeviceShadow: ({ wished, next }) => ({
    params: { deviceId: wished },
    body: { serviceDesireds: [{ serviceId: "Smoke", desired: { note: next("note") } }] },
  }),
  queryDeviceShadow: ({ wished }) => ({ params: { deviceId: wished } }),
  registerLoraGateway: ({ newGateway }) => ({ body: newGateway() }),
  registerLoraNode: ({ newNode }) => ({ body: newNode() }),
  queryLoraGateway: async ({ loraGateway }) => ({ params: { deviceId: await loraGateway() } }),
  deleteLoraGateway: async ({ loraGateway }) => ({ params: { deviceId: await loraGateway() } }),
  queryLoraNode: async ({ loraNode }) => ({ params: { deviceId: await loraNode() } }),
  deleteLoraNode: async ({ loraNode }) => ({ params: { deviceId: await loraNode() } }),
  queryDevice: noCommand,
  queryDevices: () => ({ query: { pageNo: "0" } }),
  queryDeviceDataHistory: ({ online }) => ({ query: { deviceId: online } }),
  queryDesiredHistory: ({ wished }) => ({ query: { deviceId: wished } }),
  queryDeviceCapabilities: ({ online }) => ({ query: { deviceId: online } }),
  async subscribeToServiceData({ app, callbackUrl }) {
    await app("DELETE", `${SUBSCRIPTIONS}?notifyType=ruleEvent`);
    return { body: { notifyType: "ruleEvent", callbackUrl } };
  },
  subscribeToManagementData: ({ callbackUrl }) => ({ body: { notifyType: "fwUpgradeResultNotify", callbackUrl } }),
  querySubscription: async ({ subscription }) => ({ params: { subscriptionId: await subscription() } }),
  querySubscriptions: () => ({}),
  deleteSubscription: async ({ subscription }) => ({ params: { subscriptionId: await subscription() } }),
  async deleteSubscriptions({ subscription }) {
    await subscription();
    return {};
  },
  sendCommand: ({ online }) => ({
    params: { deviceId: online, serviceId: "Climate" },
    body: { header: { method: "SET_TARGET" }, body: { target: 20 } },
  }),
  createDeviceCommand: async ({ sleeping, callbackUrl }) => ({
    body: { deviceId: await sleeping(), command, callbackUrl, expireTime: 3_600 },
  }),
  queryDeviceCommands: ({ wished }) => ({ query: { deviceId: wished } }),
  cancelDeviceCommand: async (it) => ({
    params: { deviceCommandId: await it.command(await it.sleeping()) },
    body: { status: "CANCELED" },
  }),
  createCommandCancelTask: async ({ sleeping }) => ({ body: { deviceId: await sleeping() } }),
  queryCommandCancelTasks: () => ({}),
  createBatchTask: async ({ newBatch }) => ({ body: await newBatch() }),
  queryBatchTask: async ({ batch }) => ({ params: { taskId: await batch() } }),
  queryBatchSubtasks: async ({ batch }) => ({ query: { taskId: await batch() } }),
  createDeviceGroup: async ({ next, device }) => ({ body: { name: next("group"), deviceIds: [await device()] } }),
  deleteDeviceGroup: async ({ group }) => ({ params: { devGroupId: await group() } }),
  modifyDeviceGroup: async ({ group, next }) => ({
    params: { devGroupId: await group() },
    body: { name: next("group") },
  }),
  queryDeviceGroups: () => ({}),
  queryDeviceGroup: async ({ group }) => ({ params: { devGroupId: await group() } }),
  queryDeviceGroupMembers: async ({ group, device }) => ({ query: { devGroupId: await group(await device()) } }),
  addDevicesToGroup: async ({ group, device }) => ({
    body: { devGroupId: await group(), deviceIds: [await device()] },
  }),
  async removeDevicesFromGroup({ group, device }) {
    const deviceId = await device();
    return { body: { devGroupId: await group(deviceId), deviceIds: [deviceId] } };
  },
  queryPackages: () => ({}),
  queryPackage: ({ upgradePackage }) => ({ params: { fileId: upgradePackage } }),
  removePackage: async ({ newPackage }) => ({ params: { fileId: await newPackage() } }),
  upgradeSoftware: async ({ newUpgrade }) => ({ body: await newUpgrade("software") }),
  upgradeFirmware: async ({ newUpgrade }) => ({ body: await newUpgrade("firmware") }),
  queryUpgrade: async ({ upgrade }) => ({ params: { operationId: await upgrade() } }),
  queryUpgradeDevices: async ({ upgrade }) => ({ params: { operationId: await upgrade() } }),
  queryUpgrades: () => ({}),
};

/** A request of this operation that is right as far as is known. */
export async function rightCall(
  document: Document,
  { method, path, operation }: Endpoint,
  world: World,
): Promise<Request> {
  const { operationId, parameters = [], security, requestBody } = operation;
  const make = RIGHT[operationId.replace(/Alias$/, "")];
  const { params = {}, query = {}, body }: Right = make ? await make(world) : {};
  const given = params as Record<string, string>;
  const needed = parameters.filter((it) => it.in === "query" && it.required === true);
  const schema = bodySchemaOf(operation);
  return {
    method,
    path: path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(given[name] ?? "unknown")),
    query: {
      ...Object.fromEntries(needed.map((it) => [it.name, String(sampleOf(document, it.schema))])),
      ...query,
    },
    headers: {
      ...(security?.length === 0 ? {} : world.app.headers),
      ...(requestBody && { "content-type": "application/json" }),
    },
    body: schema && ((body ?? sampleOf(document, schema)) as Record<string, unknown>),
  };
}

export const bodySchemaOf = ({ requestBody }: Endpoint["operation"]): Schema | undefined =>
  requestBody?.content["application/json"]?.schema;

/** The smallest value that fits, with required properties only. */
export function sampleOf(document: object, schema: Schema): unknown {
  const whole: Schema = Object.assign({}, ...partsOf(document, schema));
  const [first] = whole.enum ?? whole.examples ?? [];
  if (whole.const !== undefined || first !== undefined) return whole.const ?? first;
  if (whole.anyOf?.[0]) return sampleOf(document, whole.anyOf[0]);
  switch ([whole.type].flat()[0]) {
    case "string":
      return "0".repeat(Number(/\{(\d+)/.exec(whole.pattern ?? "")?.[1] ?? whole.minLength ?? 1));
    case "integer":
    case "number":
      return whole.minimum ?? 0;
    case "boolean":
      return true;
    case "array":
      return [sampleOf(document, whole.items ?? {})];
    default:
      return Object.fromEntries(
        (whole.required ?? []).map((name) => [name, sampleOf(document, whole.properties?.[name] ?? {})]),
      );
  }
}

export const renderUrl = ({ path, query }: Pick<Request, "path" | "query">): string => {
  const text = new URLSearchParams(query as Record<string, string>).toString();
  return text === "" ? path : `${path}?${text}`;
};
