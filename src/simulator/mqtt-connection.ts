import { decodePacket, encodePacket, FrameReader, type Packet } from "../wire/mqtt";

export type Address = {
  readonly host: string;
  readonly port: number;
  /** Undefined: in the clear. `ca` (PEM) replaces the system's authorities. */
  readonly tls?: { readonly ca?: string; readonly rejectUnauthorized?: boolean };
};

export type MqttConnection = {
  send(packet: Packet): void;
  /** Ends the socket after what was sent. */
  close(): void;
};

type Handlers = { packet(packet: Packet): void; closed(error: Error | undefined): void };

const MAX_PACKET_BYTES = 1024 * 1024;

/** A TCP or TLS connection that carries whole MQTT packets both ways. Rejects when it cannot be opened. */
export async function openMqttConnection({ host, port, tls }: Address, on: Handlers): Promise<MqttConnection> {
  const reader = new FrameReader(MAX_PACKET_BYTES);
  let unsent: Uint8Array[] = [];
  let closing = false;

  const socket = await Bun.connect({
    hostname: host,
    port,
    ...(tls ? { tls } : {}),
    socket: {
      data(own, chunk) {
        try {
          reader.push(chunk);
          while (reader.next()) on.packet(decodePacket(reader.firstByte, reader.body()));
        } catch (error) {
          own.terminate();
          on.closed(error as Error);
        }
      },
      drain: flush,
      close(_own, error) {
        on.closed(error);
      },
      error(_own, error) {
        on.closed(error);
      },
    },
  });

  /** Keeps what the kernel does not take now. */
  function flush(): void {
    while (unsent.length > 0) {
      const chunk = unsent[0] as Uint8Array;
      const written = socket.write(chunk);
      if (written < chunk.length) {
        unsent[0] = chunk.subarray(Math.max(0, written));
        return;
      }
      unsent = unsent.slice(1);
    }
    if (closing) socket.end();
  }

  return {
    send(packet) {
      unsent.push(encodePacket(packet));
      flush();
    },
    close() {
      closing = true;
      flush();
    },
  };
}
