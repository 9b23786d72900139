/** The only module that knows `Bun.udpSocket`. */
import type { Clock } from "../../platform/clock";
import { turnBudget } from "./turn-budget";

/** Why a datagram was not sent or not taken; a closed set, for metrics. */
export const DATAGRAM_DROPS = [
  "not_listening",
  "truncated",
  "flooded",
  "send_queue_full",
  "unreachable",
  "not_sendable",
] as const;
export type DatagramDrop = (typeof DATAGRAM_DROPS)[number];

export type DatagramSettings = {
  /** What the kernel has no room for waits here; what comes on top is lost, as datagrams may be. */
  readonly maxQueuedDatagrams: number;
  readonly maxQueuedBytes: number;
  /**
   * How long datagrams may be handled before everything else has had its turn; what comes then is dropped. The runtime reads a
   * socket until it is empty, so whoever sends faster than we handle would stop all timers and answers otherwise.
   */
  readonly maxTurnMs: number;
};
export const DATAGRAM_DEFAULTS: DatagramSettings = {
  maxQueuedDatagrams: 4_096,
  maxQueuedBytes: 4 * 1024 * 1024,
  maxTurnMs: 200,
};

export type DatagramSocketOptions = {
  /** An IPv4 or IPv6 address to bind to; `::` takes both kinds. */
  readonly hostname: string;
  /** 0: a free one. */
  readonly port: number;
  readonly settings: DatagramSettings;
  readonly clock: Pick<Clock, "monotonic" | "after">;
  /** The bytes are the callee's. An IPv4 address is always written as one, also where the socket is `::`. */
  receive(bytes: Uint8Array, address: string, port: number): void;
  dropped?(reason: DatagramDrop): void;
  /** What `receive` threw. */
  fault?(error: unknown): void;
};

export type DatagramSocket = {
  readonly hostname: string;
  readonly port: number;
  /** Never throws. The bytes must not change afterwards: they may wait for the kernel. */
  send(bytes: Uint8Array, address: string, port: number): void;
  /** UDP cannot be told to wait: until `resume`, what comes is dropped and counted. */
  pause(): void;
  resume(): void;
  close(): void;
};

/** The part of Bun's socket that is used, so that tests can have a full kernel. */
export type RawSocket = {
  readonly hostname: string;
  readonly port: number;
  send(bytes: Uint8Array, port: number, address: string): boolean;
  close(): void;
};
export type OpenRawSocket = (options: {
  hostname: string;
  port: number;
  socket: {
    data(socket: unknown, bytes: Uint8Array, port: number, address: string, flags?: { truncated: boolean }): void;
    drain(): void;
    error(): void;
  };
}) => Promise<RawSocket>;

type Queued = { readonly bytes: Uint8Array; readonly address: string; readonly port: number };

const MAPPED_IPV4 = "::ffff:";

/**
 * Opens the socket; rejects when the address is taken. Datagrams go out one by one: on Linux `sendMany` over all replies
 * of a turn was measured between 0.98 and 1.07 times as fast, and one address that the kernel refuses fails the whole call.
 */
export async function openDatagramSocket(
  options: DatagramSocketOptions,
  open: OpenRawSocket = Bun.udpSocket as OpenRawSocket,
): Promise<DatagramSocket> {
  const { settings, receive } = options;
  const dropped = options.dropped ?? (() => {});
  const queue: Queued[] = [];
  let queuedBytes = 0;
  const budget = turnBudget(options.clock, settings.maxTurnMs);
  let isPaused = false;
  let isClosed = false;

  const raw = await open({
    hostname: options.hostname,
    port: options.port,
    socket: {
      data(_socket, bytes, port, address, flags) {
        if (isClosed) return;
        if (isPaused) return dropped("not_listening");
        if (flags?.truncated) return dropped("truncated");
        if (budget.isSpent) return dropped("flooded");
        const from = address.startsWith(MAPPED_IPV4) && address.includes(".") ? address.slice(7) : address;
        const since = budget.begin();
        try {
          receive(bytes, from, port);
        } catch (error) {
          options.fault?.(error);
        }
        budget.end(since);
      },
      drain: flush,
      // ICMP: some client is gone. Without this handler Bun ends the process; with it nothing has to be done.
      error() {},
    },
  });

  /** False: the kernel has no room now. */
  function tryToSend({ bytes, address, port }: Queued): boolean {
    // The ICMP error that an earlier datagram to somebody else has caused is thrown at the next send, which has then not
    // been tried at all: so it is tried again.
    for (let attempt = 1; attempt <= 2; attempt++) {
      try {
        return raw.send(bytes, port, address);
      } catch (error) {
        if (!isLateError(error)) {
          dropped("not_sendable"); // too long, port 0, a network that is down
          return true;
        }
      }
    }
    dropped("unreachable");
    return true;
  }

  function flush(): void {
    let sent = 0;
    while (sent < queue.length && !isClosed && tryToSend(queue[sent] as Queued)) sent++;
    for (const { bytes } of queue.splice(0, sent)) queuedBytes -= bytes.length;
  }

  return {
    hostname: raw.hostname,
    port: raw.port,
    send(bytes, address, port) {
      if (isClosed) return;
      if (queue.length > 0) flush();
      const datagram = { bytes, address, port };
      if (queue.length === 0 && tryToSend(datagram)) return;
      const fits = queue.length < settings.maxQueuedDatagrams && queuedBytes + bytes.length <= settings.maxQueuedBytes;
      if (!fits) return dropped("send_queue_full");
      queue.push(datagram);
      queuedBytes += bytes.length;
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      queue.length = 0;
      raw.close();
    },
  };
}

const LATE_ERRORS = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENOPROTOOPT"]);
const isLateError = (error: unknown) =>
  error instanceof Error && "code" in error && LATE_ERRORS.has(String(error.code));
