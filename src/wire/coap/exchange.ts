/**
 * Life of one message that we send (RFC 7252 §4.2, §4.3, §5.2). Pure: the driver sends `send`, and feeds a `tick` when
 * `dueAtMs` is reached. Matching by message id and token is the driver's.
 */
import { type TransmissionParameters, transmissionTimes } from "./transmission";

export type ExchangeOutcome =
  /** An empty ACK for a message that wants no response. */
  | "acknowledged"
  /** A NON that wants no response: nobody will say anything. */
  | "sent"
  | "answered"
  | "reset"
  | "noAcknowledgement"
  | "noResponse"
  | "cancelled";
export type Exchange =
  | {
      readonly state: "unacknowledged";
      readonly wantsResponse: boolean;
      readonly retransmissions: number;
      readonly timeoutMs: number;
      readonly dueAtMs: number;
      /** Then it is over, however few retransmissions were made. */
      readonly giveUpAtMs?: number;
      /** When it was sent beside the schedule, because the peer was heard. */
      readonly repeatedAtMs?: number;
    }
  /** The peer has it, or it was a NON. */
  | { readonly state: "waiting"; readonly dueAtMs: number }
  | { readonly state: "done"; readonly outcome: ExchangeOutcome };
export type ExchangeEvent =
  | { readonly type: "tick"; readonly nowMs: number }
  /** Something else came from the peer: it listens now, and may have slept before. */
  | { readonly type: "heard"; readonly nowMs: number }
  /** An empty ACK. */
  | { readonly type: "acknowledged"; readonly nowMs: number }
  /** The response, and what it came in. */
  | { readonly type: "response"; readonly carrier: "ack" | "con" | "non" }
  | { readonly type: "reset" | "cancelled" };
export type ExchangeEffect =
  /** The same bytes with the same message id, the first time and every time. */
  | { readonly type: "send" }
  /** An empty ACK for the message the separate response came in. */
  | { readonly type: "acknowledge" }
  | { readonly type: "finished"; readonly outcome: ExchangeOutcome };
export type ExchangeStep = { readonly next: Exchange; readonly effects: readonly ExchangeEffect[] };
export type ExchangeSettings = {
  readonly transmission: TransmissionParameters;
  /** How long a request that was acknowledged waits for its separate response. */
  readonly responseTimeoutMs: number;
};

export type ExchangeStart = {
  readonly type: "con" | "non";
  readonly wantsResponse: boolean;
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
  readonly giveUpAtMs?: number | undefined;
};

export function startExchange(
  start: ExchangeStart,
  { transmission, responseTimeoutMs }: ExchangeSettings,
): ExchangeStep {
  const { type, wantsResponse, nowMs, random, giveUpAtMs } = start;
  if (type === "non") {
    if (!wantsResponse) return to({ state: "done", outcome: "sent" }, SEND);
    return to({ state: "waiting", dueAtMs: nowMs + responseTimeoutMs }, SEND);
  }
  const { ackTimeoutMs, ackRandomFactor } = transmission;
  const timeoutMs = ackTimeoutMs * (1 + random * (ackRandomFactor - 1));
  const dueAtMs = Math.min(nowMs + timeoutMs, giveUpAtMs ?? Infinity);
  const limit = giveUpAtMs === undefined ? {} : { giveUpAtMs };
  return to({ state: "unacknowledged", wantsResponse, retransmissions: 0, timeoutMs, dueAtMs, ...limit }, SEND);
}

export function stepExchange(from: Exchange, event: ExchangeEvent, settings: ExchangeSettings): ExchangeStep {
  // The peer repeats a confirmable response until it hears an ACK, also when nobody here waits any longer.
  const acknowledge: ExchangeEffect[] = event.type === "response" && event.carrier === "con" ? [ACKNOWLEDGE] : [];
  if (from.state === "done") return to(from, ...(from.outcome === "answered" ? acknowledge : []));
  switch (event.type) {
    case "tick":
      return event.nowMs < from.dueAtMs ? to(from) : silence(from, event.nowMs, settings);
    case "heard":
      return from.state === "unacknowledged" ? sendOnceMore(from, event.nowMs, settings) : to(from);
    case "acknowledged":
      if (from.state !== "unacknowledged") return to(from);
      if (!from.wantsResponse) return finish("acknowledged");
      return to({ state: "waiting", dueAtMs: event.nowMs + settings.responseTimeoutMs });
    case "response": // says that the request has arrived, even if its ACK is lost (§5.2.2)
      return finish("answered", ...acknowledge);
    case "reset":
    case "cancelled":
      return finish(event.type);
    default:
      return event satisfies never;
  }
}

function silence(from: Exclude<Exchange, { state: "done" }>, nowMs: number, settings: ExchangeSettings): ExchangeStep {
  if (from.state === "waiting") return finish("noResponse");
  const { giveUpAtMs = Infinity } = from;
  const isLast = from.retransmissions >= settings.transmission.maxRetransmit;
  if (isLast || nowMs >= giveUpAtMs) return finish("noAcknowledgement");
  const timeoutMs = from.timeoutMs * 2;
  const retransmissions = from.retransmissions + 1;
  return to({ ...from, retransmissions, timeoutMs, dueAtMs: Math.min(nowMs + timeoutMs, giveUpAtMs) }, SEND);
}

/**
 * Once more, now: a device that sleeps hears it just after it has spoken. The schedule stays as it is; each of these
 * answers a datagram of the peer, so there are no more of them than the peer itself sends.
 */
function sendOnceMore(
  from: Extract<Exchange, { state: "unacknowledged" }>,
  nowMs: number,
  { transmission }: ExchangeSettings,
): ExchangeStep {
  const { timeoutMs, dueAtMs, giveUpAtMs = Infinity, repeatedAtMs = -Infinity } = from;
  const sentAtMs = Math.max(dueAtMs - timeoutMs, repeatedAtMs);
  const isFresh = nowMs < sentAtMs + LEAST_GAP_MS; // its ACK may be under way
  if (transmission.maxRetransmit === 0 || isFresh || nowMs >= giveUpAtMs) return to(from);
  return to({ ...from, repeatedAtMs: nowMs }, SEND);
}
const LEAST_GAP_MS = 1_000;

const SEND: ExchangeEffect = { type: "send" };
const ACKNOWLEDGE: ExchangeEffect = { type: "acknowledge" };
const to = (next: Exchange, ...effects: ExchangeEffect[]): ExchangeStep => ({ next, effects });
const finish = (outcome: ExchangeOutcome, ...before: ExchangeEffect[]): ExchangeStep =>
  to({ state: "done", outcome }, ...before, { type: "finished", outcome });

/** EXCHANGE_LIFETIME is the longest a response can take by the rules. */
export const exchangeSettings = (transmission: TransmissionParameters): ExchangeSettings => ({
  transmission,
  responseTimeoutMs: transmissionTimes(transmission).exchangeLifetimeMs,
});
