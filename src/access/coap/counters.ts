import type { CounterChild, Metrics } from "../../platform/metrics";
import type { CoapFault, MessageType } from "../../wire/coap";
import type { RequestOutcome } from "./coap-endpoint";

/** What a received message turned out to be. Closed, so that labels are few. */
export type Received =
  | "request"
  | "response"
  | "notification"
  | "unknown_response" // RST
  | "late_response" // of a request that had ended
  | "duplicate"
  | "ping"
  | "ack"
  | "reset"
  | "unmatched" // an ACK or RST of nothing that is open
  | "option_refused"
  | "over_limit";
export type Sent = "request" | "response" | "ack" | "reset" | "repeated";

export type OpenCounts = {
  readonly peers: number;
  readonly exchanges: number;
  readonly waiting: number;
  readonly answering: number;
  readonly transfers: number;
  readonly transferBytes: number;
  readonly evictedKnown: number;
  readonly evictedStrangers: number;
  readonly reusedMessageIds: number;
};

export function coapCounters(metrics: Metrics, open: () => OpenCounts) {
  const messages = metrics.counter("islet_coap_messages_total", "CoAP messages by direction, type and what they were");
  const retransmissions = metrics.counter(
    "islet_coap_retransmissions_total",
    "Messages to devices that were sent again",
  );
  const malformed = metrics.counter("islet_coap_malformed_total", "Datagrams that are no CoAP, by reason");
  const exchanges = metrics.counter("islet_coap_exchanges_total", "Requests to devices that ended, by outcome");
  const separate = metrics.counter(
    "islet_coap_separate_responses_total",
    "Responses sent after an empty ACK, by outcome",
  );
  metrics.gauge("islet_coap_open", "What is open towards devices now", () => {
    const { peers, exchanges: requests, waiting, answering, transfers } = open();
    return Object.entries({ peers, exchanges: requests, waiting, answering, transfers }).map(([what, value]) => ({
      labels: { what },
      value,
    }));
  });
  metrics.gauge("islet_coap_transfer_bytes", "Bytes of block transfers under way", () => open().transferBytes);
  metrics.gauge(
    "islet_coap_duplicates_forgotten_early",
    "Messages forgotten before their time because of a flood",
    () => [
      { labels: { memory: "known" }, value: open().evictedKnown },
      { labels: { memory: "strangers" }, value: open().evictedStrangers },
    ],
  );
  metrics.gauge("islet_coap_message_ids_reused", "Message ids used twice too early", () => open().reusedMessageIds);

  // A child is made when it is first needed: most pairs of type and outcome never occur.
  const received = perType<Received>((type, outcome) => messages.with({ direction: "in", type, outcome }));
  const sent = perType<Sent>((type, outcome) => messages.with({ direction: "out", type, outcome }));
  const retransmittedChild = retransmissions.with({});

  return {
    received: (type: MessageType, outcome: Received) => received(type, outcome).add(),
    sent: (type: MessageType, what: Sent) => sent(type, what).add(),
    retransmitted: () => retransmittedChild.add(),
    malformed: (reason: CoapFault) => malformed.with({ reason }).add(),
    ended: (outcome: RequestOutcome["kind"]) => exchanges.with({ outcome }).add(),
    separate: (outcome: "acknowledged" | "reset" | "noAcknowledgement" | "cancelled") =>
      separate.with({ outcome }).add(),
  };
}
export type CoapCounters = ReturnType<typeof coapCounters>;

function perType<K extends string>(make: (type: MessageType, name: K) => CounterChild) {
  const made: Record<MessageType, Partial<Record<K, CounterChild>>> = { con: {}, non: {}, ack: {}, rst: {} };
  return (type: MessageType, name: K): CounterChild => {
    const child = made[type][name];
    if (child) return child;
    const fresh = make(type, name);
    made[type][name] = fresh;
    return fresh;
  };
}
