import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Device } from "../devices/device";
import type { SleepingDeviceLink } from "../devices/device-link";
import type { TraceSink } from "../devices/trace-sink";
import type { CompiledProduct } from "../products/product";
import type { Command, CommandSettings } from "./command";
import type { ApplyChange } from "./command-changes";
import { ISSUING, PENDING } from "./delivery";
import type { CommandRequest, StoreCommand } from "./new-command";
import type { QueueRepository } from "./queue-repository";

type Parts = {
  readonly repository: QueueRepository;
  readonly transactor: Transactor;
  readonly link: (deviceNo: number) => SleepingDeviceLink | undefined;
  /** When the device last reported, ms; undefined: never, or not known. */
  readonly lastSeen: (deviceNo: number) => number | undefined;
  readonly store: StoreCommand;
  readonly apply: ApplyChange;
  readonly added: (command: Command) => void;
  readonly clock: Clock;
  readonly trace: TraceSink;
  readonly settings: CommandSettings;
};

/** Is it reached without a connection of its own? What is behind a gateway goes through that. */
export const isSleeping = ({ gatewayNo }: Pick<Device, "gatewayNo">, product: CompiledProduct | undefined): boolean =>
  gatewayNo === undefined && SLEEPING_PROTOCOLS.has(product?.product.protocolType);
const SLEEPING_PROTOCOLS: ReadonlySet<string | undefined> = new Set(["CoAP", "LWM2M"]);

/** Creates commands for devices that sleep (platform.md 7.1, 7.3); the queue takes them from there. */
export function sleepingCommands({ repository, transactor, link, lastSeen, store, apply, ...parts }: Parts) {
  const { clock, trace, settings } = parts;

  /** A device that was never there may be sent what it will find when it comes. */
  function isZombie({ no, activated, createdAt }: Device, now: number): boolean {
    if (!activated || link(no)?.isListening(no)) return false;
    return now - (lastSeen(no) ?? createdAt) > settings.zombieAfterMs;
  }

  const isKnownAsOffline = ({ no, status }: Device): boolean => status !== "ONLINE" || !link(no)?.isRegistered(no);

  function refuseZombie(device: Device): void {
    if (isZombie(device, clock.now())) throw new DomainError("DEVICE_ZOMBIE", { deviceId: device.id });
  }

  /** Only inside a transaction. What it refuses leaves nothing behind. */
  function take(device: Device, serviceType: string, request: CommandRequest): Command {
    const expireTimeS = request.expireTimeS ?? settings.defaultExpireS;
    const createdAt = clock.now();
    const isCached = expireTimeS > 0;
    if (isCached && repository.countPendingOf(device.no, createdAt) >= settings.pendingPerDevice)
      throw new DomainError("COMMAND_LIMIT_REACHED", { deviceId: device.id, limit: settings.pendingPerDevice });
    const stored = store(
      device,
      { ...request, expireTimeS },
      {
        ...{ serviceType, createdAt },
        ...(isCached
          ? { dispatch: "cached", delivery: PENDING, until: createdAt + expireTimeS * 1_000 }
          : { dispatch: "immediate", delivery: ISSUING, until: createdAt + settings.ackTimeoutMs }),
      },
    );
    let { command } = stored;
    if (!isCached && isKnownAsOffline(device)) {
      command = apply(stored, { type: "unreachable", reason: "device_offline" }, createdAt);
      trace.record({ deviceNo: device.no, kind: "command", outcome: "failed", reason: "offline" });
    }
    transactor.afterCommit(() => parts.added(command));
    return command;
  }

  return {
    async create(device: Device, serviceType: string, request: CommandRequest): Promise<Command> {
      refuseZombie(device);
      return transactor.write(() => take(device, serviceType, request));
    },
    /** Only inside a transaction. */
    createInside(device: Device, serviceType: string, request: CommandRequest): Command {
      refuseZombie(device);
      return take(device, serviceType, request);
    },
  };
}
