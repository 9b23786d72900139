import type { LiveDevice } from "../../capabilities/devices/device";
import type { AckSink } from "../../capabilities/telemetry/report";
import { ACK_LENGTH, encodePuback, encodePubcomp, encodePubrec, FrameReader, type Will } from "../../wire/mqtt";
import type { Subscriber } from "./applications/subscriber";
import { NEVER, type Timed } from "./deadlines";
import type { Session } from "./session";
import type { MqttSettings } from "./settings";
import { ACK_KIND, isAnswer, kindOf, packetIdOf } from "./ticket";
import type { ClientSocket } from "./transport";

export type Protocol = "mqtt" | "mqtts";

/** Why a socket is not read at the moment; bits, because several can hold. */
export const PAUSE = {
  congested: 1,
  uncommitted: 2,
  output: 4,
  connecting: 8,
  stopping: 16,
  decoding: 32,
  subDevices: 64,
  events: 128,
} as const;
const RESUMABLE_OUTPUT = 16 * 1024;

/** What a connection needs of everything around it; one object for all of them. */
export interface ConnectionHost {
  readonly settings: MqttSettings;
  readonly ackBuffers: Uint8Array[];
  countOutput(protocol: Protocol, bytes: number): void;
  countAcks(protocol: Protocol, packets: number): void;
  /** Reading may go on: packets that wait in the reader come first. */
  readable(connection: Connection): void;
  /** A commit failed: the device has to send the message again. */
  abandoned(connection: Connection, ticket: number): void;
  /** Its last message is on disk. */
  settled(connection: Connection): void;
  /** A full socket has taken bytes, or has just become full; `waiting` bytes are left. */
  outputMoved(connection: Connection, waiting: number): void;
  /** Too much output waits; the connection must end. */
  slowReader(connection: Connection): void;
}

const ACK_BUFFER_BYTES = 4_096;
const POOLED_ACK_BUFFERS = 256;

/**
 * One device, or an application, on one socket. There are ten thousands of these doing nothing: a class, so that they share their code;
 * what an idle one does not need is made when it is first needed.
 */
export class Connection implements AckSink, Timed {
  readonly socket: ClientSocket;
  readonly protocol: Protocol;
  readonly reader: FrameReader;
  readonly #host: ConnectionHost;
  state: "handshake" | "connecting" | "refusing" | "open" | "closed" = "handshake";
  device: LiveDevice | undefined;
  session: Session | undefined;
  /** Of an application, which has neither device nor session. */
  subscriber: Subscriber | undefined;
  /** deviceId or nodeId, as the device calls itself in its topics. */
  loginId = "";
  will: Will | undefined;
  /** The topic of its own reports, as bytes; made at the first PUBLISH. */
  dataTopic: Buffer | undefined;
  /** Sub-devices that have reported through this connection, by the id they were called. */
  subDevices: Map<string, LiveDevice> | undefined;
  /** `devices` has been told that this device is connected. */
  announced = false;
  remoteAddress = "";

  keepAliveMs = 0;
  lastPacketTick = 0;
  dueTick = NEVER;
  dueIndex = 0;

  pauses = 0;
  maxOutputBytes: number;
  /** Messages that a codec works on. */
  decoding = 0;
  // Messages given to the store and not yet on disk, in two generations: when the older one is done, so are its bytes.
  #olderMessages = 0;
  #olderBytes = 0;
  #newerMessages = 0;
  #newerBytes = 0;
  #ackBuffer: Uint8Array | undefined;
  #ackBytes = 0;
  #output: Uint8Array[] | undefined;
  #outputBytes = 0;
  /** Done before their turn came: tickets that wait for more than the store, see `answerStored`. */
  #answers: Map<number, "stored"> | undefined;
  #held: number[] | undefined;

  constructor(socket: ClientSocket, protocol: Protocol, host: ConnectionHost) {
    this.socket = socket;
    this.protocol = protocol;
    this.#host = host;
    this.maxOutputBytes = host.settings.maxOutboundBytes;
    this.reader = new FrameReader(host.settings.maxConnectBytes);
  }

  // --- reading -----------------------------------------------------------------------------------------------------

  pause(reason: number): void {
    if (this.pauses === 0 && this.state !== "closed") this.socket.pause();
    this.pauses |= reason;
  }

  /** Goes on with packets that were received already, then with the socket. */
  resume(reason: number): void {
    if ((this.pauses & reason) === 0) return;
    this.pauses &= ~reason;
    if (this.pauses !== 0 || this.state === "closed") return;
    this.#host.readable(this);
    if (this.pauses === 0 && this.isAlive) this.socket.resume();
  }

  get isAlive(): boolean {
    return this.state !== "closed";
  }

  // --- what is on its way to the disk ------------------------------------------------------------------------------

  /** A message goes to the store now; `acknowledge` or `abandon` will follow. */
  submitted(bytes: number): void {
    this.#newerMessages++;
    this.#newerBytes += bytes;
    const { maxUncommittedMessages, maxUncommittedBytes } = this.#host.settings;
    if (this.uncommitted >= maxUncommittedMessages || this.#olderBytes + this.#newerBytes >= maxUncommittedBytes)
      this.pause(PAUSE.uncommitted);
  }

  get uncommitted(): number {
    return this.#olderMessages + this.#newerMessages + (this.#held?.length ?? 0);
  }

  acknowledge(ticket: number): void {
    this.#committed();
    if (this.#held === undefined && !isAnswer(ticket)) this.#writeAck(ticket);
    else this.#acknowledgeInOrder(ticket);
  }

  abandon(ticket: number): void {
    this.#committed();
    this.#host.abandoned(this, ticket);
  }

  flush(): void {
    this.flushAcks();
    const { maxUncommittedMessages, maxUncommittedBytes } = this.#host.settings;
    if (
      (this.pauses & PAUSE.uncommitted) !== 0 &&
      this.uncommitted <= maxUncommittedMessages / 2 &&
      this.#olderBytes + this.#newerBytes <= maxUncommittedBytes / 2
    )
      this.resume(PAUSE.uncommitted);
    if (this.uncommitted === 0) this.#host.settled(this);
  }

  /** What else a message waits for is done: `commands` has stored the answer, what a codec made of it is on disk. */
  answerStored(ticket: number): void {
    if (this.#held?.[0] !== ticket) {
      this.#answers ??= new Map();
      this.#answers.set(ticket, "stored");
      return;
    }
    const held = this.#held;
    this.#held = undefined;
    this.#writeAck(ticket);
    for (const next of held.slice(1)) {
      if (this.#held === undefined && !isAnswer(next)) this.#writeAck(next);
      else this.#acknowledgeInOrder(next);
    }
    this.flush();
  }

  #committed(): void {
    if (this.#olderMessages === 0) {
      this.#olderMessages = this.#newerMessages;
      this.#olderBytes = this.#newerBytes;
      this.#newerMessages = 0;
      this.#newerBytes = 0;
    }
    this.#olderMessages--;
    if (this.#olderMessages === 0) this.#olderBytes = 0;
  }

  /** [MQTT-4.6.0-2, 4.6.0-3] PUBACKs and PUBRECs go out in the order of their PUBLISHes, also behind a slow answer. */
  #acknowledgeInOrder(ticket: number): void {
    if (this.#held !== undefined) {
      this.#held.push(ticket);
    } else if (this.#answers?.delete(ticket)) {
      this.#writeAck(ticket);
    } else {
      this.#held = [ticket];
    }
  }

  #writeAck(ticket: number): void {
    const kind = kindOf(ticket);
    if (kind === ACK_KIND.none || this.state === "closed") return;
    let buffer = this.#ackBuffer;
    if (buffer === undefined || this.#ackBytes + ACK_LENGTH > ACK_BUFFER_BYTES) {
      this.flushAcks();
      buffer = this.#host.ackBuffers.pop() ?? new Uint8Array(ACK_BUFFER_BYTES);
      this.#ackBuffer = buffer;
    }
    const packetId = packetIdOf(ticket);
    if (kind === ACK_KIND.puback) this.#ackBytes = encodePuback(packetId, buffer, this.#ackBytes);
    else if (kind === ACK_KIND.pubrec) this.#ackBytes = encodePubrec(packetId, buffer, this.#ackBytes);
    else this.#ackBytes = encodePubcomp(packetId, buffer, this.#ackBytes);
  }

  flushAcks(): void {
    const buffer = this.#ackBuffer;
    if (buffer === undefined) return;
    const bytes = this.#ackBytes;
    this.#ackBuffer = undefined;
    this.#ackBytes = 0;
    this.#host.countAcks(this.protocol, bytes / ACK_LENGTH);
    this.#write(buffer, bytes);
    if (this.#host.ackBuffers.length < POOLED_ACK_BUFFERS) this.#host.ackBuffers.push(buffer);
  }

  // --- writing -----------------------------------------------------------------------------------------------------

  /** Bytes that the socket has not taken yet. */
  get waitingOutput(): number {
    return this.#outputBytes;
  }

  /** Behind everything that was written before. The bytes may be reused by the caller. */
  send(bytes: Uint8Array): void {
    this.flushAcks();
    this.#write(bytes, bytes.length);
  }

  /** The socket takes bytes again. */
  drained(): void {
    while (this.#output !== undefined && this.state !== "closed") {
      const [first] = this.#output as [Uint8Array, ...Uint8Array[]];
      const taken = Math.max(0, this.socket.write(first));
      this.#outputBytes -= taken;
      if (taken > 0) this.#host.outputMoved(this, this.#outputBytes);
      if (taken < first.length) {
        this.#output[0] = first.subarray(taken);
        break;
      }
      this.#output.shift();
      if (this.#output.length === 0) this.#output = undefined;
    }
    if (this.#outputBytes < RESUMABLE_OUTPUT) this.resume(PAUSE.output);
  }

  #write(bytes: Uint8Array, length: number): void {
    if (this.state === "closed") return;
    this.#host.countOutput(this.protocol, length);
    let taken = 0;
    if (this.#output === undefined) {
      taken = Math.max(0, this.socket.write(bytes, 0, length));
      if (taken === length) return;
    }
    this.#output ??= [];
    this.#output.push(bytes.slice(taken, length));
    this.#outputBytes += length - taken;
    if (this.#output.length === 1) this.#host.outputMoved(this, this.#outputBytes);
    if (this.#outputBytes > this.maxOutputBytes) this.#host.slowReader(this);
    else this.pause(PAUSE.output); // who does not read his answers is not asked for more
  }
}
