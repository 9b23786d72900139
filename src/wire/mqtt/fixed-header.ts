/** Fixed header (MQTT 3.1.1 §2.2): packet type, flags, remaining length. */
import { type MqttFault, MqttProtocolError } from "./mqtt-protocol-error";
import type { PacketType } from "./packet";

/** [MQTT-2.2.1] The high four bits of the first byte. */
export const PACKET_TYPES = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const satisfies Record<PacketType, number>;

/** Those whose low four bits are 0010; all others but PUBLISH have 0000 [MQTT-2.2.2-1]. */
const FLAGS_0010: ReadonlySet<number> = new Set([
  PACKET_TYPES.pubrel, // [MQTT-3.6.1-1]
  PACKET_TYPES.subscribe, // [MQTT-3.8.1-1]
  PACKET_TYPES.unsubscribe, // [MQTT-3.10.1-1]
]);

export const PUBLISH_DUP = 0b1000;
export const PUBLISH_RETAIN = 0b0001;
export const MAX_REMAINING_LENGTH = 0xfff_ffff;

const FAULT_OF_FIRST_BYTE = Array.from({ length: 256 }, (_, byte) => faultOf(byte >> 4, byte & 0b1111));

/** All that the first byte alone can break; known before the rest of the packet is there. */
export function checkFirstByte(byte: number): void {
  const fault = FAULT_OF_FIRST_BYTE[byte];
  if (fault !== undefined) throw new MqttProtocolError(fault, `first byte ${byte}`);
}

function faultOf(type: number, flags: number): MqttFault | undefined {
  if (type === 0 || type === 15) return "packet_type";
  if (type !== PACKET_TYPES.publish) {
    return flags === (FLAGS_0010.has(type) ? 0b0010 : 0) ? undefined : "fixed_header_flags";
  }
  const qos = (flags >> 1) & 0b11;
  if (qos === 3) return "qos"; // [MQTT-3.3.1-4]
  return qos === 0 && flags & PUBLISH_DUP ? "dup" : undefined; // [MQTT-3.3.1-2]
}

export function firstByteOf(type: Exclude<PacketType, "publish">): number {
  return (PACKET_TYPES[type] << 4) | (FLAGS_0010.has(PACKET_TYPES[type]) ? 0b0010 : 0);
}

/** How many bytes the whole packet has, fixed header included (§2.2.3). */
export function packetLength(remaining: number): number {
  if (remaining > MAX_REMAINING_LENGTH) throw new RangeError(`an MQTT packet cannot hold ${remaining} bytes`);
  return remaining + (remaining < 0x80 ? 2 : remaining < 0x4000 ? 3 : remaining < 0x20_0000 ? 4 : 5);
}

/** Writes type, flags and remaining length, and returns the offset behind them. */
export function encodeFixedHeader(firstByte: number, remaining: number, into: Uint8Array, offset: number): number {
  let at = offset;
  into[at++] = firstByte;
  let rest = remaining;
  for (; rest >= 0x80; rest >>= 7) into[at++] = (rest & 0x7f) | 0x80;
  into[at++] = rest;
  return at;
}
