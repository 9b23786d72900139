/** Body of one packet in, value out (MQTT 3.1.1 §3). Payloads and passwords are views of the body, not copies. */
import { FieldReader } from "./fields";
import { checkFirstByte, PACKET_TYPES } from "./fixed-header";
import { MqttProtocolError } from "./mqtt-protocol-error";
import {
  type AckType,
  CONNACK,
  type ConnackCode,
  type ConnackPacket,
  type ConnectPacket,
  type Packet,
  type PacketType,
  type PublishPacket,
  type QoS,
  SUBACK_FAILURE,
  type SubackCode,
  type SubackPacket,
  type SubscribePacket,
  type Subscription,
  type UnsubscribePacket,
  type Will,
} from "./packet";
import { decodePublish } from "./publish";
import { isTopicFilter, isTopicName } from "./topic";

const TYPE_OF_NUMBER: ReadonlyMap<number, PacketType> = new Map(
  Object.entries(PACKET_TYPES).map(([type, number]) => [number, type as PacketType]),
);
const CONNACK_CODES: readonly number[] = Object.values(CONNACK);
const SUBACK_CODES: readonly number[] = [0, 1, 2, SUBACK_FAILURE];

/** Throws nothing but MqttProtocolError, whatever the bytes are. */
export function decodePacket(firstByte: number, body: Uint8Array): Packet {
  checkFirstByte(firstByte);
  const type = TYPE_OF_NUMBER.get(firstByte >> 4) as PacketType; // the others are refused by checkFirstByte
  if (type === "publish") return decodeWholePublish(firstByte, body);
  const reader = new FieldReader(body);
  const packet = decodeBody(type, reader);
  reader.end();
  return packet;
}

function decodeBody(type: Exclude<PacketType, "publish">, reader: FieldReader): Packet {
  switch (type) {
    case "connect":
      return decodeConnect(reader);
    case "connack":
      return decodeConnack(reader);
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
    case "unsuback":
      return { type: type satisfies AckType, packetId: reader.packetId() };
    case "subscribe":
      return decodeSubscribe(reader);
    case "suback":
      return decodeSuback(reader);
    case "unsubscribe":
      return decodeUnsubscribe(reader);
    case "pingreq":
    case "pingresp":
    case "disconnect":
      return { type };
    default:
      return type satisfies never;
  }
}

function decodeConnect(reader: FieldReader): ConnectPacket {
  checkProtocol(reader.string(), reader.uint(1));
  const flags = connectFlags(reader.uint(1));
  const keepAliveSeconds = reader.uint(2);
  const clientId = reader.string(); // the order of the payload: [MQTT-3.1.3-1]
  const will: Will | undefined = flags.will && {
    topic: topicName(reader.string()),
    payload: reader.binary(),
    ...flags.will,
  };
  const username = flags.hasUsername ? reader.string() : undefined;
  const password = flags.hasPassword ? reader.binary() : undefined;
  return { type: "connect", clientId, cleanSession: flags.cleanSession, keepAliveSeconds, will, username, password };
}

/** Any level but 4, and MQTT 3.1 with its old name, is another protocol that deserves CONNACK 1 [MQTT-3.1.2-2]. */
function checkProtocol(name: string, level: number): void {
  if (name !== "MQTT" && name !== "MQIsdp") throw new MqttProtocolError("protocol_name"); // [MQTT-3.1.2-1]
  if (name !== "MQTT" || level !== 4) throw new MqttProtocolError("protocol_level", `${name} ${level}`);
}

function connectFlags(flags: number) {
  if (flags & 0b0000_0001) throw new MqttProtocolError("connect_flags", "reserved bit"); // [MQTT-3.1.2-3]
  const hasUsername = (flags & 0b1000_0000) !== 0;
  const hasPassword = (flags & 0b0100_0000) !== 0;
  if (hasPassword && !hasUsername) throw new MqttProtocolError("password_without_username"); // [MQTT-3.1.2-22]
  return { hasUsername, hasPassword, will: willFlags(flags), cleanSession: (flags & 0b0000_0010) !== 0 };
}

function willFlags(flags: number): Pick<Will, "qos" | "retain"> | undefined {
  const qos = (flags >> 3) & 0b11;
  const retain = (flags & 0b0010_0000) !== 0;
  if ((flags & 0b0000_0100) === 0) {
    if (qos > 0 || retain) throw new MqttProtocolError("will_flags", "set without a will"); // [MQTT-3.1.2-11, -13, -15]
    return undefined;
  }
  if (!isQoS(qos)) throw new MqttProtocolError("will_flags", "QoS 3"); // [MQTT-3.1.2-14]
  return { qos, retain };
}

function decodeConnack(reader: FieldReader): ConnackPacket {
  const flags = reader.uint(1);
  if (flags > 1) throw new MqttProtocolError("connack_flags", "reserved bits"); // §3.2.2.1
  const returnCode = reader.uint(1);
  if (!isConnackCode(returnCode)) throw new MqttProtocolError("return_code", `${returnCode}`);
  // [MQTT-3.2.2-4] A refusal has no session.
  if (flags === 1 && returnCode !== CONNACK.accepted) throw new MqttProtocolError("connack_flags", "session present");
  return { type: "connack", sessionPresent: flags === 1, returnCode };
}

function decodeWholePublish(firstByte: number, body: Uint8Array): PublishPacket {
  const view = decodePublish(firstByte, body);
  const { qos, retain, dup, packetId } = view;
  return { type: "publish", topic: view.topic(), payload: view.payload(), qos, retain, dup, packetId };
}

function decodeSubscribe(reader: FieldReader): SubscribePacket {
  const packetId = reader.packetId();
  const subscriptions = oneOrMore(reader, (): Subscription => {
    const filter = topicFilter(reader.string());
    const qos = reader.uint(1);
    if (!isQoS(qos)) throw new MqttProtocolError("qos", `${qos}`); // [MQTT-3.8.3-4], reserved bits included
    return { filter, qos };
  });
  return { type: "subscribe", packetId, subscriptions };
}

function decodeSuback(reader: FieldReader): SubackPacket {
  const packetId = reader.packetId();
  const returnCodes = oneOrMore(reader, () => {
    const code = reader.uint(1);
    if (!isSubackCode(code)) throw new MqttProtocolError("return_code", `${code}`); // [MQTT-3.9.3-2]
    return code;
  });
  return { type: "suback", packetId, returnCodes };
}

function decodeUnsubscribe(reader: FieldReader): UnsubscribePacket {
  const packetId = reader.packetId();
  return { type: "unsubscribe", packetId, filters: oneOrMore(reader, () => topicFilter(reader.string())) };
}

/** [MQTT-3.8.3-3, 3.10.3-2] A payload without entries is a protocol violation. */
function oneOrMore<T>(reader: FieldReader, readOne: () => T): T[] {
  if (reader.remaining === 0) throw new MqttProtocolError("no_topic_filter");
  const entries: T[] = [];
  while (reader.remaining > 0) entries.push(readOne());
  return entries;
}

function topicName(text: string): string {
  if (!isTopicName(text)) throw new MqttProtocolError("topic_name");
  return text;
}

function topicFilter(text: string): string {
  if (!isTopicFilter(text)) throw new MqttProtocolError("topic_filter");
  return text;
}

const isQoS = (value: number): value is QoS => value < 3;
const isConnackCode = (value: number): value is ConnackCode => CONNACK_CODES.includes(value);
const isSubackCode = (value: number): value is SubackCode => SUBACK_CODES.includes(value);
