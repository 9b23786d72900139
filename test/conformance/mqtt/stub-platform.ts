/** Everything behind the listener, in memory and under the test's control. */
import type { Database } from "bun:sqlite";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../../migrations";
import {
  MQTT_DEFAULTS,
  type MqttApplications,
  type MqttCommands,
  type MqttDevices,
  type MqttSettings,
  startMqttListener,
} from "../../../src/access/mqtt";
import type { AppId } from "../../../src/capabilities/applications/application";
import type { Codecs, Encoded } from "../../../src/capabilities/codecs/codec";
import type { Device, DeviceEvents, DeviceId, LiveDevice } from "../../../src/capabilities/devices/device";
import type { SystemEvent } from "../../../src/capabilities/devices/event-link";
import type { SubDeviceOutcome, SubDeviceTask } from "../../../src/capabilities/devices/sub-devices";
import type { TraceEntry } from "../../../src/capabilities/devices/trace-sink";
import type { CompiledProduct, CustomTopic } from "../../../src/capabilities/products/product";
import type { AckSink, Ingest, ServiceReport } from "../../../src/capabilities/telemetry/report";
import { type Clock, systemClock } from "../../../src/platform/clock";
import { eventBus } from "../../../src/platform/events";
import { silentLog } from "../../../src/platform/log";
import { createMetrics } from "../../../src/platform/metrics";
import { groupCommit } from "../../../src/platform/storage/group-commit";
import { openDatabase } from "../../../src/platform/storage/open-database";
import type { EnclosedRow } from "../../../src/platform/storage/storage-writer";

export type StubDevice = {
  no: number;
  deviceId: string;
  nodeId: string;
  secret: string;
  gatewayNo?: number;
  topics?: CustomTopic[];
};

export const METER: StubDevice = { no: 1, deviceId: "p1_meter-1", nodeId: "meter-1", secret: "0123456789abcdef0123" };
export const GATEWAY: StubDevice = {
  no: 2,
  deviceId: "p2_gate_way",
  nodeId: "gate_way",
  secret: "fedcba98765432100000",
};
export const SUB: StubDevice = {
  no: 3,
  deviceId: "p1_sub-1",
  nodeId: "sub-1",
  secret: "00000000000000000000",
  gatewayNo: 2,
};
export const OTHER: StubDevice = { no: 4, deviceId: "p1_meter-2", nodeId: "meter-2", secret: "11111111111111111111" };
export const CUSTOM: StubDevice = {
  no: 5,
  deviceId: "p3_c",
  nodeId: "c",
  secret: "22222222222222222222",
  topics: [
    { name: "up", permission: "publish", description: undefined },
    { name: "down", permission: "subscribe", description: undefined },
    { name: "both", permission: "both", description: undefined },
  ],
};

export type Reported = { deviceNo: number; reports: readonly ServiceReport[] };
export type Answered = { deviceNo: number; mid: number; errcode: number; body: unknown };

/** Takes messages in order and has them "on disk" when the test says so, or at once. */
function stubIngest(telemetry: Database) {
  type Entry = { sink: AckSink; ticket: number; enclosed: EnclosedRow | undefined; reported: Reported | undefined };
  let waiting: Entry[] = [];
  const drainListeners: (() => void)[] = [];
  const stub = {
    reported: [] as Reported[],
    isHeld: false,
    congested: false,
    waiting: () => waiting.length,
    /** The commit succeeds. */
    commit() {
      const entries = waiting;
      waiting = [];
      for (const { enclosed, reported } of entries) {
        if (enclosed) telemetry.query(enclosed.sql).run(...(enclosed.values as []));
        if (reported) stub.reported.push(reported);
      }
      for (const { sink, ticket } of entries) sink.acknowledge(ticket);
      for (const sink of new Set(entries.map((entry) => entry.sink))) sink.flush();
    },
    /** The commit fails. */
    fail() {
      const entries = waiting;
      waiting = [];
      for (const { sink, ticket } of entries) sink.abandon(ticket);
      for (const sink of new Set(entries.map((entry) => entry.sink))) sink.flush();
    },
    drain() {
      stub.congested = false;
      for (const listener of drainListeners) listener();
    },
  };
  const add = (entry: Entry) => {
    waiting.push(entry);
    if (!stub.isHeld && waiting.length === 1)
      setImmediate(() => {
        if (!stub.isHeld) stub.commit();
      });
  };
  const ingest: Ingest = {
    report: (device, reports, sink, ticket, enclosed) =>
      add({ sink, ticket, enclosed, reported: { deviceNo: device.no, reports } }),
    pass: (sink, ticket, enclosed) => add({ sink, ticket, enclosed, reported: undefined }),
    get congested() {
      return stub.congested;
    },
    onDrain: (listener) => void drainListeners.push(listener),
  };
  return { stub, ingest };
}

function stubDevices(all: readonly StubDevice[]) {
  const calls: string[] = [];
  const live = new Map<number, LiveDevice>();
  const held = new Map<number, number>();
  const find = (test: (device: StubDevice) => boolean) =>
    all.find((device) => test(device) && !live.get(device.no)?.deleted);
  const toLogin = (device: StubDevice | undefined) =>
    device && {
      no: device.no,
      id: device.deviceId as DeviceId,
      nodeId: device.nodeId,
      appNo: 1,
      secret: device.secret,
    };
  const devices: MqttDevices = {
    loginByDeviceId: (id) => toLogin(find(({ deviceId }) => deviceId === id)),
    loginByNodeId: (id) => toLogin(find(({ nodeId }) => nodeId === id)),
    acquire(no) {
      const device = find((it) => it.no === no);
      if (!device) return undefined;
      held.set(no, (held.get(no) ?? 0) + 1);
      const existing = live.get(no) ?? toLive(device);
      live.set(no, existing);
      return existing;
    },
    release: ({ no }) => void held.set(no, (held.get(no) ?? 0) - 1),
    connected: async (no) => void calls.push(`connected ${no}`),
    disconnected: (no) => void calls.push(`disconnected ${no}`),
    findSubDevice: (no, id) => {
      const found = find((it) => it.gatewayNo === no && (it.deviceId === id || it.nodeId === id));
      return found && ({ no: found.no } as Device);
    },
  };
  return { devices, calls, live, held };
}

const toLive = ({ no, deviceId, nodeId, gatewayNo, topics = [] }: StubDevice): LiveDevice => ({
  no,
  id: deviceId as DeviceId,
  appNo: 1,
  appId: "app" as AppId,
  nodeId,
  gatewayNo,
  gatewayId: deviceId as DeviceId,
  product: { product: { no: 1, topics } } as unknown as CompiledProduct,
  muted: false,
  isSecure: false,
  needsContact: false,
  storeHistory: true,
  pushEnabled: true,
  deleted: false,
});

const missing = { kind: "failed", reason: "codec_missing", detail: "the product has no codec" } as const;
const NO_CODECS: Codecs = {
  has: () => false,
  decode: () => missing,
  encode: (): Encoded => missing,
  answersReports: () => false,
};

export type StubOptions = {
  settings?: Partial<MqttSettings>;
  clock?: Clock;
  /** Shared by two platforms in a row: a restart. */
  registry?: Database;
  telemetry?: Database;
  devices?: readonly StubDevice[];
  /** Without: no product has one. */
  codecs?: Partial<Codecs>;
  tls?: { key: string; cert: string };
  /** Without: applications cannot log in. */
  applications?: MqttApplications;
};

export async function startStubPlatform(options: StubOptions = {}) {
  const registry = options.registry ?? openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  const telemetry = options.telemetry ?? openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  const heldCommits: (() => void)[] = [];
  const lost: number[] = [];
  const platform = {
    holdAnswers: false,
    /** Commits of registry.db wait for `commitRegistry`. */
    holdsRegistry: false,
    commitRegistry() {
      platform.holdsRegistry = false;
      for (const run of heldCommits.splice(0)) run();
    },
  };
  const transactor = groupCommit(registry, (run) =>
    platform.holdsRegistry ? void heldCommits.push(run) : void setImmediate(run),
  );
  const { stub: store, ingest } = stubIngest(telemetry);
  const { devices, calls, live, held } = stubDevices(options.devices ?? [METER, GATEWAY, SUB, OTHER, CUSTOM]);
  const answers: (Answered & { resolve(): void; reject(error: unknown): void })[] = [];
  const commands: MqttCommands = {
    answered: (device, mid, errcode, body) =>
      new Promise<void>((resolve, reject) => {
        answers.push({ deviceNo: device.no, mid, errcode, body, resolve, reject });
        if (!platform.holdAnswers) resolve();
      }),
    delivered: async (no, mid) => void calls.push(`delivered ${no} ${mid}`),
    connectionLost: async (no) => void lost.push(no),
  };
  const subDeviceRuns: {
    gatewayNo: number;
    tasks: readonly SubDeviceTask[];
    resolve(outcomes: SubDeviceOutcome[]): void;
    reject(error: unknown): void;
  }[] = [];
  const events: { deviceNo: number; event: SystemEvent; resolve(): void; reject(error: unknown): void }[] = [];
  const listening: number[] = [];
  const traces: TraceEntry[] = [];
  const deviceEvents = eventBus<DeviceEvents>();
  const metrics = createMetrics();
  const listener = await startMqttListener({
    mqtt: { hostname: "127.0.0.1", port: 0 },
    mqtts: options.tls && { hostname: "127.0.0.1", port: 0, ...options.tls },
    devices,
    subDevices: {
      run: (gatewayNo, tasks) =>
        new Promise((resolve, reject) => subDeviceRuns.push({ gatewayNo, tasks, resolve, reject })),
    },
    events: {
      received: (deviceNo, event) =>
        new Promise<void>((resolve, reject) => events.push({ deviceNo, event, resolve, reject })),
      listening: (deviceNo) => void listening.push(deviceNo),
    },
    deviceEvents,
    ingest,
    commands,
    codecs: { ...NO_CODECS, ...options.codecs },
    applications: options.applications,
    trace: { record: (entry) => void traces.push(entry) },
    registry,
    telemetry,
    transactor,
    clock: options.clock ?? systemClock,
    log: silentLog,
    metrics,
    settings: { ...MQTT_DEFAULTS, ...options.settings },
  });
  return Object.assign(platform, {
    listener,
    port: listener.mqtt?.port as number,
    tlsPort: listener.mqtts?.port as number,
    store,
    calls,
    lost,
    live,
    held,
    answers,
    /** They end when the test says so. */
    subDeviceRuns,
    /** They end when the test says so. */
    events,
    /** Devices that were said to hear events. */
    listening,
    traces,
    deviceEvents,
    metrics,
    registry,
    telemetry,
    transactor,
    stop: () => listener.stop(),
  });
}
export type StubPlatform = Awaited<ReturnType<typeof startStubPlatform>>;
