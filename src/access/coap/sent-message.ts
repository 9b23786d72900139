import {
  type Exchange,
  type ExchangeEvent,
  type ExchangeOutcome,
  type ExchangeSettings,
  type ExchangeStep,
  type MessageView,
  startExchange,
  stepExchange,
} from "../../wire/coap";
import type { OpenPeer } from "./open-peers";
import type { EndpointParts } from "./parts";

/** Whoever sent a message, and is told what became of it. Every message ends once: with `answered` or with `ended`. */
export interface Sender {
  /** The peer has it; its response comes later. */
  acknowledged(): void;
  /** The view is good until this returns. */
  answered(view: MessageView): void;
  ended(outcome: Exclude<ExchangeOutcome, "answered">): void;
}

export type SentMessageStart = {
  readonly bytes: Uint8Array;
  readonly type: "con" | "non";
  readonly messageId: number;
  readonly token: Uint8Array;
  readonly wantsResponse: boolean;
  readonly exchange: ExchangeSettings;
  readonly giveUpAtMs?: number | undefined;
};

/** Drives the machine of one message that we send: its bytes, its timer, and its place among those of its peer. */
export class SentMessage {
  state: OpenPeer;
  readonly messageId: number;
  readonly wantsResponse: boolean;
  readonly #parts: EndpointParts;
  readonly #sender: Sender;
  readonly #start: SentMessageStart;
  #exchange: Exchange | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: EndpointParts, state: OpenPeer, sender: Sender, start: SentMessageStart) {
    this.#parts = parts;
    this.state = state;
    this.#sender = sender;
    this.#start = start;
    this.messageId = start.messageId;
    this.wantsResponse = start.wantsResponse;
  }

  get token(): Uint8Array {
    return this.#start.token;
  }

  hasToken(bytes: Uint8Array, start: number, end: number): boolean {
    const { token } = this.#start;
    if (token.length !== end - start) return false;
    for (let at = 0; at < token.length; at++) if (token[at] !== bytes[start + at]) return false;
    return true;
  }

  send(): void {
    const { type, wantsResponse, exchange, giveUpAtMs } = this.#start;
    const random = this.#parts.randomFraction();
    this.state.messages.push(this);
    const nowMs = this.#parts.clock.monotonic();
    this.#apply(startExchange({ type, wantsResponse, nowMs, random, giveUpAtMs }, exchange));
  }

  acknowledged(): void {
    const before = this.#running();
    this.#step({ type: "acknowledged", nowMs: this.#parts.clock.monotonic() });
    if (before.state === "unacknowledged" && this.#running().state === "waiting") this.#sender.acknowledged();
  }

  /** Whoever received it has sent its ACK already. */
  answered(view: MessageView): void {
    if (this.#exchange?.state === "done") return;
    this.#exchange = stepExchange(
      this.#running(),
      { type: "response", carrier: carrierOf(view) },
      this.#start.exchange,
    ).next;
    this.#leave();
    this.#sender.answered(view);
  }

  /** The peer was heard: it listens now. */
  heard(): void {
    this.#step({ type: "heard", nowMs: this.#parts.clock.monotonic() });
  }

  reset(): void {
    this.#step({ type: "reset" });
  }

  cancel(): void {
    this.#step({ type: "cancelled" });
  }

  #running(): Exchange {
    if (!this.#exchange) throw new Error("the message was not sent");
    return this.#exchange;
  }

  #step(event: ExchangeEvent): void {
    const from = this.#running();
    if (from.state === "done") return;
    this.#apply(stepExchange(from, event, this.#start.exchange));
  }

  #apply({ next, effects }: ExchangeStep): void {
    const isFirst = this.#exchange === undefined;
    this.#exchange = next;
    // The timer first: whatever the network or the sender do now may end this message.
    this.#setTimer();
    for (const effect of effects) {
      if (effect.type === "send") {
        if (!isFirst) this.#parts.counters.retransmitted();
        else this.#parts.counters.sent(this.#start.type, this.wantsResponse ? "request" : "response");
        this.state.peer.send(this.#start.bytes);
      }
      if (effect.type === "finished" && effect.outcome !== "answered") {
        this.#leave();
        this.#sender.ended(effect.outcome);
      }
    }
  }

  #setTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const exchange = this.#exchange;
    if (!exchange || exchange.state === "done") return;
    const waitMs = Math.max(1, exchange.dueAtMs - this.#parts.clock.monotonic());
    this.#cancelTimer = this.#parts.clock.after(waitMs, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#parts.clock.monotonic();
    this.#parts.guarded("tick", () => this.#step({ type: "tick", nowMs }));
  }

  #leave(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { messages } = this.state;
    const at = messages.indexOf(this);
    if (at >= 0) messages.splice(at, 1);
  }
}

const carrierOf = ({ type }: MessageView): "ack" | "con" | "non" => (type === "ack" || type === "con" ? type : "non");
