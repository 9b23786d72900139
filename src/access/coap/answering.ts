import { type CoapOption, encodeEmpty, encodeMessage, isSuppressed } from "../../wire/coap";
import type { Peer } from "../datagram/peer";
import type { OutgoingResponse } from "./coap-endpoint";
import type { Open, OpenPeer, Turn } from "./open-peers";
import type { EndpointParts } from "./parts";
import { type Sender, SentMessage } from "./sent-message";
import type { Asked } from "./server";

type SendAs = (
  peer: Peer,
  asked: Asked,
  code: number,
  options: CoapOption[],
  payload: Uint8Array,
  sent?: (() => void) | undefined,
) => void;
export type AnsweringPorts = {
  /** Sends the response in the ACK of its request (or in a NON), or by `sendAs`. */
  respond(peer: Peer, asked: Asked, response: OutgoingResponse, sendAs?: SendAs): void;
  over(): void;
};

type Waiting = {
  readonly code: number;
  readonly options: CoapOption[];
  readonly payload: Uint8Array;
  readonly sent: (() => void) | undefined;
};

/**
 * A request whose answer takes time (RFC 7252 §5.2.2). Quick enough, and it goes into the ACK; else the request gets an
 * empty ACK, which also its duplicates get, and the response goes out by itself, confirmable, when its turn comes.
 */
export class Answering implements Open, Turn, Sender {
  state: OpenPeer;
  readonly #parts: EndpointParts;
  readonly #asked: Asked;
  readonly #ports: AnsweringPorts;
  #cancelTimer: (() => void) | undefined;
  #stage: "working" | "acknowledged" | "sending" | "over" = "working";
  #hasTurn = false;
  #response: Waiting | undefined;
  #message: SentMessage | undefined;

  constructor(parts: EndpointParts, peer: Peer, asked: Asked, ports: AnsweringPorts) {
    this.#parts = parts;
    this.#asked = asked;
    this.#ports = ports;
    this.state = parts.peers.get(peer);
    this.state.answering++;
    parts.peers.add(this);
    if (asked.type === "con")
      this.#cancelTimer = parts.clock.after(parts.settings.separateAfterMs, () => this.#acknowledgeRequest());
  }

  settle(response: OutgoingResponse): void {
    if (this.#stage === "over") return;
    this.#cancelTimer?.();
    this.#parts.guarded("respond", () => {
      if (this.#stage === "acknowledged") {
        this.#ports.respond(this.state.peer, this.#asked, response, (_peer, _asked, code, options, payload, sent) =>
          this.#sendLater({ code, options, payload, sent }),
        );
      } else {
        const { peer } = this.state;
        this.#end();
        this.#ports.respond(peer, this.#asked, response);
      }
    });
  }

  start(): void {
    const response = this.#response;
    if (!response) return;
    this.#hasTurn = true;
    const { messageIds, clock, exchange } = this.#parts;
    const { token } = this.#asked;
    const messageId = messageIds.next(this.state.peer.key, token, clock.monotonic());
    const { code, options, payload, sent } = response;
    const bytes = encodeMessage({ type: "con", code, messageId, token, options, payload });
    this.#message = new SentMessage(this.#parts, this.state, this, {
      ...{ bytes, type: "con", messageId, token, wantsResponse: false, exchange },
    });
    this.#message.send();
    if (sent) this.#parts.guarded("sent", sent);
  }

  acknowledged(): void {} // a message that wants no response ends with its ACK
  answered(): void {}

  ended(outcome: Parameters<Sender["ended"]>[0]): void {
    if (outcome !== "sent" && outcome !== "noResponse") this.#parts.counters.separate(outcome);
    this.#end();
  }

  cancel(): void {
    if (this.#stage === "over") return;
    this.#end();
    this.#message?.cancel();
  }

  #acknowledgeRequest(): void {
    this.#stage = "acknowledged";
    const { messageId } = this.#asked;
    const { peer } = this.state;
    const ack = encodeEmpty("ack", messageId);
    this.#parts.seen.remember(peer, messageId, ack);
    this.#parts.counters.sent("ack", "ack");
    peer.send(ack);
  }

  #sendLater(response: Waiting): void {
    if (isSuppressed(this.#asked.noResponse, response.code)) {
      this.#end();
      if (response.sent) this.#parts.guarded("sent", response.sent);
      return;
    }
    this.#stage = "sending";
    this.#response = response;
    this.#parts.peers.enqueue(this);
  }

  #end(): void {
    if (this.#stage === "over") return;
    this.#stage = "over";
    this.#cancelTimer?.();
    this.state.answering--;
    this.#ports.over();
    const { peers } = this.#parts;
    peers.dequeue(this);
    if (this.#hasTurn) peers.release(this.state);
    peers.remove(this);
  }
}
