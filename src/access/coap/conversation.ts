import {
  type Block1SendEffect,
  type Block1Sending,
  type Block2ReceiveSettings,
  type Block2Receiving,
  type CoapOption,
  checkOptions,
  type ExchangeOutcome,
  type ExchangeSettings,
  encodeBlock,
  encodeMessage,
  type MessageView,
  OPTIONS,
  option,
  receiveBlock2,
  sendBlock1,
  startBlock1,
  startBlock2,
} from "../../wire/coap";
import type { IncomingResponse, RequestOptions, RequestOutcome } from "./coap-endpoint";
import {
  blockOf,
  isSafe,
  NOTHING,
  optionsOfNextBlock,
  type RequestParts,
  repeatsBody,
  toIncomingResponse,
  UNDERSTOOD_IN_RESPONSES,
} from "./messages";
import type { Open, OpenPeer, Turn } from "./open-peers";
import type { EndpointParts } from "./parts";
import { type Sender, SentMessage } from "./sent-message";

/** How long a stored message waits before it looks again whether its message id is free. */
const CLAIM_RETRY_MS = 5_000;

/** What goes out at the next turn: something new, or bytes that were stored. */
type Next =
  | {
      readonly kind: "new";
      readonly options: readonly CoapOption[];
      readonly payload: Uint8Array;
      readonly token: Uint8Array | undefined;
    }
  | { readonly kind: "stored"; readonly bytes: Uint8Array; readonly messageId: number; readonly token: Uint8Array };

export type ConversationStart = {
  readonly request: RequestParts;
  readonly confirmable: boolean;
  readonly options: RequestOptions;
  readonly token?: Uint8Array | undefined;
  /** A message that goes out as it is, every time. */
  readonly stored?: { readonly bytes: Uint8Array; readonly messageId: number } | undefined;
  /** Of the first message, where they differ from the settings. */
  readonly exchange?: ExchangeSettings | undefined;
  readonly giveUpAfterMs?: number | undefined;
};

/**
 * One request of ours with all the messages it takes: one, or as many as there are blocks in its body and in the body
 * of the response (RFC 7959). Keeps its turn from the first block to the last, so that no two transfers mix.
 */
export class Conversation implements Open, Turn, Sender {
  state: OpenPeer;
  readonly #parts: EndpointParts;
  readonly #start: ConversationStart;
  readonly #settled: (outcome: RequestOutcome) => void;
  readonly #block2Settings: Block2ReceiveSettings;
  readonly #giveUpAtMs: number | undefined;
  #next: Next | undefined;
  #block1: Block1Sending | undefined;
  #block2: Block2Receiving;
  #first: IncomingResponse | undefined;
  #message: SentMessage | undefined;
  #hasTurn = false;
  #wasAcknowledged = false;
  #isOver = false;
  #cancelTimer: (() => void) | undefined;
  readonly #abort = () => this.cancel();

  constructor(
    parts: EndpointParts,
    state: OpenPeer,
    start: ConversationStart,
    settled: (outcome: RequestOutcome) => void,
  ) {
    const { settings, blockSize, clock } = parts;
    this.#parts = parts;
    this.state = state;
    this.#start = start;
    this.#settled = settled;
    this.#block2Settings = {
      maxBodyBytes: settings.maxResponseBodyBytes,
      preferredSize: blockSize,
      // A POST that begins again would be done twice.
      maxRestarts: isSafe(start.request.code) ? settings.maxBlockRestarts : 0,
    };
    this.#block2 = startBlock2(this.#block2Settings);
    this.#giveUpAtMs = start.giveUpAfterMs === undefined ? undefined : clock.monotonic() + start.giveUpAfterMs;
    parts.peers.add(this);
    start.options.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** Begins with the request. */
  begin() {
    const { request, stored, token, giveUpAfterMs } = this.#start;
    if (giveUpAfterMs !== undefined) {
      const giveUp = () => this.#finish({ kind: "noAcknowledgement" });
      this.#cancelTimer = this.#parts.clock.after(giveUpAfterMs, giveUp);
    }
    if (stored) {
      this.#block1 = { body: NOTHING, size: this.#parts.blockSize, offset: 0, inBlocks: false, restartsLeft: 0 };
      return this.#go({ kind: "stored", ...stored, token: token ?? NOTHING });
    }
    const { maxBlockRestarts } = this.#parts.settings;
    const limits = { size: this.#parts.blockSize, maxRestarts: maxBlockRestarts };
    const step = startBlock1(request.body, limits, request.start);
    this.#block1 = step.next;
    this.#followBlock1(step.effect, token);
  }

  /** Begins with a response that is there, the first block of a notification. The view is good until this returns. */
  beginWith(view: MessageView): void {
    this.#wasAcknowledged = true;
    this.#receive(view);
  }

  start(): void {
    this.#hasTurn = true;
    if (this.#start.options.signal?.aborted) this.cancel();
    else this.#send();
  }

  acknowledged(): void {
    if (this.#isInBlocks()) return;
    this.#releaseTurn(); // the peer has it: something else may go out while it thinks (RFC 7252 §4.7)
    this.#tellAcknowledged();
  }

  answered(view: MessageView) {
    this.#message = undefined;
    if (checkOptions(view, UNDERSTOOD_IN_RESPONSES).action !== "accept") return this.#fail("criticalOption");
    const block = blockOf(view, "block1");
    if (block === "reserved") return this.#fail("unexpectedBlock");
    if (this.#block1) {
      const step = sendBlock1(this.#block1, { code: view.code, block });
      this.#block1 = step.next;
      if (step.effect.type !== "answered") return this.#followBlock1(step.effect, undefined);
    }
    this.#tellAcknowledged();
    if (!this.#isOver) this.#receive(view);
  }

  ended(outcome: Exclude<ExchangeOutcome, "answered">) {
    switch (outcome) {
      case "reset":
      case "noAcknowledgement":
      case "noResponse":
      case "cancelled":
        return this.#finish({ kind: outcome });
      case "acknowledged":
      case "sent":
        return; // a message that wants no response; ours do
      default:
        return outcome satisfies never;
    }
  }

  cancel(): void {
    this.#finish({ kind: "cancelled" });
  }

  #isInBlocks(): boolean {
    return this.#block1?.inBlocks === true || this.#first !== undefined;
  }

  #followBlock1(effect: Block1SendEffect, token: Uint8Array | undefined) {
    if (effect.type === "failed") return this.#fail(effect.reason);
    if (effect.type === "answered") return;
    const options = [...this.#start.request.options];
    if (effect.block) options.push(option("block1", encodeBlock(effect.block)));
    if (effect.block && effect.size1 !== undefined) options.push(option("size1", effect.size1));
    this.#go({ kind: "new", options, payload: effect.payload, token });
  }

  #receive(view: MessageView) {
    const { effect, next } = receiveBlock2(
      this.#block2,
      {
        code: view.code,
        block: blockOf(view, "block2"),
        payload: view.payload(),
        etag: view.opaque(OPTIONS.etag.number),
        contentFormat: view.uint(OPTIONS.contentFormat.number),
        size2: view.uint(OPTIONS.size2.number),
      },
      this.#block2Settings,
    );
    if (next) this.#block2 = next;
    switch (effect.type) {
      case "complete": {
        const last = toIncomingResponse(view, effect.body);
        const { observe, maxAgeSeconds, locationPath } = this.#first ?? last;
        return this.#finish({ kind: "response", response: { ...last, observe, maxAgeSeconds, locationPath } });
      }
      case "request": {
        this.#first ??= toIncomingResponse(view, NOTHING);
        const { request } = this.#start;
        const options = optionsOfNextBlock(request, effect.block);
        const payload = repeatsBody(request.code) ? request.body.subarray(0, request.body.length) : NOTHING;
        return this.#go({ kind: "new", options, payload, token: undefined });
      }
      case "ignore": // each block has a token of its own: this is no late double but another block than was asked for
        return this.#fail("unexpectedBlock");
      case "failed":
        return this.#fail(effect.reason);
      default:
        return effect satisfies never;
    }
  }

  #go(next: Next): void {
    this.#next = next;
    if (this.#hasTurn) this.#send();
    else this.#parts.peers.enqueue(this, this.#isInBlocks());
  }

  #send() {
    const next = this.#next;
    if (!next || this.#isOver) return;
    const nowMs = this.#parts.clock.monotonic();
    const { messageIds } = this.#parts;
    if (next.kind === "stored" && !messageIds.claim(this.state.peer.key, next.messageId, next.token, nowMs))
      return this.#waitForMessageId();
    this.#next = undefined;
    const { request, confirmable, exchange = this.#parts.exchange } = this.#start;
    const type = confirmable ? "con" : "non";
    const isFirst = this.#message === undefined && !this.#isInBlocks();
    let message: SentMessage;
    if (next.kind === "stored") {
      message = this.#newMessage({ ...next, type, exchange, giveUpAtMs: this.#giveUpAtMs });
    } else {
      const token = next.token ?? this.#parts.random(8);
      const messageId = messageIds.next(this.state.peer.key, token, nowMs);
      const { options, payload } = next;
      const bytes = encodeMessage({ type, code: request.code, messageId, token, options, payload });
      message = this.#newMessage({ bytes, messageId, token, type, exchange: this.#parts.exchange });
    }
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#message = message;
    // Nobody acknowledges a NON: it takes its turn for as long as an ACK would be waited for.
    if (!confirmable && isFirst)
      this.#cancelTimer = this.#parts.clock.after(exchange.transmission.ackTimeoutMs, () => this.#releaseTurn());
    message.send();
  }

  #newMessage(start: Omit<ConstructorParameters<typeof SentMessage>[3], "wantsResponse">): SentMessage {
    return new SentMessage(this.#parts, this.state, this, { ...start, wantsResponse: true });
  }

  /** Another message to this peer has the same id, and a stored one cannot be given a new one. */
  #waitForMessageId(): void {
    this.#releaseTurn();
    const waitMs = Math.min(
      CLAIM_RETRY_MS,
      Math.max(0, (this.#giveUpAtMs ?? Infinity) - this.#parts.clock.monotonic()),
    );
    this.#cancelTimer?.();
    this.#cancelTimer = this.#parts.clock.after(waitMs, () => {
      if (this.#giveUpAtMs !== undefined && this.#parts.clock.monotonic() >= this.#giveUpAtMs)
        this.#finish({ kind: "noAcknowledgement" });
      else this.#parts.peers.enqueue(this, true);
    });
  }

  #releaseTurn(): void {
    if (!this.#hasTurn) return;
    this.#hasTurn = false;
    this.#parts.peers.release(this.state);
  }

  #tellAcknowledged(): void {
    if (this.#wasAcknowledged) return;
    this.#wasAcknowledged = true;
    const { acknowledged } = this.#start.options;
    if (acknowledged) this.#parts.guarded("acknowledged", acknowledged);
  }

  #fail(reason: string): void {
    this.#finish({ kind: "failed", reason });
  }

  #finish(outcome: RequestOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { peers, endedTokens, clock, counters } = this.#parts;
    this.#cancelTimer?.();
    this.#start.options.signal?.removeEventListener("abort", this.#abort);
    const message = this.#message;
    if (message) {
      if (outcome.kind !== "reset") endedTokens.add(this.state.peer, message.token, clock.monotonic());
      message.cancel();
    }
    peers.dequeue(this);
    this.#releaseTurn();
    peers.remove(this);
    counters.ended(outcome.kind);
    this.#settled(outcome);
  }
}
