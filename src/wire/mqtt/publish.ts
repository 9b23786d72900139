/** PUBLISH (MQTT 3.1.1 §3.3) without garbage: this is the packet that comes by the hundred thousand. */
import { checkPacketId, decodeString, requirePacketId } from "./fields";
import {
  checkFirstByte,
  encodeFixedHeader,
  PACKET_TYPES,
  PUBLISH_DUP,
  PUBLISH_RETAIN,
  packetLength,
} from "./fixed-header";
import { MqttProtocolError } from "./mqtt-protocol-error";
import type { QoS } from "./packet";
import { isTopicName } from "./topic";

const NOTHING = new Uint8Array(0);

/**
 * Where the parts of one PUBLISH lie in the bytes it came in. Can be reused for the next one, so it is only good
 * until then; what is kept longer must be copied, or it keeps the whole received chunk alive.
 */
export class PublishView {
  qos: QoS = 0;
  dup = false;
  retain = false;
  /** 0 with QoS 0, which has none. */
  packetId = 0;
  bytes: Uint8Array = NOTHING;
  topicStart = 0;
  topicEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;

  /** Compares with a topic that is known to be valid (see `encodeString`) without making a string. */
  isTopic(known: Buffer): boolean {
    const { topicStart, topicEnd } = this;
    return known.length === topicEnd - topicStart && known.compare(this.bytes, topicStart, topicEnd) === 0;
  }

  /** The only way to the topic's text: malformed names end here, so that a known topic need not be checked again. */
  topic(): string {
    const topic = decodeString(this.bytes.subarray(this.topicStart, this.topicEnd));
    if (!isTopicName(topic)) throw new MqttProtocolError("topic_name", "wildcard"); // [MQTT-3.3.2-2]
    return topic;
  }

  get payloadLength(): number {
    return this.payloadEnd - this.payloadStart;
  }

  /** A view, not a copy. */
  payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart, this.payloadEnd);
  }
}

/** The body is `bytes` from `start` to `end`; checks all but the characters of the topic, which `view.topic()` does. */
export function decodePublish(
  firstByte: number,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  into = new PublishView(),
): PublishView {
  checkFirstByte(firstByte);
  if (end - start < 2) throw new MqttProtocolError("truncated", "topic length");
  const topicStart = start + 2;
  const topicEnd = topicStart + uint16(bytes, start);
  if (topicEnd === topicStart) throw new MqttProtocolError("topic_name", "empty"); // [MQTT-4.7.3-1]
  const qos = ((firstByte >> 1) & 0b11) as QoS; // three is no QoS: checkFirstByte
  const payloadStart = qos === 0 ? topicEnd : topicEnd + 2;
  if (payloadStart > end) throw new MqttProtocolError("truncated", "topic or packet identifier");
  into.packetId = qos === 0 ? 0 : checkPacketId(uint16(bytes, topicEnd));
  into.qos = qos;
  into.dup = (firstByte & PUBLISH_DUP) !== 0;
  into.retain = (firstByte & PUBLISH_RETAIN) !== 0;
  into.bytes = bytes;
  into.topicStart = topicStart;
  into.topicEnd = topicEnd;
  into.payloadStart = payloadStart;
  into.payloadEnd = end;
  return into;
}

export type OutgoingPublish = {
  /** From `encodeString`; not checked again. */
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 with QoS 0. */
  readonly packetId: number;
};

/** How many bytes `encodePublish` will write. */
export function publishLength({ topic, payload, qos }: OutgoingPublish): number {
  return packetLength(remainingOf(topic, payload, qos));
}

/** Writes the packet and returns the offset behind it; `into` must have `publishLength` bytes of room. */
export function encodePublish(publish: OutgoingPublish, into: Uint8Array, offset: number): number {
  const { topic, payload, qos, retain, dup, packetId } = publish;
  if (dup && qos === 0) throw new RangeError("DUP must be 0 with QoS 0"); // [MQTT-3.3.1-2]
  if (topic.length === 0 || topic.length > 0xffff) throw new RangeError(`${topic.length} bytes are no topic`);
  const firstByte = (PACKET_TYPES.publish << 4) | (dup ? PUBLISH_DUP : 0) | (qos << 1) | (retain ? PUBLISH_RETAIN : 0);
  let at = encodeFixedHeader(firstByte, remainingOf(topic, payload, qos), into, offset);
  at = putUint16(topic.length, into, at);
  into.set(topic, at);
  at += topic.length;
  if (qos > 0) at = putUint16(requirePacketId(packetId), into, at);
  into.set(payload, at);
  return at + payload.length;
}

const remainingOf = (topic: Uint8Array, payload: Uint8Array, qos: QoS) =>
  2 + topic.length + (qos > 0 ? 2 : 0) + payload.length;

const uint16 = (bytes: Uint8Array, at: number) => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

function putUint16(value: number, into: Uint8Array, offset: number): number {
  into[offset] = value >> 8;
  into[offset + 1] = value & 0xff;
  return offset + 2;
}
