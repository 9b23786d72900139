import { createSocket, type Socket } from "node:dgram";
import {
  CODES,
  type CoapMessage,
  type CoapOption,
  decodeMessage,
  encodeEmpty,
  encodeMessage,
  OPTIONS,
  option,
  pathOptions,
  queryOptions,
} from "../../src/wire/coap";

export type Reply = {
  code: number;
  payload?: Uint8Array;
  contentFormat?: number;
  observe?: number;
  /** Further ones. */
  options?: CoapOption[];
};
export type NbOptions = {
  ep: string;
  style?: "lwm2m" | "tup";
  lifetime?: number;
  binding?: string;
  links?: string;
  /** What it answers to requests other than the observation of its reports; undefined: silence. */
  answer?: (request: CoapMessage, path: string) => Reply | undefined;
  /**
   * Called with each copy of a command (0: it is new) that was not acknowledged, instead of doing that at once. What
   * was acknowledged is acknowledged again by itself.
   */
  take?: (payload: Uint8Array, copy: number, acknowledge: () => void) => void;
};

const NOTHING = new Uint8Array(0);
const DEFAULT_LINKS = '</>;rt="oma.lwm2m";ct=11543,</1/0>,</3/0>,</4/0>,</5/0>,</19/0>,</19/1>';

/**
 * An NB-IoT device on node:dgram, as simple as one can be: it takes a request once by its message id, and repeats its
 * answer to a repeated one. `move` gives it another port; while it `sleeps` it hears nothing.
 */
export async function nbDevice(address: string, options: NbOptions) {
  const [host = "", port = ""] = address.split(/:(?=\d+$)/);
  let socket = await open();
  let nextId = Math.floor(Math.random() * 65_536);
  let token: Uint8Array = NOTHING;
  let sequence = 1;
  let sleeping = false;
  let location = "";
  const waiting = new Map<number, (message: CoapMessage) => void>();
  const separate = new Map<string, (message: CoapMessage) => void>();
  const answered = new Map<number, Uint8Array>();
  const copies = new Map<number, number>();
  const tokens = new Map<number, string>();
  let reusedIds = 0;
  const requests: { path: string; message: CoapMessage }[] = [];
  const commands: Uint8Array[] = [];
  let wake: (() => void)[] = [];

  async function open(): Promise<Socket> {
    const made = createSocket("udp4");
    await new Promise<void>((resolve) => made.bind(0, "127.0.0.1", resolve));
    made.on("message", (bytes) => {
      if (!sleeping) take(Uint8Array.from(bytes));
    });
    made.on("error", () => {});
    return made;
  }
  const stopping = Promise.withResolvers<void>();
  const send = (bytes: Uint8Array) => socket.send(bytes, Number(port), host);

  function take(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message.type === "ack" || message.type === "rst") {
      waiting.get(message.messageId)?.(message);
      waiting.delete(message.messageId);
      return;
    }
    if (message.code >= 0x40) {
      separate.get(Buffer.from(message.token).toString("hex"))?.(message);
      if (message.type === "con") send(encodeEmpty("ack", message.messageId));
      return;
    }
    if (message.code === CODES.empty) {
      send(encodeEmpty("rst", message.messageId));
      return;
    }
    const asked = Buffer.from(message.token).toString("hex");
    if ((tokens.get(message.messageId) ?? asked) !== asked) reusedIds++;
    tokens.set(message.messageId, asked);
    const known = answered.get(message.messageId);
    if (known) {
      send(known);
      return;
    }
    if (options.take && isCommand(message)) {
      takeCopy(message, options.take);
      return;
    }
    const reply = handle(message);
    for (const run of wake.splice(0)) run();
    if (reply) respond(message, reply);
  }

  function takeCopy(message: CoapMessage, hand: NonNullable<NbOptions["take"]>): void {
    const copy = copies.get(message.messageId) ?? 0;
    copies.set(message.messageId, copy + 1);
    if (copy === 0) {
      requests.push({ path: pathOf(message), message });
      commands.push(message.payload.slice());
    }
    hand(message.payload.slice(), copy, () => respond(message, { code: CODES.changed }));
    for (const run of wake.splice(0)) run();
  }
  const isCommand = (message: CoapMessage) =>
    pathOf(message) === (options.style === "tup" ? "/t/d" : "/19/1/0") && message.code !== CODES.get;

  function respond(message: CoapMessage, reply: Reply): void {
    const answer = encodeMessage({
      type: "ack",
      code: reply.code,
      messageId: message.messageId,
      token: message.token,
      options: [
        ...(reply.observe === undefined ? [] : [option("observe", reply.observe)]),
        ...(reply.contentFormat === undefined ? [] : [option("contentFormat", reply.contentFormat)]),
        ...(reply.options ?? []),
      ],
      payload: reply.payload ?? NOTHING,
    });
    answered.set(message.messageId, answer);
    send(answer);
  }

  function handle(message: CoapMessage): Reply | undefined {
    const path = pathOf(message);
    requests.push({ path, message });
    const isTup = options.style === "tup";
    if (path === (isTup ? "/t/d" : "/19/0/0") && message.code === CODES.get) {
      token = message.token.slice();
      return isTup ? { code: CODES.changed } : { code: CODES.content, observe: 0, payload: Uint8Array.of(0) };
    }
    const own = options.answer?.(message, path);
    if (own) return own;
    if (path === (isTup ? "/t/d" : "/19/1/0")) {
      if (options.answer) return undefined;
      commands.push(message.payload.slice());
      return { code: CODES.changed };
    }
    return options.answer ? undefined : { code: CODES.notFound };
  }

  const message = (
    type: "con" | "non",
    code: number,
    path: string,
    query: string,
    payload: Uint8Array,
  ): CoapMessage => ({
    type,
    code,
    messageId: nextId++ & 0xffff,
    token: crypto.getRandomValues(new Uint8Array(4)),
    options: [
      ...pathOptions(path),
      ...(payload.length > 0 ? [option("contentFormat", 40)] : []),
      ...queryOptions(query),
    ],
    payload,
  });

  /** Resolves with the answer: in the ACK, or separate. Sent once: loopback loses nothing. */
  async function ask(request: CoapMessage): Promise<CoapMessage> {
    const key = Buffer.from(request.token).toString("hex");
    const response = Promise.withResolvers<CoapMessage>();
    separate.set(key, response.resolve);
    waiting.set(request.messageId, (ack) => {
      if (ack.code !== CODES.empty || ack.type === "rst") response.resolve(ack);
    });
    send(encodeMessage(request));
    const answer = await response.promise;
    separate.delete(key);
    return answer;
  }

  const device = {
    requests,
    /** Payloads of commands, each once. */
    commands,
    get token() {
      return token;
    },
    get location() {
      return location;
    },
    send,
    ask: (method: "get" | "post" | "put" | "delete", path: string, query = "", payload: Uint8Array = NOTHING) =>
      ask(message("con", CODES[method], path, query, payload)),

    /** The code of the answer; resolves when the platform has observed the reports, if it was let in. */
    async register(): Promise<number> {
      const isTup = options.style === "tup";
      const lifetime = options.lifetime ?? 86_400;
      const query = isTup
        ? `ep=${options.ep}`
        : `lwm2m=1.0&ep=${options.ep}&b=${options.binding ?? "UQ"}&lt=${lifetime}`;
      const payload = isTup ? NOTHING : new TextEncoder().encode(options.links ?? DEFAULT_LINKS);
      const before = token;
      const answer = await device.ask("post", isTup ? "/t/r" : "/rd", query, payload);
      if (answer.code >= 0x80) return answer.code;
      const path = answer.options.filter(({ number }) => number === OPTIONS.locationPath.number);
      location = path.map(({ value }) => `/${Buffer.from(value).toString()}`).join("");
      if ((options.links ?? DEFAULT_LINKS).includes("/19/") || isTup) await device.until(() => token !== before);
      return answer.code;
    },
    update: (query = "") => device.ask("post", location, query),
    deregister: () => device.ask("delete", location),

    /** A notification; resolves with its ACK or RST, at once for a NON. */
    async report(payload: Uint8Array, type: "con" | "non" = "con", messageId = nextId++ & 0xffff) {
      const isTup = options.style === "tup";
      const notification: CoapMessage = {
        type,
        code: CODES.content,
        messageId,
        token,
        options: [option("observe", ++sequence), ...(isTup ? [] : [option("contentFormat", 42)])],
        payload,
      };
      if (type === "non") {
        send(encodeMessage(notification));
        return undefined;
      }
      const acknowledged = Promise.withResolvers<CoapMessage>();
      waiting.set(messageId, acknowledged.resolve);
      send(encodeMessage(notification));
      return acknowledged.promise;
    },
    /** A report as devices send it: the same message again until it is acknowledged, however long that takes. */
    async deliver(payload: Uint8Array, everyMs = 100): Promise<CoapMessage> {
      const messageId = nextId++ & 0xffff;
      const isTup = options.style === "tup";
      const bytes = encodeMessage({
        type: "con",
        code: CODES.content,
        messageId,
        token,
        options: [option("observe", ++sequence), ...(isTup ? [] : [option("contentFormat", 42)])],
        payload,
      });
      const acknowledged = Promise.withResolvers<CoapMessage>();
      waiting.set(messageId, acknowledged.resolve);
      send(bytes);
      const repeating = setInterval(() => send(bytes), everyMs);
      const stopped = stopping.promise.then(() => Promise.reject(new Error("the device was switched off")));
      try {
        return await Promise.race([acknowledged.promise, stopped]);
      } finally {
        clearInterval(repeating);
      }
    },
    /** Message ids that came with another request than before: the device takes the new one for the old one. */
    get reusedIds() {
      return reusedIds;
    },
    /** Resolves when it is true, asked after each message. */
    async until(isTrue: () => boolean): Promise<void> {
      while (!isTrue()) {
        await new Promise<void>((resolve) => {
          wake = [...wake, resolve];
        });
      }
    },
    sleep() {
      sleeping = true;
    },
    awake() {
      sleeping = false;
    },
    async move() {
      socket.close();
      socket = await open();
    },
    /** It has restarted: nothing of what it knew is there. */
    forget() {
      answered.clear();
      token = NOTHING;
    },
    /** Of its socket. */
    get port() {
      return socket.address().port;
    },
    [Symbol.dispose]() {
      stopping.resolve();
      socket.close();
    },
  };
  return device;
}
export type NbDevice = Awaited<ReturnType<typeof nbDevice>>;

function pathOf(message: CoapMessage): string {
  return message.options
    .filter(({ number }) => number === OPTIONS.uriPath.number)
    .map(({ value }) => `/${Buffer.from(value).toString()}`)
    .join("");
}
