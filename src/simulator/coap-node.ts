import type { Clock } from "../platform/clock";
import {
  answerToMalformed,
  type Block1Receiving,
  type Block2Sending,
  CODES,
  CoapMalformedError,
  type CoapMessage,
  type CoapOption,
  checkOptions,
  DEFAULT_BLOCK1_RECEIVE,
  DEFAULT_BLOCK2_SEND,
  decodeBlock,
  decodeMessageView,
  type Exchange,
  type ExchangeEvent,
  type ExchangeOutcome,
  type ExchangeStep,
  encodeBlock,
  encodeEmpty,
  encodeMessage,
  exchangeSettings,
  isRequest,
  type MessageView,
  OPTIONS,
  option,
  receiveBlock1,
  sendBlock2,
  startBlock2Response,
  startExchange,
  stepExchange,
  type TransmissionParameters,
  transmissionTimes,
} from "../wire/coap";

export type NodeRequest = {
  readonly code: number;
  readonly confirmable: boolean;
  readonly path: readonly string[];
  readonly query: readonly string[];
  readonly contentFormat: number | undefined;
  readonly accept: number | undefined;
  readonly observe: number | undefined;
  readonly token: Uint8Array;
  /** Whole: Block1 is done. */
  readonly payload: Uint8Array;
};
export type NodeResponse = {
  readonly code: number;
  /** Without Content-Format: that is `contentFormat`. */
  readonly options?: readonly CoapOption[];
  readonly contentFormat?: number;
  /** Of any size: Block2 is done here. */
  readonly payload?: Uint8Array;
};
export type RequestResult =
  | { readonly kind: "response"; readonly message: CoapMessage }
  | { readonly kind: Exclude<ExchangeOutcome, "answered" | "acknowledged" | "sent"> };

type Parts = {
  readonly send: (datagram: Uint8Array) => void;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly transmission: TransmissionParameters;
  /** Undefined: it is not answered at all. */
  readonly answer: (request: NodeRequest) => NodeResponse | undefined;
  /** A response that nobody waits for; false (as without this): RST. */
  readonly uplink?: (message: CoapMessage) => boolean;
  /** Bytes of a request that comes in blocks; 64 KiB without this. */
  readonly maxBodyBytes?: number | undefined;
  readonly on: {
    /** A request came again and was not answered anew. */
    duplicate(): void;
    /** RST for a message that waits for nothing any more: one of our NONs. */
    reset(): void;
  };
};

export type CoapNode = ReturnType<typeof createCoapNode>;

const NOTHING = new Uint8Array(0);
const MAX_REMEMBERED = 64;
const MAX_TRANSFERS = 4;
const UNDERSTOOD: ReadonlySet<number> = new Set(
  [
    OPTIONS.uriHost,
    OPTIONS.uriPort,
    OPTIONS.uriPath,
    OPTIONS.uriQuery,
    OPTIONS.accept,
    OPTIONS.block1,
    OPTIONS.block2,
  ].map(({ number }) => number),
);

type Open = {
  readonly bytes: Uint8Array;
  readonly token: string | undefined;
  exchange: Exchange;
  cancel: () => void;
  readonly settle: (outcome: ExchangeOutcome, response?: CoapMessage) => void;
};

/**
 * The message layer of one device: what it asks is repeated until it is answered, what it is asked is answered once and
 * then from memory. Bounded: a device has one server and little room.
 */
export function createCoapNode({ send, clock, random, transmission, answer, uplink, maxBodyBytes, on }: Parts) {
  const block1Settings = { ...DEFAULT_BLOCK1_RECEIVE, ...(maxBodyBytes !== undefined && { maxBodyBytes }) };
  const settings = exchangeSettings(transmission);
  const { exchangeLifetimeMs } = transmissionTimes(transmission);
  let nextMessageId = Math.floor(random() * 0x1_0000);
  const open = new Map<number, Open>();
  const byToken = new Map<string, number>();
  /** What came, and what it was answered. */
  const seen = new Map<number, { readonly atMs: number; reply: Uint8Array | undefined }>();
  const sending = new Map<string, Block2Sending>();
  const receiving = new Map<string, Block1Receiving>();

  function begin(message: Omit<CoapMessage, "messageId">, wantsResponse: boolean, settle: Open["settle"]): void {
    const messageId = takeMessageId();
    const type = message.type === "con" ? "con" : "non";
    const step = startExchange({ type, wantsResponse, nowMs: clock.monotonic(), random: random() }, settings);
    const token = wantsResponse ? message.token.toHex() : undefined;
    const bytes = encodeMessage({ ...message, messageId });
    const entry: Open = { bytes, token, exchange: step.next, cancel: () => {}, settle };
    open.set(messageId, entry);
    if (token !== undefined) byToken.set(token, messageId);
    apply(messageId, entry, step);
    if (step.next.state === "done") settle(step.next.outcome); // a NON is over with its sending, and nothing says so
  }

  function feed(messageId: number, event: ExchangeEvent, response?: CoapMessage): void {
    const entry = open.get(messageId);
    if (entry) apply(messageId, entry, stepExchange(entry.exchange, event, settings), response);
  }

  function apply(messageId: number, entry: Open, { next, effects }: ExchangeStep, response?: CoapMessage): void {
    entry.exchange = next;
    entry.cancel();
    if (next.state === "done") {
      open.delete(messageId);
      if (entry.token !== undefined) byToken.delete(entry.token);
    } else {
      entry.cancel = clock.after(next.dueAtMs - clock.monotonic(), () =>
        // A timer may come a little before its time.
        feed(messageId, { type: "tick", nowMs: Math.max(clock.monotonic(), next.dueAtMs) }),
      );
    }
    for (const effect of effects) {
      if (effect.type === "send") send(entry.bytes);
      if (effect.type === "finished") entry.settle(effect.outcome, response);
    }
  }

  function receive(datagram: Uint8Array): void {
    let view: MessageView;
    try {
      view = decodeMessageView(datagram);
    } catch (error) {
      if (!(error instanceof CoapMalformedError)) throw error;
      const reply = answerToMalformed(error);
      if (reply) send(encodeEmpty("rst", reply.resetMessageId));
      return;
    }
    const { type, messageId, code } = view;
    if (type === "ack" || type === "rst") receiveReply(view);
    else if (code === CODES.empty)
      send(encodeEmpty("rst", messageId)); // a ping (RFC 7252 §4.3)
    else receiveMessage(view);
  }

  function receiveMessage(view: MessageView): void {
    const { code, messageId } = view;
    const known = recall(messageId);
    if (known) {
      if (isRequest(code)) on.duplicate();
      if (known.reply) send(known.reply);
      return;
    }
    const entry = remember(messageId);
    const reply = isRequest(code) ? receiveRequest(view) : receiveResponse(view);
    entry.reply = reply;
    if (reply) send(reply);
  }

  function receiveReply(view: MessageView): void {
    const { messageId, code, type } = view;
    const entry = open.get(messageId);
    if (!entry) {
      if (type === "rst") on.reset();
      return;
    }
    if (type === "rst") feed(messageId, { type: "reset" });
    else if (code === CODES.empty) feed(messageId, { type: "acknowledged", nowMs: clock.monotonic() });
    else if (view.token().toHex() === entry.token) feed(messageId, { type: "response", carrier: "ack" }, copyOf(view));
  }

  /** A response in a message of its own. */
  function receiveResponse(view: MessageView): Uint8Array | undefined {
    const messageId = byToken.get(view.token().toHex());
    const isConfirmable = view.type === "con";
    if (messageId === undefined) {
      if (!isConfirmable) return uplink?.(copyOf(view)) === false ? encodeEmpty("rst", view.messageId) : undefined;
      return encodeEmpty(uplink?.(copyOf(view)) ? "ack" : "rst", view.messageId);
    }
    feed(messageId, { type: "response", carrier: isConfirmable ? "con" : "non" }, copyOf(view));
    return isConfirmable ? encodeEmpty("ack", view.messageId) : undefined;
  }

  function receiveRequest(view: MessageView): Uint8Array | undefined {
    const verdict = checkOptions(view, UNDERSTOOD);
    if (verdict.action === "respond") return replyTo(view, { code: verdict.code });
    if (verdict.action !== "accept") return undefined;
    const path = view.texts(OPTIONS.uriPath.number);
    const query = view.texts(OPTIONS.uriQuery.number);
    if (!path || !query) return replyTo(view, { code: CODES.badRequest });
    const key = `${view.code} ${path.join("/")}?${query.join("&")}`;
    const whole = bodyOf(view, key);
    if (!(whole.body instanceof Uint8Array)) return replyTo(view, whole.body);
    const blockValue = view.uint(OPTIONS.block2.number);
    const asked = blockValue === undefined ? undefined : decodeBlock(blockValue);
    if (blockValue !== undefined && !asked) return replyTo(view, { code: CODES.badRequest });
    const nowMs = clock.monotonic();
    if (asked && asked.num > 0)
      return replyTo(view, block2(key, sendBlock2(sending.get(key), asked, nowMs, DEFAULT_BLOCK2_SEND)));
    const response = answer({
      code: view.code,
      confirmable: view.type === "con",
      path,
      query,
      contentFormat: view.uint(OPTIONS.contentFormat.number),
      accept: view.uint(OPTIONS.accept.number),
      observe: view.uint(OPTIONS.observe.number),
      token: view.token().slice(),
      payload: whole.body,
    });
    if (!response) return undefined;
    const { payload = NOTHING, code, options = [], contentFormat } = response;
    const more = [
      ...options,
      ...whole.options,
      ...(contentFormat === undefined ? [] : [option("contentFormat", contentFormat)]),
    ];
    if (!asked && payload.length <= DEFAULT_BLOCK2_SEND.size) return replyTo(view, { code, options: more, payload });
    const first = block2(key, startBlock2Response(payload, asked, nowMs, DEFAULT_BLOCK2_SEND));
    if (first.code !== CODES.content) return replyTo(view, first);
    return replyTo(view, { code, options: [...more, ...(first.options ?? [])], payload: first.payload ?? NOTHING });
  }

  /** The body of a request once it is whole, with the Block1 of its response; or the response to its part. */
  function bodyOf(view: MessageView, key: string): { body: Uint8Array | NodeResponse; options: CoapOption[] } {
    const value = view.uint(OPTIONS.block1.number);
    if (value === undefined) return { body: view.payload().slice(), options: [] };
    const event = {
      block: decodeBlock(value),
      payload: view.payload(),
      contentFormat: view.uint(OPTIONS.contentFormat.number),
      size1: view.uint(OPTIONS.size1.number),
      nowMs: clock.monotonic(),
    };
    const { next, reply } = receiveBlock1(receiving.get(key), event, block1Settings);
    keep(receiving, key, next, MAX_TRANSFERS);
    if (reply.type === "refuse") {
      const size1 = reply.size1 === undefined ? [] : [option("size1", reply.size1)];
      return { body: { code: reply.code, options: size1 }, options: [] };
    }
    const options = [option("block1", encodeBlock(reply.block))];
    return reply.type === "continue"
      ? { body: { code: CODES.continue, options }, options: [] }
      : { body: reply.body, options };
  }

  function block2(key: string, { next, reply }: ReturnType<typeof sendBlock2>): NodeResponse {
    keep(sending, key, next, MAX_TRANSFERS);
    if (reply.type === "refuse") return { code: reply.code };
    if (reply.type === "whole") return { code: CODES.content, payload: reply.payload };
    const options = [option("etag", reply.etag), option("block2", encodeBlock(reply.block))];
    if (reply.size2 !== undefined) options.push(option("size2", reply.size2));
    return { code: CODES.content, options, payload: reply.payload };
  }

  function replyTo(view: MessageView, { code, options = [], payload = NOTHING }: NodeResponse): Uint8Array {
    const [type, messageId] =
      view.type === "con" ? (["ack", view.messageId] as const) : (["non", takeMessageId()] as const);
    return encodeMessage({ type, code, messageId, token: view.token(), options, payload });
  }

  function takeMessageId(): number {
    const messageId = nextMessageId;
    nextMessageId = (nextMessageId + 1) & 0xffff;
    return messageId;
  }

  function recall(messageId: number) {
    const known = seen.get(messageId);
    return known && clock.monotonic() - known.atMs < exchangeLifetimeMs ? known : undefined;
  }

  function remember(messageId: number) {
    const entry: { readonly atMs: number; reply: Uint8Array | undefined } = {
      atMs: clock.monotonic(),
      reply: undefined,
    };
    keep(seen, messageId, entry, MAX_REMEMBERED);
    return entry;
  }

  return {
    receive,
    /** Never rejects. */
    request(message: Pick<CoapMessage, "code" | "options" | "payload">): Promise<RequestResult> {
      const token = Uint8Array.from({ length: 4 }, () => Math.floor(random() * 256));
      return new Promise((resolve) => {
        begin({ ...message, type: "con", token }, true, (outcome, response) => {
          if (response) resolve({ kind: "response", message: response });
          else resolve({ kind: outcome as Exclude<ExchangeOutcome, "answered" | "acknowledged" | "sent"> });
        });
      });
    },
    /** "acknowledged" for a CON, "sent" for a NON, or why not. Never rejects. */
    notify(
      message: Pick<CoapMessage, "code" | "token" | "options" | "payload">,
      confirmable: boolean,
    ): Promise<ExchangeOutcome> {
      return new Promise((resolve) => begin({ ...message, type: confirmable ? "con" : "non" }, false, resolve));
    },
    /** Something of ours waits for an answer. */
    get isBusy(): boolean {
      return open.size > 0;
    },
    /** Ends all that is open as "cancelled". */
    abandon(): void {
      for (const messageId of [...open.keys()]) feed(messageId, { type: "cancelled" });
    },
    /** As after a restart: what came before is not remembered. */
    forget(): void {
      this.abandon();
      seen.clear();
      sending.clear();
      receiving.clear();
    },
  };
}

/** The newest entry last, and the oldest forgotten when there are too many. */
function keep<K, V>(entries: Map<K, V>, key: K, next: V | undefined, most: number): void {
  entries.delete(key);
  if (next === undefined) return;
  entries.set(key, next);
  for (const oldest of entries.keys()) {
    if (entries.size <= most) return;
    entries.delete(oldest);
  }
}

/** The datagram may be decrypted into again; a response is kept. */
const copyOf = (view: MessageView): CoapMessage => decodeMessageView(view.bytes.slice()).toMessage();
