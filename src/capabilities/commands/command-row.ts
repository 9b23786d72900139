import type { Command, CommandDispatch } from "./command";
import { type Delivery, isOpen } from "./delivery";

/** A command with what only its delivery needs. */
export type StoredCommand = {
  readonly command: Command;
  readonly mid: number;
  readonly carrierNo: number;
  readonly delivery: Delivery;
  /** ms: how long the next thing is awaited: its device (PENDING), the acknowledgement (queued, SENT), the answer. */
  readonly until: number;
  /** What was sent, while it may have to be sent again. */
  readonly datagram: Uint8Array | undefined;
};
export type CommandToStore = Omit<Command, "no" | "status" | "issuedTimes"> & {
  readonly carrierNo: number;
  readonly mid: number;
  readonly until: number;
};

/** What changes in the life of a command, beside its state. */
export type DeliveryFacts = Pick<Command, "result" | "issuedTimes" | "sentAt" | "deliveredAt" | "executedAt">;

export type CommandRow = {
  no: number;
  id: string;
  app_no: number;
  app_id: string;
  device_no: number;
  device_id: string;
  carrier_no: number;
  mid: number;
  origin: string;
  service_id: string;
  service_type: string;
  method: string;
  paras: string;
  mode: string;
  sender: string | null;
  to_type: string | null;
  receiver: string | null;
  callback_url: string | null;
  expire_time_s: number | null;
  max_retransmit: number | null;
  status: string;
  open: number;
  result: string | null;
  issued_times: number;
  answer_until_ms: number;
  created_ms: number;
  sent_ms: number | null;
  delivered_ms: number | null;
  executed_ms: number | null;
  dispatch: string;
  queued: number;
  datagram: Uint8Array | null;
  callback_app_no: number | null;
};
export const toColumns = (input: CommandToStore) => ({
  id: input.id,
  app_no: input.appNo,
  app_id: input.appId,
  device_no: input.deviceNo,
  device_id: input.deviceId,
  carrier_no: input.carrierNo,
  mid: input.mid,
  origin: input.origin,
  service_id: input.serviceId,
  service_type: input.serviceType,
  method: input.method,
  paras: JSON.stringify(input.paras),
  mode: input.mode,
  sender: input.from ?? null,
  to_type: input.toType ?? null,
  receiver: input.to ?? null,
  callback_url: input.callbackUrl ?? null,
  callback_app_no: input.callbackAppNo ?? null,
  expire_time_s: input.expireTimeS ?? null,
  max_retransmit: input.maxRetransmit ?? null,
  created_ms: input.createdAt,
  dispatch: input.dispatch,
});

export function toState(dispatch: CommandDispatch, delivery: Delivery) {
  const open = isOpen(delivery);
  const queued = dispatch !== "connected" && open && delivery.state !== "DELIVERED";
  return { status: delivery.state, open: open ? 1 : 0, queued: queued ? 1 : 0 };
}

export const toFacts = ({ result, issuedTimes, sentAt, deliveredAt, executedAt }: DeliveryFacts) => ({
  issued_times: issuedTimes,
  result: result === undefined ? null : JSON.stringify(result),
  sent_ms: sentAt ?? null,
  delivered_ms: deliveredAt ?? null,
  executed_ms: executedAt ?? null,
});

export const fromRows = (rows: readonly CommandRow[]): StoredCommand[] =>
  rows.map((row) => fromRow(row)).filter((stored) => stored !== undefined);

export function fromRow(row: CommandRow | null): StoredCommand | undefined {
  if (!row) return undefined;
  const command = {
    no: row.no,
    id: row.id,
    appNo: row.app_no,
    appId: row.app_id,
    deviceNo: row.device_no,
    deviceId: row.device_id,
    origin: row.origin,
    dispatch: row.dispatch,
    serviceId: row.service_id,
    serviceType: row.service_type,
    method: row.method,
    paras: JSON.parse(row.paras),
    mode: row.mode,
    from: row.sender ?? undefined,
    toType: row.to_type ?? undefined,
    to: row.receiver ?? undefined,
    callbackUrl: row.callback_url ?? undefined,
    callbackAppNo: row.callback_app_no ?? undefined,
    expireTimeS: row.expire_time_s ?? undefined,
    maxRetransmit: row.max_retransmit ?? undefined,
    status: row.status,
    result: row.result === null ? undefined : JSON.parse(row.result),
    issuedTimes: row.issued_times,
    createdAt: row.created_ms,
    sentAt: row.sent_ms ?? undefined,
    deliveredAt: row.delivered_ms ?? undefined,
    executedAt: row.executed_ms ?? undefined,
  } as Command; // written by toColumns and toState only
  return {
    command,
    mid: row.mid,
    carrierNo: row.carrier_no,
    delivery: toDelivery(row),
    until: row.answer_until_ms,
    datagram: row.datagram ?? undefined,
  };
}

function toDelivery({ status, issued_times, open }: CommandRow): Delivery {
  const state = status as Command["status"];
  switch (state) {
    case "SENT":
      return { state, issued: issued_times, open: open === 1 };
    case "DELIVERED":
      return { state, open: open === 1 };
    default:
      return { state };
  }
}

/** For traces. */
export const describeCommand = ({ id, serviceId, method }: Pick<Command, "id" | "serviceId" | "method">): string =>
  `${id} ${serviceId}.${method}`.slice(0, 200);
