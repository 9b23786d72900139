import type { Clock } from "../platform/clock";
import { CODES, DEFAULT_TRANSMISSION, encodeMessage, option, pathOptions, queryOptions } from "../wire/coap";
import { accessStyles, type StyleName } from "./access-styles";
import { createCoapNode } from "./coap-node";
import { createHistogram } from "./histogram";
import type { Network } from "./network";
import type { NbCredentials } from "./register-devices";
import { type Channel, plainChannel, type SecureSettings, secureChannel } from "./secure-channel";

export type CoapLoadOptions = {
  readonly network: Network;
  /** A socket for each. */
  readonly devices: readonly NbCredentials[];
  readonly secure: SecureSettings | undefined;
  readonly send: /** Confirmable reports, after one registration each; the last four bytes of the payload count. */
    | { readonly kind: "reports"; readonly style: StyleName; readonly payload: Uint8Array }
    /** Confirmable GETs, for a server that knows no devices. */
    | { readonly kind: "gets"; readonly path: string }
    /** The same datagrams as the reports, for a server that sends back what it gets. */
    | { readonly kind: "echo"; readonly payload: Uint8Array };
  /** Unacknowledged messages of a socket. */
  readonly window: number;
  /** What was not acknowledged is sent again after so long. */
  readonly repeatAfterMs: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** Registrations at a time. */
  readonly connecting: number;
};

export type CoapLoadResult = {
  readonly sockets: number;
  readonly seconds: number;
  readonly acknowledged: number;
  readonly acknowledgedPerSecond: number;
  /** From the start. */
  readonly acknowledgedInAll: number;
  readonly repeated: number;
  readonly latencyMs: Readonly<Record<"mean" | "p50" | "p99" | "max", number>>;
};

/** The server did not let a device in. */
export class CoapLoadError extends Error {
  override name = "CoapLoadError";
}

const TOKEN = Uint8Array.of(0xec, 0x40, 0xec, 0x40);
const NOTHING = new Uint8Array(0);
const OBSERVE_WAIT_MS = 30_000;
const ACK = 2;
const REPEAT_TICK_MS = 200;

type Counters = { acknowledged: number; repeated: number };

/**
 * Load that costs its own side little: a datagram is made once per slot of the window, and only its message id, its
 * Observe number and its counter are written anew. Throws `CoapLoadError` when a device is not let in.
 */
export async function runCoapLoad(options: CoapLoadOptions, clock: Clock): Promise<CoapLoadResult> {
  const counters: Counters = { acknowledged: 0, repeated: 0 };
  const latencies = createHistogram();
  const record = (ms: number) => latencies.record(ms * 1_000);
  const stopping = new AbortController();
  const lanes: Lane[] = [];
  const waiting = [...options.devices];
  const connect = async (): Promise<void> => {
    for (let device = waiting.pop(); device; device = waiting.pop())
      lanes.push(await openLane(device, options, clock, counters, record));
  };
  try {
    await Promise.all(Array.from({ length: options.connecting }, connect));
    for (const lane of lanes) lane.start();
    const repeating = repeat();
    await clock.sleep(options.warmUpSeconds * 1_000, stopping.signal);
    latencies.clear();
    const { acknowledged } = counters;
    const start = clock.monotonic();
    await clock.sleep(options.seconds * 1_000, stopping.signal);
    const seconds = (clock.monotonic() - start) / 1_000;
    const during = counters.acknowledged - acknowledged;
    const result: CoapLoadResult = {
      sockets: lanes.length,
      seconds,
      acknowledged: during,
      acknowledgedPerSecond: Math.round(during / seconds),
      acknowledgedInAll: counters.acknowledged,
      repeated: counters.repeated,
      latencyMs: {
        mean: latencies.mean / 1_000,
        p50: latencies.quantile(0.5) / 1_000,
        p99: latencies.quantile(0.99) / 1_000,
        max: latencies.max / 1_000,
      },
    };
    stopping.abort();
    await repeating;
    return result;
  } finally {
    stopping.abort();
    for (const lane of lanes) lane.close();
  }

  async function repeat(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(REPEAT_TICK_MS, stopping.signal);
      for (const lane of lanes) lane.repeat();
    }
  }
}

type Lane = Awaited<ReturnType<typeof openLane>>;

async function openLane(
  { nodeId, psk }: NbCredentials,
  { network, secure, send, window, repeatAfterMs }: CoapLoadOptions,
  clock: Clock,
  counters: Counters,
  record: (ms: number) => void,
) {
  let slots: ReturnType<typeof createSlots> | undefined;
  const deliver = (datagram: Uint8Array): void => {
    const isReply = send.kind === "echo" || (((datagram[0] as number) >> 4) & 0b11) === ACK;
    if (!isReply || !slots?.acknowledged(((datagram[2] as number) << 8) | (datagram[3] as number)))
      node.receive(datagram);
  };
  const socket = await network.open({ host: undefined, port: 0 }, (datagram) => channel.receive(datagram));
  const ends = { send: (datagram: Uint8Array) => socket.send(datagram), deliver };
  const channel: Channel = secure
    ? secureChannel({
        ...ends,
        identity: Buffer.from(nodeId),
        psk: Uint8Array.fromHex(psk ?? ""),
        settings: secure,
        clock,
        randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
        on: { handshake() {} },
      })
    : plainChannel(ends);
  const observed = Promise.withResolvers<Uint8Array>();
  const style = send.kind === "reports" ? accessStyles[send.style] : undefined;
  const node = createCoapNode({
    send: (datagram) => channel.send(datagram),
    clock,
    random: Math.random,
    transmission: DEFAULT_TRANSMISSION,
    answer({ path, code, observe, token }) {
      if (!style?.isUplink(path) || code !== CODES.get || observe !== 0) return { code: CODES.notFound };
      observed.resolve(token);
      return style.observedResponse(1);
    },
    on: { duplicate() {}, reset() {} },
  });
  if (!(await channel.ready())) throw new CoapLoadError(`${nodeId}: no DTLS session`);
  const token = style ? await register() : TOKEN;
  slots = createSlots(template(token), window, {
    send: (datagram) => channel.send(datagram),
    clock,
    counters,
    record,
    repeatAfterMs,
  });

  async function register(): Promise<Uint8Array> {
    if (!style) return TOKEN;
    const query = queryOptions(style.registerQuery(nodeId, { queueMode: false, lifetimeSeconds: 86_400 }));
    const registerOptions = [...pathOptions(style.registerPath), ...query, ...style.registerOptions];
    const result = await node.request({ code: CODES.post, options: registerOptions, payload: style.links });
    if (result.kind !== "response" || result.message.code !== style.registeredCode)
      throw new CoapLoadError(
        `${nodeId}: registration: ${result.kind === "response" ? result.message.code : result.kind}`,
      );
    const cancel = clock.after(OBSERVE_WAIT_MS, () => observed.reject(new CoapLoadError(`${nodeId}: not observed`)));
    return observed.promise.finally(cancel);
  }

  function template(ofToken: Uint8Array): Template {
    if (send.kind === "gets") {
      const message = { code: CODES.get, token: ofToken, options: pathOptions(send.path), payload: NOTHING };
      return { bytes: encodeMessage({ ...message, type: "con", messageId: 0 }), observeAt: undefined, counts: false };
    }
    const options = [option("observe", 0x1_0000), ...(style ?? accessStyles.lwm2m).reportOptions];
    const message = { code: CODES.content, token: ofToken, options, payload: send.payload };
    const bytes = encodeMessage({ ...message, type: "con", messageId: 0 });
    return { bytes, observeAt: 4 + ofToken.length + 1, counts: send.payload.length >= 4 };
  }

  return {
    start: () => slots?.start(),
    repeat: () => slots?.repeat(),
    close(): void {
      slots?.stop();
      node.abandon();
      channel.close();
      socket.close();
    },
  };
}

type Template = { readonly bytes: Uint8Array; readonly observeAt: number | undefined; readonly counts: boolean };
type SlotParts = {
  readonly send: (datagram: Uint8Array) => void;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly record: (ms: number) => void;
  readonly repeatAfterMs: number;
};

/**
 * The window of a socket. Message ids go round, each slot has those that are its number modulo the window, so that an
 * ACK finds its slot without a look-up.
 */
function createSlots({ bytes, observeAt, counts }: Template, window: number, parts: SlotParts) {
  const { send, clock, counters, record, repeatAfterMs } = parts;
  const rounds = Math.floor(0x1_0000 / window);
  const messages = Array.from({ length: window }, () => bytes.slice());
  const round = new Uint32Array(window);
  const firstSentMs = new Float64Array(window);
  const lastSentMs = new Float64Array(window);
  let sent = 0;
  let isRunning = false;

  function sendNext(slot: number, nowMs: number): void {
    const message = messages[slot] as Uint8Array;
    const messageId = (round[slot] as number) * window + slot;
    message[2] = messageId >> 8;
    message[3] = messageId & 0xff;
    sent++;
    // The first byte of three stays 1, so that the option keeps its length.
    if (observeAt !== undefined) {
      message[observeAt + 1] = (sent >> 8) & 0xff;
      message[observeAt + 2] = sent & 0xff;
    }
    if (counts) {
      const at = message.length - 4;
      message[at] = sent >>> 24;
      message[at + 1] = sent >>> 16;
      message[at + 2] = sent >>> 8;
      message[at + 3] = sent;
    }
    firstSentMs[slot] = nowMs;
    lastSentMs[slot] = nowMs;
    send(message);
  }

  return {
    start(): void {
      isRunning = true;
      for (let slot = 0; slot < window; slot++) sendNext(slot, clock.monotonic());
    },
    stop(): void {
      isRunning = false;
    },
    /** False: it is not for any message of ours. */
    acknowledged(messageId: number): boolean {
      const slot = messageId % window;
      if (!isRunning || messageId !== (round[slot] as number) * window + slot) return false;
      const nowMs = clock.monotonic();
      counters.acknowledged++;
      record(nowMs - (firstSentMs[slot] as number));
      round[slot] = ((round[slot] as number) + 1) % rounds;
      sendNext(slot, nowMs);
      return true;
    },
    repeat(): void {
      const nowMs = clock.monotonic();
      for (let slot = 0; isRunning && slot < window; slot++) {
        if (nowMs - (lastSentMs[slot] as number) < repeatAfterMs) continue;
        lastSentMs[slot] = nowMs;
        counters.repeated++;
        send(messages[slot] as Uint8Array);
      }
    },
  };
}
