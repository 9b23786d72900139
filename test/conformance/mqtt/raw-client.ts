/** A socket and bytes: what a conformance test says is exactly what is on the wire. */
import type { Socket } from "bun";

const PATIENCE_MS = 5_000; // only how long a broken test takes to fail

export type RawClient = {
  send(bytes: Uint8Array): void;
  /** The next bytes, exactly as many as expected; throws when others come or the connection ends. */
  expect(bytes: Uint8Array): Promise<void>;
  /** The next whole packet. */
  packet(): Promise<Uint8Array>;
  /** The server closes, and sends nothing before. */
  expectClosed(): Promise<void>;
  /** A PINGREQ comes back: the connection lives, and nothing else was sent before. */
  expectAlive(): Promise<void>;
  isClosed(): boolean;
  received(): Uint8Array;
  /** Without DISCONNECT, as if the device lost its power. */
  vanish(): void;
  pause(): void;
  resume(): void;
  readonly socket: Socket<undefined>;
};

export async function connectRaw(port: number, tls?: { ca: string }): Promise<RawClient> {
  let buffer = Buffer.alloc(0);
  let closed = false;
  let wake = () => {};
  let unsent: Buffer = Buffer.alloc(0);
  const socket = await Bun.connect<undefined>({
    hostname: "127.0.0.1",
    port,
    ...(tls && { tls: { ca: tls.ca, serverName: "localhost" } }),
    socket: {
      data(_socket, chunk) {
        buffer = Buffer.concat([buffer, chunk]);
        wake();
      },
      drain: flush,
      close() {
        closed = true;
        wake();
      },
      error() {},
      connectError() {},
    },
  });

  function flush(): void {
    if (unsent.length === 0) return;
    const written = Math.max(0, socket.write(unsent));
    unsent = unsent.subarray(written);
  }

  async function until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`still waiting for ${what}; have ${buffer.toHex()}`);
      await Promise.race([
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
        Bun.sleep(100),
      ]);
    }
  }

  const client: RawClient = {
    socket,
    send(bytes) {
      unsent = Buffer.concat([unsent, bytes]);
      flush();
    },
    async expect(bytes) {
      const wanted = Buffer.from(bytes).toHex();
      await until(() => buffer.length >= bytes.length || closed, wanted);
      const got = buffer.subarray(0, bytes.length).toHex();
      if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}${closed ? " and the end" : ""}`);
      buffer = buffer.subarray(bytes.length);
    },
    async packet() {
      const length = () => packetLength(buffer);
      await until(() => buffer.length >= length() || closed, "a packet");
      if (buffer.length < length()) throw new Error("closed instead of a packet");
      const packet = buffer.subarray(0, length());
      buffer = buffer.subarray(packet.length);
      return packet;
    },
    async expectClosed() {
      await until(() => closed, "the end of the connection");
      if (buffer.length > 0) throw new Error(`closed, but sent ${buffer.toHex()} before`);
    },
    async expectAlive() {
      client.send(Uint8Array.of(0xc0, 0));
      await client.expect(Uint8Array.of(0xd0, 0));
    },
    isClosed: () => closed,
    received: () => buffer,
    vanish: () => socket.terminate(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  };
  return client;
}

function packetLength(bytes: Uint8Array): number {
  let remaining = 0;
  for (let index = 1; index < 5; index++) {
    const byte = bytes[index];
    if (byte === undefined) return Number.POSITIVE_INFINITY;
    remaining += (byte & 0x7f) * 128 ** (index - 1);
    if (byte < 0x80) return 1 + index + remaining;
  }
  throw new Error("no MQTT packet");
}
