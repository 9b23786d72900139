import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter, Listenable } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { AppId } from "../applications/application";
import type { ContactEvents, Device, DeviceEvents, LiveDevice } from "../devices/device";
import type { DeviceLink, SleepingDeviceLink } from "../devices/device-link";
import type { TraceSink } from "../devices/trace-sink";
import type { ProductService } from "../products/product";
import type { LastSeen } from "../telemetry/last-seen";
import { cancelTasks } from "./cancel-tasks";
import type {
  Command,
  CommandEvents,
  CommandFilter,
  CommandParas,
  CommandService,
  CommandSettings,
  CommandTransactions,
} from "./command";
import { commandChanges } from "./command-changes";
import { commandQueue } from "./command-queue";
import { commandRepository } from "./command-repository";
import { describeCommand } from "./command-row";
import { checkCommand } from "./command-target";
import { connectedCommands } from "./connected-commands";
import { expiry } from "./expiry";
import { type CommandRequest, carrierOf, storeCommand } from "./new-command";
import { type PlatformRequests, platformRequests } from "./platform-requests";
import { queueRepository } from "./queue-repository";
import { isSleeping, sleepingCommands } from "./sleeping-commands";

const TO_TYPE = "GATEWAY"; // the only kind of receiver that 1.9.7 lists

export type CommandParts = {
  readonly db: Database;
  readonly transactor: Transactor;
  /** Within the application; undefined for the device of another. */
  readonly devices: { find(appId: AppId, id: string): Device | undefined };
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly contactEvents: Listenable<ContactEvents>;
  readonly products: Pick<ProductService, "compiled">;
  /** Asked at each command, so links may join later. */
  readonly links: readonly DeviceLink[];
  /** To devices that sleep; asked each time too. */
  readonly sleepingLinks: readonly SleepingDeviceLink[];
  readonly lastSeen: Pick<LastSeen, "of">;
  readonly events: Emitter<CommandEvents>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: CommandSettings;
};

/** `sweep` closes what was not answered in time and deletes what is too old; see `startCommandUpkeep`. */
export function createCommandService(parts: CommandParts): CommandService & {
  sweep(): Promise<void>;
  readonly requests: PlatformRequests;
  readonly inTransaction: CommandTransactions;
} {
  const { db, transactor, devices, products, links, sleepingLinks, clock, ids, log, metrics, trace, settings } = parts;
  const repository = commandRepository(db);
  const queued = queueRepository(db);
  let pending = 0; // of all devices
  const sleepingLink = (deviceNo: number) =>
    sleepingLinks.find((it) => it.isRegistered(deviceNo)) ?? sleepingLinks.at(0);

  const own = platformRequests({ links, isMidOpen: repository.isMidOpen, clock, ids, log, trace });
  const store = storeCommand({ repository, isMidTaken: own.isOpen, ids, metrics, settings });
  const apply = commandChanges({
    ...{ repository, transactor, events: parts.events, metrics, settings },
    committed(before, after) {
      if (before.status === "PENDING" && after.status !== "PENDING") pending -= 1;
      queue.changed(before, after);
    },
  });
  const shared = { transactor, store, apply, clock, log, trace, settings };
  const connected = connectedCommands({ ...shared, repository, links, isInUpgrade: (no) => queue.isHeld(no) });
  const queue = commandQueue({ ...shared, commands: repository, repository: queued, link: sleepingLink });
  const expiring = expiry({ ...shared, repository: queued });
  const tasks = cancelTasks({ ...shared, db, queue: queued, devices, ids });
  const forSleeping = sleepingCommands({
    ...{ ...shared, repository: queued, link: sleepingLink, lastSeen: (no) => parts.lastSeen.of(no) },
    added(command) {
      if (command.status === "PENDING") {
        pending += 1;
        expiring.plan(command.createdAt + (command.expireTimeS ?? 0) * 1_000);
      }
      queue.added(command);
    },
  });

  parts.contactEvents.on("deviceHeard", queue.heard);
  // Deleted with its device, in the same transaction.
  parts.deviceEvents.on("deviceDeleted", ({ device: { no } }) => {
    const { numbers, pendingCount } = queued.ofDevice(no);
    tasks.deleteOfDevice(no);
    repository.deleteOfDevice(no);
    transactor.afterCommit(() => {
      pending -= pendingCount;
      queue.removed(no, numbers);
    });
  });
  metrics.gauge("islet_commands_pending", "Commands that wait for devices that sleep", () => pending);

  /** What the models say of the device and the command. */
  function check(device: Device, request: CommandRequest) {
    const product = device.productNo === undefined ? undefined : products.compiled(device.productNo);
    const { serviceType } = checkCommand(product, device, { ...request, paras: request.paras ?? {} });
    return { product, serviceType };
  }

  function target(appId: AppId, request: CommandRequest) {
    const device = devices.find(appId, request.deviceId);
    if (!device) throw new DomainError("DEVICE_NOT_FOUND", { deviceId: request.deviceId });
    return { device, ...check(device, request) };
  }

  const inTransaction: CommandTransactions = {
    cache(device, command) {
      const { callbackUrl, callbackAppNo, expireTimeS, maxRetransmit } = command;
      const about = { callbackUrl, callbackAppNo, expireTimeS, maxRetransmit, origin: "command" } as const;
      const request: CommandRequest = { ...command, ...about, deviceId: device.id };
      const { product, serviceType } = check(device, request);
      if (!isSleeping(device, product))
        throw new DomainError("COMMAND_NOT_CACHEABLE", {
          deviceId: device.id,
          reason: "commands are cached for devices of CoAP and LWM2M products only",
        });
      return forSleeping.createInside(device, serviceType, request);
    },
    withdraw(commandNo) {
      const stored = repository.get(commandNo);
      const now = clock.now();
      return stored && apply(stored, { type: stored.until <= now ? "expired" : "cancelled" }, now);
    },
  };

  function refuseAnswer(device: LiveDevice, mid: number, reason: string): void {
    trace.record({ deviceNo: device.no, kind: "response", outcome: "failed", reason, detail: `mid ${mid}` });
  }

  return {
    inTransaction,

    async send(appId, signal) {
      if (signal.toType !== undefined && signal.toType !== TO_TYPE)
        throw new DomainError("RECEIVER_TYPE_UNKNOWN", { toType: signal.toType });
      const request: CommandRequest = { ...signal, ...NO_CALLBACK, origin: "signal" };
      const { device, serviceType } = target(appId, request);
      return connected.issue(device, serviceType, request);
    },

    async create(appId, { callbackUrl, callbackAppNo, expireTimeS, maxRetransmit, ...command }) {
      const asked = { callbackUrl, callbackAppNo, expireTimeS, maxRetransmit };
      const request: CommandRequest = { ...command, ...asked, origin: "command" };
      const { device, product, serviceType } = target(appId, request);
      return isSleeping(device, product)
        ? forSleeping.create(device, serviceType, request)
        : connected.issue(device, serviceType, request);
    },

    async cancel(appId, id) {
      const cancelled = await transactor.write(() => {
        const stored = repository.findById(appId, id);
        if (!stored) throw new DomainError("COMMAND_NOT_FOUND", { commandId: id });
        const now = clock.now();
        if (stored.delivery.state !== "PENDING") return undefined;
        const after = apply(stored, { type: stored.until <= now ? "expired" : "cancelled" }, now);
        return after.status === "CANCELED" ? after : undefined;
      });
      if (!cancelled) throw new DomainError("COMMAND_NOT_CANCELLABLE", { commandId: id });
      return cancelled;
    },
    createCancelTask: tasks.create,
    queryCancelTasks: tasks.query,

    query(appId, filter: CommandFilter) {
      const { deviceId, createdAfter, createdBefore } = filter;
      if (createdAfter !== undefined && createdBefore !== undefined && createdBefore <= createdAfter)
        throw new DomainError("INPUT_INVALID", { field: "endTime", reason: "not later than startTime" });
      const device = deviceId === undefined ? undefined : devices.find(appId, deviceId);
      if (deviceId !== undefined && !device) throw new DomainError("DEVICE_NOT_FOUND", { deviceId });
      return repository.page(appId, device?.no, filter);
    },

    find: (appId, id): Command | undefined => repository.findById(appId, id)?.command,

    async answered(device, mid, errcode, body: CommandParas | undefined) {
      const carrierNo = carrierOf(device);
      if (device.no === carrierNo && own.answered(carrierNo, mid, errcode, body)) return;
      await transactor.write(() => {
        const stored = repository.findOpen(carrierNo, mid);
        if (!stored) return refuseAnswer(device, mid, "unknown_mid");
        const { command } = stored;
        // What waits in a queue is not known to the device.
        if (command.dispatch !== "connected" && command.issuedTimes === 0)
          return refuseAnswer(device, mid, "unknown_mid");
        // A sub-device speaks for itself only; its gateway for all that is behind it.
        if (device.no !== carrierNo && device.no !== command.deviceNo)
          return refuseAnswer(device, mid, "not_its_command");
        apply(stored, { type: "answered", errcode, body }, clock.now());
        trace.record({
          deviceNo: command.deviceNo,
          kind: "response",
          outcome: "succeeded",
          reason: errcode === 0 ? "executed" : "refused_by_device",
          detail: describeCommand(command),
        });
      });
    },

    countOpen: (device) => repository.countOpenTo(carrierOf(device), device.no),

    delivered: connected.delivered,
    connectionLost(deviceNo) {
      own.connectionLost(deviceNo);
      return connected.connectionLost(deviceNo);
    },
    /** What other parts of the platform ask of devices. */
    requests: own.requests,

    async recover() {
      await connected.recover();
      pending = queued.countPending();
      await expiring.expireDue();
      expiring.planNext();
      queue.load();
      await tasks.runOpen();
    },
    resume: queue.resume,
    hold: queue.hold,
    async stop() {
      expiring.stop();
      await queue.stop();
    },

    async sweep() {
      await expiring.expireDue();
      await tasks.runOpen();
      for (let closed = settings.sweepBatch; closed === settings.sweepBatch; ) {
        closed = await transactor.write(() => {
          const overdue = repository.overdue(clock.now(), settings.sweepBatch);
          for (const stored of overdue) apply(stored, { type: "windowClosed" }, clock.now());
          return overdue.length;
        });
      }
      const createdBefore = () => clock.now() - settings.keepMs;
      for (let deleted = settings.sweepBatch; deleted === settings.sweepBatch; ) {
        deleted = await transactor.write(() =>
          Math.max(
            repository.deleteEnded(createdBefore(), settings.sweepBatch),
            tasks.deleteEnded(createdBefore(), settings.sweepBatch),
          ),
        );
      }
    },
  };
}

const NO_CALLBACK = {
  callbackUrl: undefined,
  callbackAppNo: undefined,
  expireTimeS: undefined,
  maxRetransmit: undefined,
};
