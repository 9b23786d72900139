import type { Socket } from "bun";
import { MalformedError } from "../wire/malformed-error";
import {
  ACK_LENGTH,
  type ConnectPacket,
  decodePublish,
  encodePacket,
  encodePuback,
  encodePubcomp,
  encodePubrec,
  encodePubrel,
  FrameReader,
  type PublishView,
  SUBACK_FAILURE,
} from "../wire/mqtt";

export type Address = {
  readonly host: string;
  readonly port: number;
  /** Left out: plain TCP. `ca` (PEM) replaces the system's authorities. */
  readonly tls?: { readonly ca?: string; readonly rejectUnauthorized?: boolean };
};

export type ConnectionListener = {
  /** CONNACK with code 0. */
  accepted(): void;
  /** The view is good until this returns; QoS 1 and 2 are acknowledged afterwards. */
  published(publish: PublishView): void;
  /** PUBACK, or PUBCOMP for QoS 2. */
  acknowledged(packetId: number): void;
  subscribed(granted: boolean): void;
  /** Everything of one chunk was read. */
  chunkRead(): void;
  /** The socket takes bytes again. */
  drained(): void;
  /** Once, whatever the end was, also when it never opened. */
  closed(reason: string): void;
};

export type MqttConnection = ReturnType<typeof openMqttConnection>;

const MAX_PACKET_BYTES = 1 << 20;
const CONNACK_REASONS = [
  "",
  "protocol version",
  "client id",
  "server unavailable",
  "user name or password",
  "not authorized",
];
const PINGREQ = encodePacket({ type: "pingreq" });
const DISCONNECT = encodePacket({ type: "disconnect" });
const PUBLISH = 3;
const FIRST_BYTE = {
  connack: 0x20,
  puback: 0x40,
  pubrec: 0x50,
  pubrel: 0x62,
  pubcomp: 0x70,
  suback: 0x90,
  pingresp: 0xd0,
};

/** One connection of a client to a broker, MQTT 3.1.1. Opens at once; keeps bytes that the socket does not take. */
export function openMqttConnection(address: Address, connect: ConnectPacket, listener: ConnectionListener) {
  const frames = new FrameReader(MAX_PACKET_BYTES);
  const ack = new Uint8Array(ACK_LENGTH);
  let socket: Socket | undefined;
  let waiting: Uint8Array[] = [];
  let isClosed = false;
  let isEnding = false;
  let unansweredPings = 0;

  function close(reason: string): void {
    if (isClosed) return;
    isClosed = true;
    waiting = [];
    listener.closed(reason);
    socket?.terminate();
  }

  function send(bytes: Uint8Array): void {
    if (isClosed || !socket) return;
    if (waiting.length > 0) {
      waiting.push(bytes);
      return;
    }
    const taken = socket.write(bytes);
    if (taken < 0) close("the socket is closed");
    else if (taken < bytes.length) waiting.push(bytes.slice(taken)); // a copy: callers use their buffers again
  }

  function drain(): void {
    while (waiting.length > 0 && socket) {
      const bytes = waiting[0] as Uint8Array;
      const taken = socket.write(bytes);
      if (taken < 0) {
        close("the socket is closed");
        return;
      }
      if (taken < bytes.length) {
        waiting[0] = bytes.subarray(taken);
        return;
      }
      waiting.shift();
    }
    listener.drained();
  }

  function read(chunk: Uint8Array): void {
    try {
      frames.push(chunk);
      while (!isClosed && frames.next()) handle(frames.firstByte, frames.bytes, frames.start, frames.end);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      close(`malformed packet: ${error.message}`);
    }
    if (!isClosed) listener.chunkRead();
  }

  function handle(firstByte: number, bytes: Uint8Array, start: number, end: number): void {
    const packetId = end - start < 2 ? 0 : ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
    switch (firstByte) {
      case FIRST_BYTE.puback:
      case FIRST_BYTE.pubcomp:
        listener.acknowledged(packetId);
        break;
      case FIRST_BYTE.pubrec:
        acknowledge(encodePubrel, packetId);
        break;
      case FIRST_BYTE.pubrel:
        acknowledge(encodePubcomp, packetId);
        break;
      case FIRST_BYTE.pingresp:
        unansweredPings = 0;
        break;
      case FIRST_BYTE.connack:
        handleConnack(bytes[start + 1] as number);
        break;
      case FIRST_BYTE.suback:
        listener.subscribed(bytes.subarray(start + 2, end).every((code) => code < SUBACK_FAILURE));
        break;
      default:
        if (firstByte >> 4 === PUBLISH) handlePublish(firstByte, bytes, start, end);
    }
  }

  function handlePublish(firstByte: number, bytes: Uint8Array, start: number, end: number): void {
    const publish = decodePublish(firstByte, bytes, start, end);
    listener.published(publish);
    if (publish.qos === 1) acknowledge(encodePuback, publish.packetId);
    if (publish.qos === 2) acknowledge(encodePubrec, publish.packetId);
  }

  function acknowledge(encode: typeof encodePuback, packetId: number): void {
    encode(packetId, ack, 0);
    send(ack);
  }

  function handleConnack(code: number): void {
    if (code === 0) listener.accepted();
    else close(`refused: ${CONNACK_REASONS[code] ?? `code ${code}`}`);
  }

  const { host, port, tls } = address;
  Bun.connect({
    hostname: host,
    port,
    ...(tls && { tls }),
    socket: {
      open(opened) {
        socket = opened;
        if (isClosed) opened.terminate();
        else if (!tls) send(encodePacket(connect));
      },
      handshake(_socket, _success, refusal) {
        if (refusal && tls?.rejectUnauthorized !== false) close(`the certificate is not trusted: ${refusal.message}`);
        else send(encodePacket(connect));
      },
      data: (_socket, chunk) => read(chunk),
      drain,
      close: (_socket, error) => close(error ? error.message : isEnding ? "ended" : "closed by the server"),
      error: (_socket, error) => close(error.message),
      connectError: (_socket, error) => close(error.message),
    },
  }).catch((error: Error) => close(error.message));

  return {
    send,
    /** The socket is full; more would only be kept here. */
    get isFull(): boolean {
      return waiting.length > 0;
    },
    /** Keep-alive, called every so often by the owner, who knows the time. Two pings without an answer end it. */
    ping(): void {
      if (unansweredPings++ < 2) send(PINGREQ);
      else close("no answer to pings");
    },
    /** Says goodbye. */
    end(): void {
      isEnding = true;
      send(DISCONNECT);
      if (socket) socket.end();
      else close("ended");
    },
    /** As if the network had gone. */
    drop: () => close("dropped"),
  };
}
