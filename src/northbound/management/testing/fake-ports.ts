import type { AppId, Application } from "../../../capabilities/applications/application";
import type { PushCertificate } from "../../../capabilities/applications/push-certificate";
import type { Command, CommandId } from "../../../capabilities/commands/command";
import type { Device, DeviceId } from "../../../capabilities/devices/device";
import type { KnownTag } from "../../../capabilities/devices/tags";
import type { Group, GroupId } from "../../../capabilities/groups/group";
import type { Product, ProductId } from "../../../capabilities/products/product";
import type { PushTargetView } from "../../../capabilities/subscriptions/push-log";
import type { Subscription, SubscriptionId } from "../../../capabilities/subscriptions/subscription";
import { DomainError } from "../../../platform/domain-error";
import { type ManagementPorts, managementApi } from "..";

export const AT = Date.UTC(2026, 0, 31, 12);
export const AT_TEXT = "2026-01-31T12:00:00.000Z";

export const application: Application = {
  no: 7,
  id: "app1" as AppId,
  name: "meters",
  description: undefined,
  industry: "water",
  storeHistory: true,
  pushEnabled: true,
  signPushes: false,
  callsPerMinute: undefined,
  frozen: false,
  createdAt: AT,
};
const bounds = { min: -40, max: 125, step: undefined, maxLength: undefined, unit: undefined, enumList: undefined };
export const product: Product = {
  no: 3,
  id: "p1" as ProductId,
  appNo: 7,
  appId: application.id,
  name: "Sensor",
  manufacturerId: "M",
  manufacturerName: "Maker",
  model: "S1",
  deviceType: "Sensor",
  protocolType: "MQTT",
  omCapability: undefined,
  services: [
    {
      serviceId: "Climate",
      serviceType: "Climate",
      option: "Mandatory",
      description: undefined,
      properties: [{ name: "temperature", dataType: "decimal", required: true, method: "R", ...bounds }],
      commands: [{ name: "SET", paras: [], responses: [{ name: "SET_RSP", paras: [] }] }],
    },
  ],
  topics: [],
  createdAt: AT,
};
export const device: Device = {
  no: 11,
  id: "p1_n1" as DeviceId,
  appNo: 7,
  appId: application.id,
  productNo: 3,
  productId: product.id,
  nodeId: "n1",
  nodeType: "ENDPOINT",
  gatewayNo: undefined,
  gatewayId: "p1_n1" as DeviceId,
  info: { name: "kitchen" },
  status: "ONLINE",
  statusDetail: "NONE",
  muted: false,
  isSecure: false,
  tags: [{ tagName: "floor", tagValue: "2" }],
  customFields: [],
  dataAgingDays: undefined,
  mutedCommands: {},
  activated: true,
  createdAt: AT,
  modifiedAt: AT,
  expiresAt: undefined,
};
export const command: Command = {
  no: 1,
  id: "c1" as CommandId,
  appNo: 7,
  appId: application.id,
  deviceNo: 11,
  deviceId: device.id,
  origin: "signal",
  serviceId: "Climate",
  serviceType: "Climate",
  method: "SET",
  paras: { target: 21 },
  mode: "ACK",
  from: undefined,
  toType: undefined,
  to: undefined,
  callbackUrl: undefined,
  expireTimeS: undefined,
  maxRetransmit: undefined,
  status: "SUCCESSFUL",
  result: { errcode: 0, body: { ok: true } },
  issuedTimes: 1,
  createdAt: AT,
  sentAt: AT,
  deliveredAt: AT,
  executedAt: undefined,
};
export const target: PushTargetView = {
  targetNo: 5,
  appNo: 7,
  callbackUrl: "http://receiver:9000/x",
  state: "invalid",
  failedRetries: 10,
  invalidSinceMs: AT,
  waiting: 1,
  inFlight: 0,
  deadLetters: 2,
  delivered: 3,
  failedAttempts: 10,
  givenUp: 2,
};
export const certificate: PushCertificate = {
  appNo: 7,
  hostPort: "receiver:9000",
  ca: "PEM",
  checkCommonName: true,
  commonName: undefined,
  sni: false,
  createdAt: AT,
};
export const subscription: Subscription = {
  no: 1,
  id: "s1" as SubscriptionId,
  appNo: 7,
  appId: application.id,
  ownerAppNo: 7,
  notifyType: "deviceDataChanged",
  callbackUrl: "http://receiver:9000/x",
  channel: "HTTP",
  createdAt: AT,
};
export const group: Group = {
  no: 21,
  id: "g1" as GroupId,
  appNo: 7,
  appId: application.id,
  parentId: undefined,
  name: "cellar",
  description: "below",
  maxDevices: 0,
  devices: 1,
  isDefault: false,
  creator: "admin",
  createdAt: AT,
};
export const otherGroup: Group = { ...group, no: 22, id: "g2" as GroupId, name: "attic", parentId: group.id };
const tag: KnownTag = { tagName: "floor", tagValue: "2", devices: 1, defined: false };

type Call = [method: string, ...args: unknown[]];

/** Each service knows one thing of each kind and records what it was asked to do. */
function fakePorts(record: (...call: Call) => void): ManagementPorts {
  const known = <T>(id: string, thing: T & { id: string }, code: ConstructorParameters<typeof DomainError>[0]): T => {
    if (id !== thing.id) throw new DomainError(code, { id });
    return thing;
  };
  const app = (id: string) => known(id, application, "APP_NOT_FOUND");
  const targetOf = (no: number) => {
    if (no !== target.targetNo) throw new DomainError("NOT_FOUND");
    return target;
  };
  const groupOf = (id: string) => {
    if (id !== group.id && id !== otherGroup.id) throw new DomainError("GROUP_NOT_FOUND", { groupId: id });
    return id === group.id ? group : otherGroup;
  };
  const page = <T>(...items: T[]) => ({ items, total: 41 });

  return {
    sessions: {
      async signIn(username, password) {
        if (password !== "right") throw new DomainError("UNAUTHENTICATED");
        return { token: `token-of-${username}`, expiresAt: AT };
      },
      verify: (token) => (token === "good" ? { username: "admin" } : undefined),
      async signOut(token) {
        record("signOut", token);
      },
    },
    applications: {
      async create(input) {
        record("create", input);
        if (input.name === "taken") throw new DomainError("APP_NAME_TAKEN");
        return { application: { ...application, ...input }, secret: "s3cret" };
      },
      list(...args) {
        record("list", ...args);
        return page(application);
      },
      get: app,
      async update(id, patch) {
        record("update", id, patch);
        return { ...app(id), ...patch };
      },
      async delete(id) {
        record("delete", app(id).id);
      },
      async resetSecret(id) {
        return `new secret of ${app(id).id}`;
      },
    },
    signingSecrets: {
      get: (id) => `signing secret of ${app(id).id}`,
      renew: async (id) => `renewed signing secret of ${app(id).id}`,
    },
    products: {
      async importZip(appId, fileName, bytes) {
        record("importZip", appId, fileName, new TextDecoder().decode(bytes));
        if (fileName === "bad.zip")
          throw new DomainError("PRODUCT_INVALID", { file: "x.json", path: "$.a", reason: "no" });
        return product;
      },
      async importJson(appId, input) {
        record("importJson", appId, input);
        return product;
      },
      list(...args) {
        record("list", ...args);
        return page(product);
      },
      get: (id) => known(id, product, "PRODUCT_NOT_FOUND"),
      async setOmCapability(id, omCapability) {
        record("setOmCapability", id, omCapability);
        return product;
      },
      async setTopics(id, topics) {
        record("setTopics", id, topics);
        return product;
      },
      async delete(id) {
        record("delete", known(id, product, "PRODUCT_NOT_FOUND").id);
      },
    },
    devices: {
      async register(appId, input) {
        record("register", appId, input);
        return { device, secret: "a".repeat(20), psk: "b".repeat(32), verifyCode: undefined, timeoutS: 180 };
      },
      list(appId, query) {
        record("list", appId, query);
        return page(device);
      },
      counts: () => ({ ONLINE: 1, OFFLINE: 2, INACTIVE: 3, ABNORMAL: 0 }),
      findById: (id) => (id === device.id ? device : undefined),
      findByNo: (no) => (no === device.no ? device : undefined),
      async modify(no, patch) {
        record("modify", no, patch);
        return device;
      },
      async resetSecret(no, secret) {
        record("resetSecret", no, secret);
        return secret ?? "made";
      },
      async delete(no, options) {
        record("delete", no, options);
      },
    },
    lastSeen: { of: () => AT, ofMany: (nos) => new Map(nos.map((no) => [no, AT])) },
    history: {
      async page(query) {
        record("page", query);
        return page({ deviceNo: 11, serviceId: "Climate", timestampMs: AT, data: { temperature: 21 } });
      },
    },
    shadow: {
      of: () => [
        { serviceId: "Climate", reported: { temperature: 21 }, eventTimeMs: AT, olderTimesMs: { battery: AT } },
      ],
    },
    commands: {
      query(appId, filter) {
        record("query", appId, filter);
        return page(command);
      },
    },
    traces: {
      find(key, ...args) {
        record("find", key, ...args);
        const claimedId = "claimedId" in key ? key.claimedId : undefined;
        const deviceNo = "deviceNo" in key ? key.deviceNo : undefined;
        return page({
          deviceNo,
          claimedId,
          atMs: AT,
          kind: "login",
          outcome: "failed",
          reason: "wrong_password",
          detail: undefined,
        });
      },
    },
    pushLog: {
      targets: (appNo) => (appNo === 7 ? [target] : []),
      target: targetOf,
      attempts(...args) {
        record("attempts", ...args);
        const { targetNo } = args[0];
        const about = { targetNo, notificationId: 9, notifyType: "deviceDataChanged", orderKey: 11 };
        return page({ ...about, atMs: AT, attempt: 1, reason: "status_503", status: 503, latencyMs: 1.5 });
      },
      deadLetters(...args) {
        record("deadLetters", ...args);
        const about = { targetNo: 5, id: 4, notifyType: "deviceDataChanged", orderKey: -1, body: "{}" };
        return page({ ...about, createdAtMs: AT, givenUpAtMs: AT, attempts: 11, reason: "expired" });
      },
      async replay(no, which) {
        record("replay", targetOf(no).targetNo, which);
        return 2;
      },
    },
    pushCertificates: {
      async add(appId, input) {
        record("add", app(appId).id, input);
        return { ...certificate, ...input };
      },
      list: (appId) => [{ ...certificate, appNo: app(appId).no }],
      async delete(appId, hostPort) {
        record("delete", app(appId).id, hostPort);
        return hostPort === certificate.hostPort;
      },
    },
    subscriptions: {
      list(...args) {
        record("list", ...args);
        return page(subscription);
      },
    },
    groups: {
      find: (appNo, id) => (appNo === 7 && id === group.id ? group : undefined),
      get: (_appNo, id) => groupOf(id),
      getById: groupOf,
      list(...args) {
        record("list", ...args);
        return page(group);
      },
      topology: () => [{ ...group, children: [{ ...group, id: "g3" as GroupId, name: "shelf", children: [] }] }],
      ofDevice: (no) => (no === device.no ? group : undefined),
      async create(...args) {
        record("create", ...args);
        return { group, deviceIds: [] };
      },
      async change(...args) {
        record("change", ...args);
        return group;
      },
      async delete(...args) {
        record("delete", ...args);
      },
      members(...args) {
        record("members", ...args);
        return page({ deviceNo: device.no, deviceId: device.id });
      },
      membersAfter: () => [],
      async add(...args) {
        record("add", ...args);
        return [];
      },
      async remove(...args) {
        record("remove", ...args);
      },
      async move(...args) {
        record("move", ...args);
        return [];
      },
    },
    tags: {
      list(...args) {
        record("list", ...args);
        return page(tag);
      },
      async define(...args) {
        record("define", ...args);
        return tag;
      },
      async remove(...args) {
        record("remove", ...args);
      },
    },
  };
}

type Answer = { status: number; body: Record<string, unknown>; headers: Headers };

/** The API over fakes. `ask` sends a value as JSON, and anything that `fetch` knows as it is. */
export function startApi(overrides: Partial<ManagementPorts> = {}) {
  const calls: Call[] = [];
  const faults: string[] = [];
  const api = managementApi({ ...fakePorts((...call) => calls.push(call)), ...overrides });
  const env = {
    requestId: "r1",
    peer: undefined,
    caller: undefined as string | undefined,
    reportFault: (error: unknown) => faults.push(String(error)),
  };
  async function ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const isJson = body !== undefined && !(body instanceof FormData) && typeof body !== "string";
    const response = await api.request(
      `/manage/v1${path}`,
      {
        method,
        headers: {
          authorization: "Bearer good",
          ...(isJson ? { "content-type": "application/json" } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : (body as string | FormData) }),
      },
      env,
    );
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : JSON.parse(text), headers: response.headers };
  }
  return { api, ask, calls, faults, env };
}
