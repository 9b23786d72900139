import { mock } from "bun:test";
import type { AccessTokens, ApplicationService } from "../../../capabilities/applications/application";
import type { ApplicationGrants } from "../../../capabilities/applications/application-grants";
import type { BatchService, Item, SpecOf, Task, TaskId } from "../../../capabilities/batch/task";
import type { CancelTask } from "../../../capabilities/commands/cancel-task";
import type { Command, CommandId, CommandService } from "../../../capabilities/commands/command";
import type { DeviceId } from "../../../capabilities/devices/device";
import type { DeviceService } from "../../../capabilities/devices/device-service";
import type { Group, GroupId, GroupService } from "../../../capabilities/groups/group";
import type { LoraGateway, LoraNode, LoraService } from "../../../capabilities/lora/lora";
import type { PackageId, PackageService, UpgradePackage } from "../../../capabilities/packages/package";
import type { CompiledProduct, ProductId, ProductService } from "../../../capabilities/products/product";
import type { DesiredShadow } from "../../../capabilities/shadow/desired";
import type { ReportedShadow } from "../../../capabilities/shadow/reported-shadow";
import type {
  Subscription,
  SubscriptionId,
  SubscriptionService,
} from "../../../capabilities/subscriptions/subscription";
import type { History } from "../../../capabilities/telemetry/history";
import { DomainError, type DomainErrorCode } from "../../../platform/domain-error";
import type { RequestEnv } from "../../http/request-env";
import { OCEANCONNECT_DEFAULTS, type OceanConnectSettings, oceanConnect } from "..";
import { application, CREATED_AT, device, otherApplication, product } from "./samples";

export const AUTHORIZED = { app_key: application.id, authorization: "Bearer good" };

export const command: Command = {
  no: 1,
  id: "c1" as CommandId,
  appNo: application.no,
  appId: application.id,
  deviceNo: device.no,
  deviceId: device.id,
  origin: "command",
  dispatch: "connected",
  serviceId: "Battery",
  serviceType: "BatteryType",
  method: "SET",
  paras: { mode: "ECO" },
  mode: "ACK",
  from: undefined,
  toType: undefined,
  to: undefined,
  callbackUrl: undefined,
  callbackAppNo: undefined,
  expireTimeS: undefined,
  maxRetransmit: undefined,
  status: "SENT",
  result: undefined,
  issuedTimes: 1,
  createdAt: CREATED_AT,
  sentAt: CREATED_AT + 1_000,
  deliveredAt: undefined,
  executedAt: undefined,
};
export const cancelTask: CancelTask = {
  ...{ no: 3, id: "t1", appId: application.id, deviceNo: device.no, deviceId: device.id },
  ...{ status: "WAITTING", total: 1, createdAt: CREATED_AT },
  commands: [{ ...command, dispatch: "cached", expireTimeS: 60, status: "PENDING", issuedTimes: 0, sentAt: undefined }],
};
export const subscription: Subscription = {
  no: 1,
  id: "s1" as SubscriptionId,
  appNo: application.no,
  appId: application.id,
  ownerAppNo: application.no,
  madeByNo: application.no,
  notifyType: "deviceDataChanged",
  callbackUrl: "http://h:9/x",
  channel: "HTTP",
  createdAt: CREATED_AT,
};
export const batchTask: Task = {
  ...{ no: 5, id: "b1" as TaskId, appNo: application.no, appId: application.id, kind: "command", name: "all meters" },
  ...{ operator: application.name, origin: "Northbound", tags: [{ tagName: "site", tagValue: "north" }] },
  ...{ phase: "running", ending: undefined, timeoutS: 600, startAt: CREATED_AT, deadline: CREATED_AT + 600_000 },
  ...{ createdAt: CREATED_AT, endedAt: undefined, total: 7 },
  counts: { waiting: 1, success: 2, fail: 1, timeout: 2, expired: 1 },
};
export const batchSpec: SpecOf<"command"> = {
  ...{ kind: "command", targets: { type: "Broadcast" }, groupNos: [] },
  ...{ serviceId: "Battery", method: "SET", paras: { mode: "ECO" } },
};
export const batchItem: Item = {
  ...{ taskNo: 5, pos: 0, target: device.id, deviceNo: device.no, deviceId: device.id, state: "WaitResult", tries: 0 },
  ...{ commandNo: 1, commandId: "c1" as CommandId, wanted: undefined, result: undefined, error: undefined },
  endedAt: undefined,
};
export const loraGateway: LoraGateway = {
  deviceId: "p8_roof" as DeviceId,
  loraServerId: "p1_server",
  productId: "p8" as ProductId,
  gatewayEUI: "00800000a0001234",
  name: "Roof",
  gatewaySeq: undefined,
};
export const loraNode: LoraNode = {
  deviceId: "p9_cellar" as DeviceId,
  loraServerId: "p1_server",
  productId: "p9" as ProductId,
  devEUI: "0004A30B001A2B3C",
  name: "Cellar",
  appEUI: "70B3D57ED0000001",
  deviceClass: "classA",
  joinType: "OTAA",
  appKey: "2b7e151628aed2a6abf7158809cf4f3c",
};
export const upgradePackage: UpgradePackage = {
  ...{ no: 4, fileId: "0a".repeat(16) as PackageId, appNo: application.no, appId: application.id, kind: "software" },
  ...{ name: "meter_signed.zip", version: "V1.0.10", deviceType: "Meter", manufacturerName: "Acme", model: "M1" },
  ...{ protocolType: "LWM2M", sourceVersions: ["V1.0.?"], shardSize: 500, checkCode: 0x06c2, fileName: "meter.pkg" },
  ...{ size: 1_000, sha256: "ab".repeat(32), description: undefined, date: "2017-08-11", uploadedAt: CREATED_AT },
};
export const group: Group = {
  no: 5,
  id: "g1" as GroupId,
  appNo: application.no,
  appId: application.id,
  parentId: undefined,
  name: "cellar",
  description: undefined,
  maxDevices: 10,
  devices: 2,
  isDefault: false,
  creator: "meters",
  createdAt: CREATED_AT,
};
const knownGroup = (appNo: number, id: string): Group => {
  if (appNo === group.appNo && id === group.id) return group;
  throw new DomainError("GROUP_NOT_FOUND", { groupId: id });
};
const compiled: CompiledProduct = {
  product,
  passThrough: false,
  services: new Map([
    [
      "Battery",
      { serviceId: "Battery", serviceType: "BatteryType", checkReport: () => undefined, commands: new Map() },
    ],
  ]),
};

function ports() {
  const tokens = {
    login: mock<AccessTokens["login"]>(async () => ({ accessToken: "a", refreshToken: "r", expiresInS: 3_600 })),
    refresh: mock<AccessTokens["refresh"]>(async () => ({ accessToken: "a2", refreshToken: "r2", expiresInS: 3_600 })),
    authorize: mock<AccessTokens["authorize"]>(async (appId, token) => {
      if (appId === application.id && token === "good") return application;
      throw new DomainError("TOKEN_INVALID");
    }),
  } satisfies AccessTokens;
  const devices = {
    register: mock<DeviceService["register"]>(async (_appId, { credentials }) => ({
      device,
      secret: ("secret" in credentials && credentials.secret) || "0123456789abcdef0123",
      psk: "00ff",
      verifyCode: credentials.kind === "verifyCode" ? (credentials.verifyCode ?? "made") : undefined,
      timeoutS: 0,
    })),
    find: mock<DeviceService["find"]>((appId, id) => (appId === device.appId && id === device.id ? device : undefined)),
    get: mock<DeviceService["get"]>((appId, id) => {
      if (appId === device.appId && id === device.id) return device;
      throw new DomainError("DEVICE_NOT_FOUND");
    }),
    list: mock<DeviceService["list"]>(() => ({ items: [device], total: 1 })),
    behindGateway: mock<DeviceService["behindGateway"]>((_appId, id) => (id === device.id ? [device] : [])),
    modify: mock<DeviceService["modify"]>(async () => device),
    refreshCredentials: mock<DeviceService["refreshCredentials"]>(async (_no, input) => ({
      device,
      verifyCode: input.verifyCode ?? "made",
      timeoutS: input.timeoutS ?? 180,
    })),
    delete: mock<DeviceService["delete"]>(async () => {}),
  };
  return {
    tokens,
    devices,
    applications: {
      find: mock<ApplicationService["find"]>((id) => [application, otherApplication].find((it) => it.id === id)),
    },
    grants: { accessOf: mock<ApplicationGrants["accessOf"]>(() => undefined) },
    products: {
      compiled: mock<ProductService["compiled"]>((no) => (no === product.no ? compiled : undefined)),
    },
    groups: {
      find: mock<GroupService["find"]>(() => group),
      get: mock<GroupService["get"]>(knownGroup),
      getById: mock<GroupService["getById"]>(() => group),
      list: mock<GroupService["list"]>(() => ({ items: [group], total: 1 })),
      topology: mock<GroupService["topology"]>(() => []),
      ofDevice: mock<GroupService["ofDevice"]>(() => group),
      create: mock<GroupService["create"]>(async (_appNo, { deviceIds = [] }) => ({
        group,
        deviceIds: deviceIds as DeviceId[],
      })),
      change: mock<GroupService["change"]>(async (appNo, id) => knownGroup(appNo, id)),
      delete: mock<GroupService["delete"]>(async (appNo, id) => void knownGroup(appNo, id)),
      members: mock<GroupService["members"]>((appNo, id) => ({
        items: knownGroup(appNo, id) && [{ deviceNo: device.no, deviceId: device.id }],
        total: 2,
      })),
      membersAfter: mock<GroupService["membersAfter"]>(() => []),
      add: mock<GroupService["add"]>(
        async (appNo, id, deviceIds) => (knownGroup(appNo, id) && deviceIds) as DeviceId[],
      ),
      remove: mock<GroupService["remove"]>(async (appNo, id) => void knownGroup(appNo, id)),
      move: mock<GroupService["move"]>(async () => []),
    } satisfies GroupService,
    subscriptions: {
      subscribe: mock<SubscriptionService["subscribe"]>(async () => subscription),
      get: mock<SubscriptionService["get"]>((_appNo, id) => {
        if (id === subscription.id) return subscription;
        throw new DomainError("SUBSCRIPTION_NOT_FOUND");
      }),
      list: mock<SubscriptionService["list"]>(() => ({ items: [subscription], total: 1 })),
      delete: mock<SubscriptionService["delete"]>(async () => {}),
      deleteMatching: mock<SubscriptionService["deleteMatching"]>(async () => 1),
    },
    commands: {
      send: mock<CommandService["send"]>(async (_appId, { requestId }) => ({
        ...command,
        id: (requestId || "made") as CommandId,
      })),
      create: mock<CommandService["create"]>(async () => command),
      query: mock<CommandService["query"]>(() => ({ items: [command], total: 1 })),
      cancel: mock<CommandService["cancel"]>(async () => ({ ...command, status: "CANCELED" })),
      createCancelTask: mock<CommandService["createCancelTask"]>(async () => cancelTask),
      queryCancelTasks: mock<CommandService["queryCancelTasks"]>(() => ({ items: [cancelTask], totalCommands: 5 })),
    },
    batch: {
      createCommands: mock<BatchService["createCommands"]>(async () => batchTask),
      get: mock<BatchService["get"]>((appNo, kind, id) => {
        if (appNo === application.no && kind === "command" && id === batchTask.id) return batchTask;
        throw new DomainError("BATCH_TASK_NOT_FOUND", { taskId: id });
      }),
      spec: mock<BatchService["spec"]>(() => batchSpec),
      items: mock<BatchService["items"]>(() => ({ items: [batchItem], total: 41 })),
    },
    history: {
      page: mock<History["page"]>(async () => ({
        items: [{ deviceNo: device.no, serviceId: "Battery", timestampMs: CREATED_AT, data: { level: 7 } }],
        total: 1,
      })),
    },
    desired: {
      want: mock<DesiredShadow["want"]>(async () => {}),
      of: mock<DesiredShadow["of"]>(() => []),
      history: mock<DesiredShadow["history"]>(() => ({
        items: [{ deviceNo: device.no, serviceId: "Battery", desired: { level: 35 }, setAtMs: CREATED_AT }],
        total: 1,
      })),
    },
    lora: {
      registerGateway: mock<LoraService["registerGateway"]>(async () => loraGateway),
      registerNode: mock<LoraService["registerNode"]>(async () => loraNode),
      gateway: mock<LoraService["gateway"]>(() => loraGateway),
      node: mock<LoraService["node"]>(() => loraNode),
      delete: mock<LoraService["delete"]>(async () => {}),
    },
    packages: {
      find: mock<PackageService["find"]>((id) => (id === upgradePackage.fileId ? upgradePackage : undefined)),
      list: mock<PackageService["list"]>(() => ({ items: [upgradePackage], total: 41 })),
      remove: mock<PackageService["remove"]>(async () => {}),
    },
    shadow: {
      of: mock<ReportedShadow["of"]>(() => [reported]),
      ofMany: mock<ReportedShadow["ofMany"]>(() => new Map([[device.no, [reported]]])),
    },
  };
}
const reported = { serviceId: "Battery", reported: { level: 7 }, eventTimeMs: CREATED_AT, olderTimesMs: {} };

/** The dialect over ports that record their calls. `effects` counts the calls that change something. */
export function harness(settings: Partial<OceanConnectSettings> = {}) {
  const fakes = ports();
  const faults: unknown[] = [];
  const env: RequestEnv = {
    requestId: "test-request",
    peer: undefined,
    caller: undefined,
    reportFault: (error) => faults.push(error),
  };
  const { devices, groups, subscriptions, commands, desired, lora, batch, packages } = fakes;
  const app = oceanConnect({
    ...fakes,
    devices: devices as unknown as DeviceService, // what the dialect calls is there; the rest would throw
    settings: { ...OCEANCONNECT_DEFAULTS, ...settings },
  });

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = AUTHORIZED) {
    const text = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
    const response = await app.request(
      path,
      {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: text as string }),
      },
      env,
    );
    const answer = await response.text();
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      headers: response.headers,
      text: answer,
      json: answer === "" ? undefined : JSON.parse(answer),
    };
  }
  return {
    app,
    env,
    faults,
    ...fakes,
    call,
    effects: () =>
      [
        devices.register,
        devices.modify,
        devices.refreshCredentials,
        devices.delete,
        subscriptions.subscribe,
        subscriptions.delete,
        subscriptions.deleteMatching,
        commands.send,
        commands.create,
        groups.create,
        groups.change,
        groups.delete,
        groups.add,
        groups.remove,
        desired.want,
        commands.cancel,
        commands.createCancelTask,
        batch.createCommands,
        lora.registerGateway,
        lora.registerNode,
        lora.delete,
        packages.remove,
      ].reduce((sum, { mock: { calls } }) => sum + calls.length, 0),
  };
}

export const failing =
  (code: DomainErrorCode, details: Record<string, unknown> = {}) =>
  () => {
    throw new DomainError(code, details);
  };
