import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Metrics } from "../../platform/metrics";
import type { Device } from "../devices/device";
import type { Command, CommandId, CommandSettings, NewSignal } from "./command";
import type { CommandRepository } from "./command-repository";
import type { StoredCommand } from "./command-row";
import { nextMid } from "./command-target";
import type { Delivery } from "./delivery";

/** What the application asked for, of 1.9.7 and 1.9.1 alike. */
export type CommandRequest = NewSignal &
  Pick<Command, "origin" | "callbackUrl" | "callbackAppNo" | "expireTimeS" | "maxRetransmit">;
/** How the platform takes it. `until`: see `StoredCommand`. */
export type Taken = {
  readonly serviceType: string;
  readonly dispatch: Command["dispatch"];
  readonly delivery: Delivery;
  readonly createdAt: number;
  readonly until: number;
};
export type StoreCommand = (device: Device, request: CommandRequest, taken: Taken) => StoredCommand;

type Parts = {
  readonly repository: CommandRepository;
  /** By a request of the platform's own. */
  readonly isMidTaken: (deviceNo: number, mid: number) => boolean;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly settings: Pick<CommandSettings, "maxOpenPerDevice">;
};

/** Only inside a transaction. Throws CONGESTED, INPUT_INVALID (requestId repeated). */
export function storeCommand({ repository, isMidTaken, ids, metrics, settings }: Parts): StoreCommand {
  const counter = metrics.counter(
    "islet_commands_created_total",
    "Commands that were stored, by the way to the device",
  );
  return (device, request, { serviceType, dispatch, delivery, createdAt, until }) => {
    const carrierNo = carrierOf(device);
    if (repository.countOpenOf(carrierNo) >= settings.maxOpenPerDevice) throw congested(carrierNo);
    const mid = nextMid(
      repository.lastMid(carrierNo),
      (it) => isMidTaken(carrierNo, it) || repository.isMidOpen(carrierNo, it),
    );
    if (mid === undefined) throw congested(carrierNo);
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
        dispatch,
        serviceId: request.serviceId,
        serviceType,
        method: request.method,
        paras: request.paras ?? {},
        mode: request.mode ?? "ACK",
        from: request.from || undefined, // notifications need somebody to go to
        toType: request.toType,
        to: request.to,
        callbackUrl: request.callbackUrl,
        callbackAppNo: request.callbackAppNo,
        expireTimeS: request.expireTimeS,
        maxRetransmit: request.maxRetransmit,
        result: undefined,
        createdAt,
        sentAt: undefined,
        deliveredAt: undefined,
        executedAt: undefined,
        until,
      },
      delivery,
    );
    if (!added) throw new DomainError("INPUT_INVALID", { field: "requestId", reason: "it was used before" });
    counter.with({ dispatch }).add();
    return added;
  };
}

/** Whose connection a command goes through. */
export const carrierOf = ({ no, gatewayNo }: Pick<Device, "no" | "gatewayNo">): number => gatewayNo ?? no;
const congested = (carrierNo: number) => new DomainError("CONGESTED", { deviceNo: carrierNo, reason: "open commands" });
