import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter, Listenable } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { AppId } from "../applications/application";
import type { Device, DeviceEvents, LiveDevice } from "../devices/device";
import type { DeviceLink } from "../devices/device-link";
import type { TraceSink } from "../devices/trace-sink";
import type { ProductService } from "../products/product";
import type {
  Command,
  CommandEvents,
  CommandFilter,
  CommandId,
  CommandParas,
  CommandService,
  CommandSettings,
  NewSignal,
} from "./command";
import { type CommandChange, commandChanges } from "./command-changes";
import { commandRepository, type StoredCommand } from "./command-repository";
import { checkCommand, nextMid } from "./command-target";
import { ISSUING } from "./delivery";

const TO_TYPE = "GATEWAY"; // the only kind of receiver that 1.9.7 lists

export type CommandParts = {
  readonly db: Database;
  readonly transactor: Transactor;
  /** Within the application; undefined for the device of another. */
  readonly devices: { find(appId: AppId, id: string): Device | undefined };
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly products: Pick<ProductService, "compiled">;
  /** Asked at each command, so links may join later. */
  readonly links: readonly DeviceLink[];
  readonly events: Emitter<CommandEvents>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: CommandSettings;
};
type Request = NewSignal & Pick<Command, "origin" | "callbackUrl" | "expireTimeS" | "maxRetransmit">;

/** `sweep` closes what was not answered in time and deletes what is too old; see `startCommandUpkeep`. */
export function createCommandService(parts: CommandParts): CommandService & { sweep(): Promise<void> } {
  const { transactor, devices, products, links, clock, ids, log, trace, settings } = parts;
  const repository = commandRepository(parts.db);
  const apply = commandChanges(repository, parts.events, parts.metrics);
  // Deleted with its device, in the same transaction.
  parts.deviceEvents.on("deviceDeleted", ({ device }) => repository.deleteOfDevice(device.no));

  async function issue(appId: AppId, request: Request): Promise<Command> {
    const device = devices.find(appId, request.deviceId);
    if (!device) throw new DomainError("DEVICE_NOT_FOUND", { deviceId: request.deviceId });
    const carrierNo = carrierOf(device);
    const paras = request.paras ?? {};
    const { serviceType } = checkCommand(
      device.productNo === undefined ? undefined : products.compiled(device.productNo),
      device,
      { ...request, paras },
    );
    const link = links.find((it) => it.isConnected(carrierNo));
    if (!link) throw offline(device);
    const stored = await transactor.write(() => {
      if (repository.countOpenOf(carrierNo) >= settings.maxOpenPerDevice) throw congested(carrierNo);
      const mid = nextMid(repository.lastMid(carrierNo), (it) => repository.isMidOpen(carrierNo, it));
      if (mid === undefined) throw congested(carrierNo);
      const createdAt = clock.now();
      const added = repository.add(
        {
          id: (request.requestId || ids.next()) as CommandId,
          appNo: device.appNo,
          appId: device.appId,
          deviceNo: device.no,
          deviceId: device.id,
          carrierNo,
          mid,
          origin: request.origin,
          serviceId: request.serviceId,
          serviceType,
          method: request.method,
          paras,
          mode: request.mode ?? "ACK",
          from: request.from || undefined, // notifications need somebody to go to
          toType: request.toType,
          to: request.to,
          callbackUrl: request.callbackUrl,
          expireTimeS: request.expireTimeS,
          maxRetransmit: request.maxRetransmit,
          result: undefined,
          createdAt,
          sentAt: undefined,
          deliveredAt: undefined,
          executedAt: undefined,
          answerUntil: createdAt + settings.answerTimeoutMs,
        },
        ISSUING,
      );
      if (!added) throw new DomainError("INPUT_INVALID", { field: "requestId", reason: "it was used before" });
      return added;
    });
    return handOver(link, stored);
  }

  async function handOver(link: DeviceLink, { command, mid, carrierNo }: StoredCommand): Promise<Command> {
    const { no, mode, serviceId, method, paras, deviceId } = command;
    const message = { mid, serviceId, method, paras, deviceId, ...(mode === "NOACK" && { atMostOnce: true }) };
    const outcome = await link
      .sendCommand(carrierNo, message, () => change(no, { type: "acknowledged" }).catch(reportFault(command)))
      .catch((error: unknown) => {
        reportFault(command)(error);
        return "unreachable" as const;
      });
    trace.record({
      deviceNo: command.deviceNo,
      kind: "command",
      outcome: outcome === "sent" ? "succeeded" : "failed",
      reason: outcome,
      detail: describe(command),
    });
    const changed = await change(
      no,
      outcome === "sent" ? { type: "handedOver", answerExpected: mode === "ACK" } : { type: "unreachable" },
    );
    if (!changed) throw new DomainError("DEVICE_NOT_FOUND", { deviceId }); // deleted while it was sent to
    return changed;
  }

  /** Undefined when the command is no longer there. */
  const change = (no: number, what: CommandChange): Promise<Command | undefined> =>
    transactor.write(() => {
      const stored = repository.get(no);
      return stored && apply(stored, what, clock.now());
    });

  const reportFault =
    ({ id, deviceId }: Command) =>
    (error: unknown): void =>
      log.error("command_failed", { requestId: id, deviceId, error });

  function offline(device: Device): DomainError {
    trace.record({ deviceNo: device.no, kind: "command", outcome: "failed", reason: "offline" });
    return device.gatewayNo === undefined
      ? new DomainError("DEVICE_OFFLINE", { deviceId: device.id })
      : new DomainError("GATEWAY_OFFLINE", { deviceId: device.id, gatewayId: device.gatewayId });
  }

  /** Facts are looked at now, so that nothing that is sent through the next connection is meant. */
  async function connectionLost(deviceNo: number): Promise<void> {
    for (const numbers of inBatches(openWithout(deviceNo))) {
      await transactor.write(() => lose(numbers, "connection_lost"));
    }
  }
  const openWithout = (deviceNo: number): number[] =>
    repository
      .openOf(deviceNo)
      .filter((stored) => !isHeld(stored))
      .map(({ command }) => command.no);

  function lose(numbers: readonly number[], reason: "connection_lost" | "platform_restarted"): void {
    for (const no of numbers) {
      const stored = repository.get(no);
      if (stored) apply(stored, { type: "connectionLost", held: false, reason }, clock.now());
    }
  }
  const isHeld = ({ carrierNo, mid }: StoredCommand): boolean =>
    links.some((link) => link.holdsCommand?.(carrierNo, mid) ?? false);

  function* inBatches(numbers: readonly number[]): Iterable<readonly number[]> {
    for (let from = 0; from < numbers.length; from += settings.sweepBatch)
      yield numbers.slice(from, from + settings.sweepBatch);
  }

  function refuseAnswer(device: LiveDevice, mid: number, reason: string): void {
    trace.record({ deviceNo: device.no, kind: "response", outcome: "failed", reason, detail: `mid ${mid}` });
  }

  return {
    async send(appId, signal) {
      if (signal.toType !== undefined && signal.toType !== TO_TYPE)
        throw new DomainError("RECEIVER_TYPE_UNKNOWN", { toType: signal.toType });
      return issue(appId, { ...signal, ...NO_CALLBACK, origin: "signal" });
    },

    async create(appId, { callbackUrl, expireTimeS, maxRetransmit, ...command }) {
      return issue(appId, { ...command, callbackUrl, expireTimeS, maxRetransmit, origin: "command" });
    },

    query(appId, filter: CommandFilter) {
      const { deviceId, createdAfter, createdBefore } = filter;
      if (createdAfter !== undefined && createdBefore !== undefined && createdBefore <= createdAfter)
        throw new DomainError("INPUT_INVALID", { field: "endTime", reason: "not later than startTime" });
      const device = deviceId === undefined ? undefined : devices.find(appId, deviceId);
      if (deviceId !== undefined && !device) throw new DomainError("DEVICE_NOT_FOUND", { deviceId });
      return repository.page(appId, device?.no, filter);
    },

    find: (appId, id) => repository.findById(appId, id),

    async answered(device, mid, errcode, body: CommandParas | undefined) {
      const carrierNo = carrierOf(device);
      await transactor.write(() => {
        const stored = repository.findOpen(carrierNo, mid);
        if (!stored) return refuseAnswer(device, mid, "unknown_mid");
        // A sub-device speaks for itself only; its gateway for all that is behind it.
        if (device.no !== carrierNo && device.no !== stored.command.deviceNo)
          return refuseAnswer(device, mid, "not_its_command");
        apply(stored, { type: "answered", errcode, body }, clock.now());
        trace.record({
          deviceNo: stored.command.deviceNo,
          kind: "response",
          outcome: "succeeded",
          reason: errcode === 0 ? "executed" : "refused_by_device",
          detail: describe(stored.command),
        });
      });
    },

    async delivered(deviceNo, mid) {
      if (!repository.findOpen(deviceNo, mid)) return;
      await transactor.write(() => {
        const stored = repository.findOpen(deviceNo, mid);
        if (stored) apply(stored, { type: "acknowledged" }, clock.now());
      });
    },

    connectionLost,

    async recover() {
      let last = 0;
      for (;;) {
        const open = repository.openAfter(last, settings.sweepBatch);
        if (open.length === 0) return;
        last = open.at(-1)?.command.no ?? last;
        const lost = open.filter((stored) => !isHeld(stored)).map(({ command }) => command.no);
        await transactor.write(() => lose(lost, "platform_restarted"));
      }
    },

    async sweep() {
      for (let closed = settings.sweepBatch; closed === settings.sweepBatch; ) {
        closed = await transactor.write(() => {
          const overdue = repository.overdue(clock.now(), settings.sweepBatch);
          for (const stored of overdue) apply(stored, { type: "windowClosed" }, clock.now());
          return overdue.length;
        });
      }
      const createdBefore = () => clock.now() - settings.keepMs;
      for (let deleted = settings.sweepBatch; deleted === settings.sweepBatch; )
        deleted = await transactor.write(() => repository.deleteEnded(createdBefore(), settings.sweepBatch));
    },
  };
}

const NO_CALLBACK = { callbackUrl: undefined, expireTimeS: undefined, maxRetransmit: undefined };

/** Whose connection a command goes through. */
const carrierOf = ({ no, gatewayNo }: Pick<Device, "no" | "gatewayNo">): number => gatewayNo ?? no;
const congested = (carrierNo: number) => new DomainError("CONGESTED", { deviceNo: carrierNo, reason: "open commands" });
const describe = ({ id, serviceId, method }: Command) => `${id} ${serviceId}.${method}`.slice(0, 200);
