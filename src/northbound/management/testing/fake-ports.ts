import type { AppId, Application } from "../../../capabilities/applications/application";
import type { Grant } from "../../../capabilities/applications/application-grants";
import type { PushCertificate } from "../../../capabilities/applications/push-certificate";
import type { TaskId as BatchTaskId, Item, Task } from "../../../capabilities/batch/task";
import type { StoredCodec } from "../../../capabilities/codecs/codec-repository";
import type { Command, CommandId } from "../../../capabilities/commands/command";
import type { Device, DeviceId } from "../../../capabilities/devices/device";
import type { KnownTag } from "../../../capabilities/devices/tags";
import type { DiagnosisTask, TaskId } from "../../../capabilities/diagnosis/task";
import type { Group, GroupId } from "../../../capabilities/groups/group";
import type { PackageId, UpgradePackage } from "../../../capabilities/packages/package";
import type { ManufacturerKey } from "../../../capabilities/packages/public-key";
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
  dispatch: "connected",
  serviceId: "Climate",
  serviceType: "Climate",
  method: "SET",
  paras: { target: 21 },
  mode: "ACK",
  from: undefined,
  toType: undefined,
  to: undefined,
  callbackUrl: undefined,
  callbackAppNo: undefined,
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
const CANCELED: Pick<Command, "dispatch" | "status" | "result" | "issuedTimes" | "expireTimeS" | "maxRetransmit"> = {
  ...{ dispatch: "cached", status: "CANCELED", result: undefined, issuedTimes: 0, expireTimeS: 60, maxRetransmit: 2 },
};
export const grant: Grant = {
  owner: application,
  grantee: { ...application, no: 8, id: "app2" as AppId, name: "reader" },
  access: "query",
  createdAt: AT,
};
export const target: PushTargetView = {
  targetNo: 5,
  appNo: 7,
  callbackUrl: "http://receiver:9000/x",
  channel: "HTTP",
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
  madeByNo: 7,
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

export const upgradePackage: UpgradePackage = {
  ...{ no: 4, fileId: "0a".repeat(16) as PackageId, appNo: 7, appId: application.id, kind: "firmware", name: "fw" },
  ...{ version: "2.0", deviceType: "Sensor", manufacturerName: "Maker", model: "S1", protocolType: "MQTT" },
  ...{ sourceVersions: ["1.*"], shardSize: 500, checkCode: 0xa5, fileName: "fw.bin", size: 9, sha256: "ab".repeat(32) },
  ...{ description: undefined, date: undefined, uploadedAt: AT },
};
export const publicKey: ManufacturerKey = {
  ...{ appNo: 7, manufacturerName: "Maker", pem: "PEM", algorithm: "ecdsa-p256", fingerprint: "cd".repeat(32) },
  createdAt: AT,
};

export const diagnosisTask: DiagnosisTask = {
  no: 1,
  id: "d1" as TaskId,
  deviceNo: 11,
  deviceId: device.id,
  kind: "collectLog",
  state: "Success",
  sent: false,
  reason: undefined,
  detail: undefined,
  createdAt: AT,
  processingAt: AT,
  sentAt: AT,
  endedAt: AT,
  logBytes: 3,
};

export const batchTask: Task = {
  ...{ no: 5, id: "b1" as BatchTaskId, appNo: 7, appId: application.id, kind: "command", name: "all" },
  ...{ operator: "admin", origin: "Portal", tags: [], phase: "running", ending: undefined, timeoutS: 600 },
  ...{ startAt: AT, deadline: AT, createdAt: AT, endedAt: undefined, total: 3 },
  counts: { waiting: 1, success: 1, fail: 0, timeout: 0, expired: 0 },
};
export const batchItem: Item = {
  ...{ taskNo: 5, pos: 0, target: device.id, deviceNo: 11, deviceId: device.id, state: "Fail", tries: 0 },
  ...{ commandNo: 1, commandId: "c1" as CommandId, wanted: undefined, endedAt: AT },
  result: { status: "FAILED", detail: { result: 1 } },
  error: { code: "COMMAND_FAILED", details: { errcode: 1 } },
};

export const codec: StoredCodec = {
  productNo: 3,
  definition: { kind: "script", source: "function decode() {} function encode() {}" },
  revision: 2,
  createdAt: AT,
  modifiedAt: AT,
};

type Call = [method: string, ...args: unknown[]];

/** Each service knows one thing of each kind and records what it was asked to do. */
function fakePorts(record: (...call: Call) => void): ManagementPorts {
  const packageOf = (fileId: string): UpgradePackage => {
    if (fileId === upgradePackage.fileId) return upgradePackage;
    throw new DomainError("PACKAGE_NOT_FOUND", { fileId });
  };
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
    grants: {
      async grant(...args) {
        record("grant", ...args);
        return grant;
      },
      given(...args) {
        record("given", ...args);
        return page(grant);
      },
      received(...args) {
        record("received", ...args);
        return page(grant);
      },
      async revoke(...args) {
        record("revoke", ...args);
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
    codecs: {
      async set(id, definition) {
        record("set", known(id, product, "PRODUCT_NOT_FOUND").id, definition);
        if (definition.kind === "script" && definition.source.includes("bad"))
          throw new DomainError("CODEC_INVALID", { reason: "SyntaxError: no", line: 3, column: 7 });
        if (definition.kind === "messages" && definition.messages.length === 0)
          throw new DomainError("CODEC_INVALID", { issues: [{ path: "messages", reason: "there is no message" }] });
        return { ...codec, definition };
      },
      get: (id) => {
        known(id, product, "PRODUCT_NOT_FOUND");
        return codec;
      },
      async remove(id) {
        record("remove", known(id, product, "PRODUCT_NOT_FOUND").id);
      },
      async tryOut(id, input, definition) {
        record("tryOut", known(id, product, "PRODUCT_NOT_FOUND").id, input, definition);
        return {
          steps: { kind: "script", passed: { payload: [1], topic: "" }, outcome: { kind: "returned", text: "{}" } },
          result: { kind: "failed", reason: "script_error", detail: "no message" },
          misfits: [],
        };
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
    desired: {
      async want(it, services) {
        record("want", it.id, services);
        if (services[0]?.serviceId === "Nothing") throw new DomainError("SERVICE_NOT_FOUND", { serviceId: "Nothing" });
      },
      of: () => [
        {
          serviceId: "Climate",
          properties: {
            target: { value: 20, setAtMs: AT, delivery: { state: "sending", tries: 2 } },
            mode: { value: "ECO", setAtMs: AT, delivery: { state: "failed", atMs: AT, reason: "4.05" } },
          },
          setAtMs: AT,
        },
        {
          serviceId: "Alarm",
          properties: { on: { value: true, setAtMs: AT, delivery: { state: "delivered", atMs: AT } } },
          setAtMs: AT,
        },
      ],
      history(query) {
        record("history", query);
        return page({ deviceNo: 11, serviceId: "Climate", desired: { target: 20 }, setAtMs: AT });
      },
    },
    commands: {
      query(appId, filter) {
        record("query", appId, filter);
        return page(command);
      },
      find: (appId, id) => (appId === application.id && id === command.id ? command : undefined),
      async cancel(appId, id) {
        record("cancel", appId, id);
        return { ...command, ...CANCELED };
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
    resources: {
      registration: () => ({
        endpoint: "n1",
        style: "lwm2m",
        version: "1.0",
        transports: ["U"],
        queueMode: true,
        lifetimeS: 86_400,
        address: "192.0.2.1:5683",
        isSecure: false,
        rootPath: "/",
        objects: [{ objectId: 3, version: undefined, instanceIds: [0] }],
        registeredAtMs: AT,
        updatedAtMs: AT,
        expiresAtMs: AT,
        listening: false,
      }),
      tree: () =>
        [3, 4].map((objectId) => ({
          objectId,
          name: objectId === 3 ? "Device" : undefined,
          version: undefined,
          registered: true,
          instances: [
            {
              instanceId: 0,
              registered: true,
              resources: [
                {
                  ...{
                    resourceId: 9,
                    path: `/${objectId}/0/9`,
                    name: "Battery Level",
                    type: "integer",
                    operations: "R",
                  },
                  ...{ units: "%", multiple: false, mandatory: false, known: true, value: { 0: 80 }, observed: true },
                  ...{ omittedChars: undefined, lastSeenMs: AT },
                },
              ],
            },
          ],
        })),
      observations: () => [{ path: "/3/0/9", sinceMs: AT, state: "ended", endedReason: "4.04" }],
      async operate(deviceNo, operation, options) {
        record("operate", deviceNo, operation, options);
        const { path } = operation;
        if (path === "/asleep") throw new DomainError("DEVICE_ASLEEP", { deviceNo });
        if (path === "/no") throw new DomainError("DEVICE_REFUSED", { path, code: "4.05", reason: "not allowed" });
        return {
          path,
          value: { 9: 80 },
          links: [{ path: "/3/0/9", version: undefined, dimension: 2, attributes: {} }],
        };
      },
    },
    diagnosis: {
      async create(...args) {
        record("create", ...args);
        return { ...diagnosisTask, kind: args[1], state: "Waiting" };
      },
      list(filter) {
        record("list", filter);
        return page(diagnosisTask);
      },
      get: (_deviceNo, id) => known(id, diagnosisTask, "DIAGNOSIS_TASK_NOT_FOUND"),
      log(_deviceNo, id) {
        known(id, diagnosisTask, "DIAGNOSIS_TASK_NOT_FOUND");
        return { content: Uint8Array.of(0x4c, 0x6f, 0x67), contentType: "text/plain; charset=utf-8" };
      },
      async cancel(_deviceNo, id) {
        record("cancel", known(id, diagnosisTask, "DIAGNOSIS_TASK_NOT_FOUND").id);
        return { ...diagnosisTask, state: "Fail", reason: "cancelled" };
      },
    },
    batch: {
      async createCommands(...args) {
        record("createCommands", ...args);
        return batchTask;
      },
      async createConfiguration(...args) {
        record("createConfiguration", ...args);
        return { ...batchTask, kind: "configuration" };
      },
      async createDeletion(...args) {
        record("createDeletion", ...args);
        return { ...batchTask, kind: "deletion" };
      },
      async createRegistrations(appId, input, csv) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of csv) chunks.push(chunk);
        record("createRegistrations", appId, input, Buffer.concat(chunks).toString());
        return { ...batchTask, kind: "registration" };
      },
      get: (_appNo, _kind, id) => known(id, batchTask, "BATCH_TASK_NOT_FOUND"),
      getById: (id) => known(id, batchTask, "BATCH_TASK_NOT_FOUND"),
      spec: () => ({
        kind: "deletion",
        targets: { type: "DeviceList", deviceIds: [device.id] },
        groupNos: [],
        cascade: true,
      }),
      list(...args) {
        record("list", ...args);
        return page(batchTask);
      },
      items(task, ...args) {
        record("items", task.id, ...args);
        return page(batchItem);
      },
      *resultFile(task) {
        record("resultFile", task.id);
        yield "nodeId\r\n";
        yield "n1\r\n";
      },
      async stop(id) {
        record("stop", known(id, batchTask, "BATCH_TASK_NOT_FOUND").id);
        return { ...batchTask, phase: "closing", ending: "Stopped" };
      },
      async delete(id) {
        record("delete", known(id, batchTask, "BATCH_TASK_NOT_FOUND").id);
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
    packages: {
      get: (id) => packageOf(id),
      list(...args) {
        record("list", ...args);
        return page(upgradePackage);
      },
      async remove(id) {
        record("remove", packageOf(id).fileId);
      },
    },
    packageUploads: {
      async receive(chunks) {
        const found: Uint8Array[] = [];
        for await (const chunk of chunks) found.push(Uint8Array.from(chunk));
        record("receive", Buffer.concat(found).toString());
        return {
          async store(appId, input) {
            record("store", appId, input);
            if (input.fileName === "bad.zip")
              throw new DomainError("PACKAGE_INVALID", { file: "linux/a", path: "$", reason: "is empty" });
            return upgradePackage;
          },
          discard: async () => record("discard"),
        };
      },
    },
    publicKeys: {
      async put(appId, manufacturerName, pem) {
        record("put", app(appId).id, manufacturerName, pem);
        return { ...publicKey, manufacturerName, pem };
      },
      list: (appId) => [{ ...publicKey, appNo: app(appId).no }],
      async remove(...args) {
        record("remove", ...args);
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
    const { status, headers: answered } = response;
    // What is downloaded is no JSON.
    if (answered.has("content-disposition")) return { status, body: { text }, headers: answered };
    return { status, body: text === "" ? {} : JSON.parse(text), headers: answered };
  }
  return { api, ask, calls, faults, env };
}
