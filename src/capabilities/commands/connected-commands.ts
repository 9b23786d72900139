import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Device } from "../devices/device";
import type { DeviceLink } from "../devices/device-link";
import type { TraceSink } from "../devices/trace-sink";
import type { Command, CommandSettings } from "./command";
import type { ApplyChange, CommandChange } from "./command-changes";
import type { CommandRepository } from "./command-repository";
import { describeCommand, type StoredCommand } from "./command-row";
import { ISSUING } from "./delivery";
import { type CommandRequest, carrierOf, type StoreCommand } from "./new-command";

type Parts = {
  readonly repository: CommandRepository;
  readonly transactor: Transactor;
  readonly links: readonly DeviceLink[];
  readonly store: StoreCommand;
  readonly apply: ApplyChange;
  /** Is it in the middle of an upgrade? */
  readonly isInUpgrade: (deviceNo: number) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly trace: TraceSink;
  readonly settings: CommandSettings;
};

/** Commands to devices with a connection, or behind a gateway that has one (platform.md 7.4). */
export function connectedCommands({ repository, transactor, links, store, apply, isInUpgrade, ...parts }: Parts) {
  const { clock, log, trace, settings } = parts;

  async function issue(device: Device, serviceType: string, request: CommandRequest): Promise<Command> {
    const carrierNo = carrierOf(device);
    const link = links.find((it) => it.isConnected(carrierNo));
    if (!link) throw offline(device);
    const stored = await transactor.write(() => {
      const createdAt = clock.now();
      const until = createdAt + settings.answerTimeoutMs;
      return store(device, request, { serviceType, dispatch: "connected", delivery: ISSUING, createdAt, until });
    });
    return handOver(link, stored);
  }

  /** It is sent all the same; but it may make the upgrade fail, or be lost in a restart (ota.md 4.5). */
  function warnInUpgrade({ command, carrierNo }: StoredCommand): void {
    const { deviceNo } = command;
    if (!isInUpgrade(deviceNo) && !isInUpgrade(carrierNo)) return;
    const detail = `${describeCommand(command)}: sent during an upgrade, which may fail by it`;
    trace.record({ deviceNo, kind: "command", outcome: "succeeded", reason: "device_in_upgrade", detail });
  }

  async function handOver(link: DeviceLink, stored: StoredCommand): Promise<Command> {
    const { command, mid, carrierNo } = stored;
    const { no, mode, serviceId, method, paras, deviceId } = command;
    warnInUpgrade(stored);
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
      detail: describeCommand(command),
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

  function lose(numbers: readonly number[], reason: "connection_lost" | "platform_restarted"): void {
    for (const no of numbers) {
      const stored = repository.get(no);
      if (stored) apply(stored, { type: "connectionLost", held: false, reason }, clock.now());
    }
  }
  const isHeld = ({ carrierNo, mid }: StoredCommand): boolean =>
    links.some((link) => link.holdsCommand?.(carrierNo, mid) ?? false);
  const openWithout = (deviceNo: number): number[] =>
    repository
      .openOf(deviceNo)
      .filter((stored) => !isHeld(stored))
      .map(({ command }) => command.no);

  function* inBatches(numbers: readonly number[]): Iterable<readonly number[]> {
    for (let from = 0; from < numbers.length; from += settings.sweepBatch)
      yield numbers.slice(from, from + settings.sweepBatch);
  }

  return {
    issue,

    async delivered(deviceNo: number, mid: number): Promise<void> {
      const find = () => {
        const stored = repository.findOpen(deviceNo, mid);
        return stored?.command.dispatch === "connected" ? stored : undefined;
      };
      if (!find()) return;
      await transactor.write(() => {
        const stored = find();
        if (stored) apply(stored, { type: "acknowledged" }, clock.now());
      });
    },

    /** Facts are looked at now, so that nothing that is sent through the next connection is meant. */
    async connectionLost(deviceNo: number): Promise<void> {
      for (const numbers of inBatches(openWithout(deviceNo)))
        await transactor.write(() => lose(numbers, "connection_lost"));
    },

    async recover(): Promise<void> {
      let last = 0;
      for (;;) {
        const open = repository.openAfter(last, settings.sweepBatch);
        if (open.length === 0) return;
        last = open.at(-1)?.command.no ?? last;
        const lost = open.filter((stored) => !isHeld(stored)).map(({ command }) => command.no);
        await transactor.write(() => lose(lost, "platform_restarted"));
      }
    },
  };
}
