import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../../../migrations/index";
import type { Clock } from "../../../platform/clock";
import { eventBus } from "../../../platform/events";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import { groupCommit } from "../../../platform/storage/group-commit";
import { type Durability, openDatabase, openForReading, openForWriting } from "../../../platform/storage/open-database";
import {
  type EnclosedRow,
  type SqlValue,
  type StorageWriter,
  startStorageWriter,
} from "../../../platform/storage/storage-writer";
import type { AppId, Application, ApplicationEvents } from "../../applications/application";
import type { DeviceEvents, DeviceId, LiveDevice } from "../../devices/device";
import type { ProductEvents } from "../../products/product";
import type { AcceptedReport } from "../../telemetry/report";
import type { CallbackClient, PostResult } from "../callback-client";
import type { Notification, NotifyType, RenderNotification } from "../notification";
import { openPush } from "../push";
import { DEFAULT_PUSH_SETTINGS, type PushSettings } from "../push-settings";
import { toStep } from "../settlement";
import type { DeliveryOutcome, Reach, SubscriberLink, SubscriberMessage } from "../subscriber-link";

export const APP_NO = 1;
export const APP_ID = "app-1" as AppId;
export const URL_A = "http://127.0.0.1:9001/a";

/** Words that a test can read back: type, device and the value of the report. */
export const renderPlainly: RenderNotification = (notification) => JSON.stringify(plain(notification));
function plain(notification: Notification): unknown {
  switch (notification.type) {
    case "deviceDataChanged":
    case "deviceDatasChanged":
      return {
        type: notification.type,
        requestId: notification.requestId,
        device: notification.device.id,
        data: notification.reports.map(({ serviceId, data }) => ({ serviceId, ...data })),
      };
    case "deviceAdded":
    case "bindDevice":
    case "deviceInfoChanged":
    case "deviceDeleted":
      return { type: notification.type, device: notification.device.id };
    case "commandStatus":
      return { type: notification.type, commandId: notification.commandId, resultCode: notification.resultCode };
    case "deviceDesiredPropertiesModifyStatusChanged":
      return notification;
    default:
      return { type: notification.type };
  }
}

export const application = (no = APP_NO, patch: Partial<Application> = {}): Application => ({
  no,
  id: `app-${no}` as AppId,
  name: `app ${no}`,
  description: undefined,
  industry: undefined,
  storeHistory: true,
  pushEnabled: true,
  signPushes: false,
  callsPerMinute: undefined,
  frozen: false,
  createdAt: 0,
  ...patch,
});

export const liveDevice = (no: number, patch: Partial<LiveDevice> = {}): LiveDevice => ({
  no,
  id: `device-${no}` as DeviceId,
  appNo: APP_NO,
  appId: APP_ID,
  nodeId: `node-${no}`,
  gatewayNo: undefined,
  gatewayId: `device-${no}` as DeviceId,
  product: undefined,
  muted: false,
  isSecure: false,
  needsContact: false,
  storeHistory: true,
  pushEnabled: true,
  deleted: false,
  ...patch,
});

export const accepted = (serviceId: string, data: Record<string, unknown>): AcceptedReport => ({
  serviceId,
  serviceType: serviceId,
  data,
  timestampMs: 0,
});

/** A folder for the two databases, so that a platform can be opened on them again after it has "crashed". */
export function temporaryStore() {
  const folder = mkdtempSync(join(tmpdir(), "islet-push-"));
  return {
    registryPath: join(folder, "registry.db"),
    telemetryPath: join(folder, "telemetry.db"),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
export type Store = ReturnType<typeof temporaryStore>;

type Options = {
  store: Store;
  client: CallbackClient;
  clock: Clock;
  settings?: Partial<PushSettings>;
  /** Applications by MQTT. */
  subscribers?: { readonly link: SubscriberLink; readonly keepMs: number };
  /** The real thread; default: the same writes on this thread, so that a manual clock sees them done. */
  threaded?: boolean;
  applications?: Map<number, Application>;
  durability?: Durability;
};

export async function openFixture({ store, client, clock, settings, threaded = false, ...options }: Options) {
  const { durability = "relaxed" } = options;
  const registry = openDatabase(store.registryPath, { migrations: REGISTRY_MIGRATIONS, durability });
  openDatabase(store.telemetryPath, { migrations: TELEMETRY_MIGRATIONS, durability }).close();
  const disk = { isFull: false };
  const writer = threaded
    ? await startStorageWriter(store.telemetryPath, durability)
    : inlineWriter(store.telemetryPath, disk);
  const reads = openForReading(store.telemetryPath);
  const transactor = groupCommit(registry);
  const applications = options.applications ?? new Map([[APP_NO, application()]]);
  const events = {
    applications: eventBus<ApplicationEvents>(),
    products: eventBus<ProductEvents>(),
    devices: eventBus<DeviceEvents>(),
  };
  const metrics = createMetrics();
  const grants = new Set<string>();
  let lastId = 0;
  const push = await openPush({
    registry,
    transactor,
    telemetryReads: reads,
    writer,
    render: renderPlainly,
    client,
    application: (no) => applications.get(no),
    grants: { holds: (ownerNo, granteeNo) => grants.has(`${ownerNo}-${granteeNo}`) },
    events,
    clock,
    ids: { next: () => `id-${++lastId}` },
    log: silentLog,
    metrics,
    settings: { ...DEFAULT_PUSH_SETTINGS, ...settings },
  });
  if (options.subscribers) push.joinSubscribers(options.subscribers.link, options.subscribers);
  const worker = push.start();

  async function commitRows(rows: readonly EnclosedRow[]): Promise<void> {
    await writer.commit(rows.map(({ sql, values }) => toStep(sql, [values])));
    for (const row of rows) row.committed?.();
  }

  return {
    ...push,
    worker,
    /** Not with `threaded`. */
    disk,
    registry,
    reads,
    transactor,
    events,
    metrics,
    applications,
    /** Who may act for whom, as `owner-grantee`. */
    grants,
    subscribe: (notifyType: NotifyType, callbackUrl = URL_A, appNo = APP_NO) =>
      push.subscriptions.subscribe({ appNo, appId: APP_ID, notifyType, callbackUrl }),
    subscribeByMqtt: (notifyType: NotifyType) =>
      push.subscriptions.subscribe({ appNo: APP_NO, appId: APP_ID, notifyType, channel: "MQTTS" }),
    /** What the ingest does with an accepted report: rows in one transaction, told when it is on disk. */
    async report(deviceNo: number, ...values: number[]): Promise<void> {
      const rows = values.flatMap((value) =>
        push.notifier.rowsFor(liveDevice(deviceNo), [accepted("Meter", { value })]),
      );
      await commitRows(rows);
    },
    commitRows,
    /** As `kill -9` leaves it: nothing is flushed, nobody is told. */
    async crash(): Promise<void> {
      registry.close();
      reads.close();
      await writer.close();
    },
    async stop(): Promise<void> {
      await worker.stop();
      await transactor.settled();
      registry.close();
      reads.close();
      await writer.close();
    },
  };
}
export type Fixture = Awaited<ReturnType<typeof openFixture>>;

function inlineWriter(path: string, disk: { isFull: boolean }): StorageWriter {
  const db = openForWriting(path, "relaxed");
  return {
    async commit(steps) {
      if (disk.isFull) throw new Error("database or disk is full");
      db.transaction(() => {
        for (const { sql, columns } of steps)
          for (let row = 0; row < (columns[0]?.length ?? 0); row++)
            db.query<unknown, SqlValue[]>(sql).run(...columns.map((column) => column[row] as SqlValue));
      }).immediate();
    },
    async close() {
      db.close();
    },
  };
}

/** A receiver in memory: keeps what it got, answers what the test says. */
export function scriptedClient(answer: CallbackClient["post"] = async () => ({ reason: "delivered", status: 200 })) {
  const got: { url: string; body: string; id: number }[] = [];
  const state = { answer, reachable: true, probes: 0 };
  const client: CallbackClient = {
    post(target, message, stopping) {
      got.push({ url: target.callbackUrl, body: message.body, id: message.id });
      const cutOff = new Promise<PostResult>((resolve) =>
        stopping.addEventListener("abort", () => resolve({ reason: "timeout", status: undefined }), { once: true }),
      );
      return Promise.race([state.answer(target, message, stopping), cutOff]);
    },
    async probe() {
      state.probes++;
      return state.reachable;
    },
  };
  return { client, got, state, values: () => got.map(({ body }) => reportedValue(body)) };
}

/** Connections of one application in memory, with one window, ended when the test says so. Others are away. */
export function scriptedSubscribers(window = 4, ofAppNo = APP_NO) {
  const got: SubscriberMessage[] = [];
  const inFlight: { message: SubscriberMessage; ended: (outcome: DeliveryOutcome) => void }[] = [];
  const changes: ((appNo: number) => void)[] = [];
  const rooms: ((appNo: number) => void)[] = [];
  const state = { reach: "away" as Reach, topics: undefined as readonly string[] | undefined };
  const reachOf = (topic: string): Reach => (state.topics?.includes(topic) === false ? "not_subscribed" : state.reach);
  const link: SubscriberLink = {
    reach: (appNo, topic) => (appNo === ofAppNo ? reachOf(topic) : "away"),
    send(appNo, message, ended) {
      if (appNo !== ofAppNo || reachOf(message.topic) !== "connected" || inFlight.length >= window) return false;
      got.push(message);
      inFlight.push({ message, ended });
      return true;
    },
    onChange: (listener) => void changes.push(listener),
    onRoom: (listener) => void rooms.push(listener),
  };
  const changed = () => {
    for (const listener of changes) listener(ofAppNo);
  };
  return {
    link,
    got,
    inFlight,
    values: () => got.map(({ body }) => reportedValue(body)),
    /** To all topics, or to these. */
    come(topics?: readonly string[]) {
      state.reach = "connected";
      state.topics = topics;
      changed();
    },
    /** Without acknowledging what is under way. */
    leave() {
      state.reach = "away";
      for (const { ended } of inFlight.splice(0)) ended("lost");
      changed();
    },
    acknowledge(count = 1) {
      for (const { ended } of inFlight.splice(0, count)) ended("acknowledged");
      for (const listener of rooms) listener(ofAppNo);
    },
  };
}

/** The value of a rendered single report. */
export const reportedValue = (body: string): number | undefined =>
  (JSON.parse(body) as { data?: { value?: number }[] }).data?.[0]?.value;
