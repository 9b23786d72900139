import { PacketIds, type QoS } from "../../wire/mqtt";

/** A message to the device with QoS 1 or 2 that it has not acknowledged. */
export type OutboundMessage = {
  readonly packetId: number;
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
  readonly qos: 1 | 2;
  /** Of the command that it carries. */
  readonly mid: number;
  /** `pubrel`: the device has it (QoS 2), PUBCOMP is missing. */
  state: "publish" | "pubrel";
  /** Called once, when the device has it. Undefined after a restart. */
  delivered: (() => void) | undefined;
};

/** State of one device that outlives packets, and for persistent sessions connections and restarts (MQTT 3.1.1 §4.1). */
export class Session {
  readonly deviceNo: number;
  /** Row number of a persistent session; undefined for one that ends with its connection. */
  readonly no: number | undefined;
  #subscriptions: Map<string, QoS> | undefined;
  #outbound: Map<number, OutboundMessage> | undefined;
  #packetIds: PacketIds | undefined;
  /** Packet identifiers of QoS 2 messages between PUBLISH and PUBREL [MQTT-4.3.3-2]. */
  inbound: Set<number> | undefined;
  /** Those of them that a codec works on: whether they got to the disk. */
  decoding: Map<number, Promise<boolean>> | undefined;
  /** Connections and commits that still need this object in memory. */
  users = 0;

  constructor(deviceNo: number, no: number | undefined) {
    this.deviceNo = deviceNo;
    this.no = no;
  }

  get isPersistent(): boolean {
    return this.no !== undefined;
  }

  get subscriptions(): ReadonlyMap<string, QoS> {
    return this.#subscriptions ?? NOTHING;
  }
  subscribe(filter: string, qos: QoS): void {
    this.#subscriptions ??= new Map();
    this.#subscriptions.set(filter, qos); // [MQTT-3.8.4-3] replaces an equal one
  }
  unsubscribe(filter: string): void {
    this.#subscriptions?.delete(filter);
  }

  /** In the order in which they were sent. */
  get outbound(): ReadonlyMap<number, OutboundMessage> {
    return this.#outbound ?? NOTHING;
  }
  takePacketId(): number | undefined {
    this.#packetIds ??= new PacketIds(this.outbound.keys());
    return this.#packetIds.take();
  }
  releasePacketId(packetId: number): void {
    this.#packetIds?.release(packetId);
  }
  addOutbound(message: OutboundMessage): void {
    this.#outbound ??= new Map();
    this.#outbound.set(message.packetId, message);
  }
  removeOutbound(packetId: number): void {
    this.#outbound?.delete(packetId);
    this.releasePacketId(packetId);
  }
}

const NOTHING: ReadonlyMap<never, never> = new Map<never, never>();
