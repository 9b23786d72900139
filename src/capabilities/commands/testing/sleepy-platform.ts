import type { Database } from "bun:sqlite";
import { REGISTRY_MIGRATIONS } from "../../../../migrations";
import { eventBus } from "../../../platform/events";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import { groupCommit, type Transactor } from "../../../platform/storage/group-commit";
import { openDatabase } from "../../../platform/storage/open-database";
import type { ManualClock } from "../../../platform/testing/manual-clock";
import type { AppId } from "../../applications/application";
import type { ContactEvents, Device, DeviceEvents, LiveDevice } from "../../devices/device";
import type {
  DownlinkCommand,
  DownlinkOutcome,
  DownlinkTransmission,
  PreparedDownlink,
  SleepingDeviceLink,
} from "../../devices/device-link";
import type { TraceEntry } from "../../devices/trace-sink";
import type { CompiledProduct } from "../../products/product";
import { COMMAND_DEFAULTS, type CommandEvents, type CommandSettings, type NewCommand } from "../command";
import { createCommandService } from "../command-service";

export const APP = "app-1" as AppId;
export const METER = 1;
export const VALVE = 2;
export const SETTINGS: CommandSettings = { ...COMMAND_DEFAULTS, sweepBatch: 2 };
export const SET: NewCommand = { deviceId: "meter", serviceId: "Valve", method: "SET", paras: { level: 3 } };

export type Transmission = {
  readonly deviceNo: number;
  readonly datagram: Uint8Array;
  readonly message: SentMessage;
  readonly options: DownlinkTransmission;
  finish(outcome: DownlinkOutcome | DownlinkOutcome["kind"]): void;
  isOver: boolean;
};
/** What the datagrams of the fake carry. */
export type SentMessage = { readonly messageId: number; readonly mid: number; readonly method: string };

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const readMessage = (datagram: Uint8Array): SentMessage => JSON.parse(decoder.decode(datagram));

/** A link whose exchanges end when the test says so, when they are given up, or when they are aborted. */
export function scriptedLink(clock: ManualClock, nextMessageId: () => number) {
  const registered = new Set<number>([METER, VALVE]);
  const listening = new Set<number>();
  const transmissions: Transmission[] = [];
  const prepared: DownlinkCommand[] = [];
  let encode: (command: DownlinkCommand) => PreparedDownlink | Promise<PreparedDownlink> = ({ mid, method }) => ({
    kind: "ready",
    datagram: encoder.encode(JSON.stringify({ messageId: nextMessageId(), mid, method })),
  });
  let isDead = false;

  const link: SleepingDeviceLink = {
    isRegistered: (no) => registered.has(no),
    isListening: (no) => listening.has(no),
    async prepare(deviceNo, command) {
      if (!registered.has(deviceNo)) return { kind: "unreachable" };
      prepared.push(command);
      return encode(command);
    },
    transmit(deviceNo, datagram, options) {
      return new Promise((resolve) => {
        if (isDead) return;
        const transmission: Transmission = {
          ...{ deviceNo, datagram, options, isOver: false, message: readMessage(datagram) },
          finish(outcome) {
            if (this.isOver) return;
            this.isOver = true;
            if (typeof outcome === "object") resolve(outcome);
            else resolve(outcome === "refused" ? { kind: outcome, detail: "4.04" } : { kind: outcome });
          },
        };
        transmissions.push(transmission);
        clock.after(options.giveUpAfterMs, () => transmission.finish("noAcknowledgement"));
        options.signal?.addEventListener("abort", () => transmission.finish("cancelled"), { once: true });
      });
    },
  };
  return {
    ...{ link, registered, listening, transmissions, prepared },
    encodeBy(next: typeof encode): void {
      encode = next;
    },
    /** The exchanges that have not ended. */
    open: () => transmissions.filter(({ isOver }) => !isOver),
    /** The process is gone: nothing is sent or told any more. */
    die(): void {
      isDead = true;
      for (const transmission of transmissions) transmission.isOver = true;
    },
  };
}

type Options = {
  readonly clock: ManualClock;
  readonly db?: Database;
  readonly nextMessageId?: () => number;
  readonly idPrefix?: string; // a later run needs its own
  readonly settings?: Partial<CommandSettings>;
  readonly transactor?: (db: Database) => Transactor;
};
const PRODUCT = {
  product: { protocolType: "LWM2M" },
  passThrough: false,
  services: new Map([
    ["Valve", { serviceType: "ValveType", commands: new Map([["SET", { check: () => undefined }]]) }],
  ]),
} as unknown as CompiledProduct;

let messageIds = 0;
/** The command service with a meter (1) and a valve (2) that sleep. Started again on `db`, it is the next run. */
export function sleepyPlatform({ clock, settings, ...options }: Options) {
  const db = options.db ?? openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  const device = (no: number, id: string): Device =>
    ({
      ...{ no, id, appNo: 1, appId: APP, productNo: 1, gatewayId: id, mutedCommands: {} },
      ...{ status: "ONLINE", activated: true, createdAt: clock.now() },
    }) as unknown as Device;
  const devices = [device(METER, "meter"), device(VALVE, "valve")];
  const scripted = scriptedLink(clock, options.nextMessageId ?? (() => ++messageIds));
  const transactor = (options.transactor ?? groupCommit)(db);
  const events = eventBus<CommandEvents>();
  const deviceEvents = eventBus<DeviceEvents>();
  const contactEvents = eventBus<ContactEvents>();
  const traced: TraceEntry[] = [];
  const seen = new Map<number, number>();
  const told: string[] = [];
  events.on("commandSent", ({ command: { id, status } }) => told.push(`${id} ${status}`));
  events.on("commandDelivered", ({ command: { id, status } }) => told.push(`${id} ${status}`));
  events.on("commandAnswered", ({ command: { id, status } }) => told.push(`${id} ${status}`));
  events.on("commandFailed", ({ command: { id, status }, reason }) => told.push(`${id} ${status} ${reason}`));
  const metrics = createMetrics();
  let made = 0;
  const commands = createCommandService({
    ...{ db, transactor, deviceEvents, contactEvents, events, clock, metrics },
    devices: { find: (appId, id) => devices.find((it) => it.appId === appId && it.id === id) },
    products: { compiled: () => PRODUCT },
    links: [],
    sleepingLinks: [scripted.link],
    lastSeen: { of: (no) => seen.get(no) },
    ids: { next: () => `${options.idPrefix ?? "c"}${++made}` },
    log: silentLog,
    trace: { record: (entry) => traced.push(entry) },
    settings: { ...SETTINGS, ...settings },
  });
  const settle = async () => {
    for (let turn = 0; turn < 8; turn++) await clock.advance(0);
  };
  return {
    ...{ db, commands, devices, events, deviceEvents, contactEvents, transactor, traced, seen, told, metrics, settle },
    ...scripted,
    setDevice(no: number, facts: Partial<Device>): void {
      const at = devices.findIndex((it) => it.no === no);
      devices[at] = { ...(devices[at] as Device), ...facts };
    },
    /** The device shows itself, and listens from now on. */
    async hear(deviceNo = METER, { hasMore = false } = {}): Promise<void> {
      scripted.listening.add(deviceNo);
      contactEvents.emit("deviceHeard", { deviceNo, hasMore });
      await settle();
    },
    async end(outcome: DownlinkOutcome | DownlinkOutcome["kind"] = "acknowledged"): Promise<void> {
      scripted.open().at(0)?.finish(outcome);
      await settle();
    },
    create: (facts: Partial<NewCommand> = {}) => commands.create(APP, { ...SET, ...facts }),
    answer: async (mid: number, errcode = 0) => {
      await commands.answered({ no: METER } as LiveDevice, mid, errcode, { ok: errcode === 0 });
      await settle();
    },
    status: (id: string) => commands.find(APP, id)?.status,
    statuses: () =>
      commands
        .query(APP, { pageNo: 0, pageSize: 100 })
        .items.reverse()
        .map(({ status }) => status as string),
  };
}
export type SleepyPlatform = ReturnType<typeof sleepyPlatform>;
