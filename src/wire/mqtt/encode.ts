/** Value in, whole packet out (MQTT 3.1.1 §3). What the decoder would refuse is a RangeError here: our own mistake. */
import { encodeString, FieldWriter } from "./fields";
import { encodeFixedHeader, firstByteOf, packetLength } from "./fixed-header";
import { CONNACK, type ConnectPacket, type Packet, type PublishPacket } from "./packet";
import { encodePublish, publishLength } from "./publish";
import { isTopicFilter, isTopicName } from "./topic";

export function encodePacket(packet: Packet): Uint8Array {
  if (packet.type === "publish") return encodeWholePublish(packet);
  const writer = new FieldWriter();
  encodeBody(packet, writer);
  const body = writer.finish();
  const bytes = new Uint8Array(packetLength(body.length));
  bytes.set(body, encodeFixedHeader(firstByteOf(packet.type), body.length, bytes, 0));
  return bytes;
}

function encodeBody(packet: Exclude<Packet, PublishPacket>, writer: FieldWriter): void {
  switch (packet.type) {
    case "connect":
      encodeConnect(packet, writer);
      return;
    case "connack": {
      const { sessionPresent, returnCode } = packet;
      ensure(!sessionPresent || returnCode === CONNACK.accepted, "a refusal has no session"); // [MQTT-3.2.2-4]
      writer.uint(sessionPresent ? 1 : 0, 1);
      writer.uint(returnCode, 1);
      return;
    }
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
    case "unsuback":
      writer.packetId(packet.packetId);
      return;
    case "subscribe":
      writer.packetId(packet.packetId);
      ensure(packet.subscriptions.length > 0, "no topic filter"); // [MQTT-3.8.3-3]
      for (const { filter, qos } of packet.subscriptions) {
        encodeFilter(filter, writer);
        writer.uint(qos, 1);
      }
      return;
    case "suback":
      writer.packetId(packet.packetId);
      ensure(packet.returnCodes.length > 0, "no return code");
      for (const code of packet.returnCodes) writer.uint(code, 1);
      return;
    case "unsubscribe":
      writer.packetId(packet.packetId);
      ensure(packet.filters.length > 0, "no topic filter"); // [MQTT-3.10.3-2]
      for (const filter of packet.filters) encodeFilter(filter, writer);
      return;
    case "pingreq":
    case "pingresp":
    case "disconnect":
      return;
    default:
      packet satisfies never;
  }
}

function encodeConnect(packet: ConnectPacket, writer: FieldWriter): void {
  const { clientId, cleanSession, keepAliveSeconds, will, username, password } = packet;
  ensure(password === undefined || username !== undefined, "a password without a username"); // [MQTT-3.1.2-22]
  writer.string("MQTT");
  writer.uint(4, 1);
  const willFlags = will ? 0b0000_0100 | (will.qos << 3) | (will.retain ? 0b0010_0000 : 0) : 0;
  const credentials = (username === undefined ? 0 : 0b1000_0000) | (password === undefined ? 0 : 0b0100_0000);
  writer.uint(credentials | willFlags | (cleanSession ? 0b0000_0010 : 0), 1);
  writer.uint(keepAliveSeconds, 2);
  writer.string(clientId);
  if (will) {
    ensure(isTopicName(will.topic), "no topic name");
    writer.string(will.topic);
    writer.binary(will.payload);
  }
  if (username !== undefined) writer.string(username);
  if (password !== undefined) writer.binary(password);
}

function encodeWholePublish(packet: PublishPacket): Uint8Array {
  ensure(isTopicName(packet.topic), "no topic name");
  const publish = { ...packet, topic: encodeString(packet.topic) };
  const bytes = new Uint8Array(publishLength(publish));
  encodePublish(publish, bytes, 0);
  return bytes;
}

function encodeFilter(filter: string, writer: FieldWriter): void {
  ensure(isTopicFilter(filter), "no topic filter");
  writer.string(filter);
}

function ensure(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new RangeError(rule);
}
