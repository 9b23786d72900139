import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { decodePacket, encodePacket, FrameReader, type MqttFault, MqttProtocolError, type Packet } from ".";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const text = (value: string) => new TextEncoder().encode(value);

type Vector = {
  name: string;
  bytes: string;
  packet: Packet;
  /** So many bytes of the body can not be cut into; what follows may end earlier: a payload, more list entries. */
  head?: number;
};

const VECTORS: Vector[] = [
  {
    name: "the smallest CONNECT",
    bytes: "10 0d 0004 4d515454 04 02 003c 0001 61",
    packet: { type: "connect", clientId: "a", cleanSession: true, keepAliveSeconds: 60 },
  },
  {
    name: "a CONNECT without client id, session or keep-alive",
    bytes: "10 0c 0004 4d515454 04 00 0000 0000",
    packet: { type: "connect", clientId: "", cleanSession: false, keepAliveSeconds: 0 },
  },
  {
    name: "a CONNECT with everything",
    bytes: "10 21 0004 4d515454 04 f6 ffff 0001 61 0003 772f74 0002 0042 0004 75736572 0003 7000ff",
    packet: {
      type: "connect",
      clientId: "a",
      cleanSession: true,
      keepAliveSeconds: 65_535,
      will: { topic: "w/t", payload: hex("0042"), qos: 2, retain: true },
      username: "user",
      password: hex("7000ff"),
    },
  },
  {
    name: "a CONNECT with an empty will payload, an empty username and no password",
    bytes: "10 14 0004 4d515454 04 8c 0001 0001 61 0001 77 0000 0000",
    packet: {
      type: "connect",
      clientId: "a",
      cleanSession: false,
      keepAliveSeconds: 1,
      will: { topic: "w", payload: hex(""), qos: 1, retain: false },
      username: "",
    },
  },
  {
    name: "CONNACK, accepted",
    bytes: "20 02 00 00",
    packet: { type: "connack", sessionPresent: false, returnCode: 0 },
  },
  {
    name: "CONNACK, session present",
    bytes: "20 02 01 00",
    packet: { type: "connack", sessionPresent: true, returnCode: 0 },
  },
  { name: "CONNACK, refused", bytes: "20 02 00 05", packet: { type: "connack", sessionPresent: false, returnCode: 5 } },
  {
    name: "PUBLISH, QoS 0",
    bytes: "30 07 0003 612f62 6869",
    packet: { type: "publish", topic: "a/b", payload: text("hi"), qos: 0, retain: false, dup: false, packetId: 0 },
    head: 5,
  },
  {
    name: "PUBLISH, QoS 1, retained, without payload",
    bytes: "33 07 0003 612f62 000a",
    packet: { type: "publish", topic: "a/b", payload: hex(""), qos: 1, retain: true, dup: false, packetId: 10 },
  },
  {
    name: "PUBLISH, QoS 2, duplicate, with the highest packet identifier",
    bytes: "3c 06 0001 2f ffff 00",
    packet: { type: "publish", topic: "/", payload: hex("00"), qos: 2, retain: false, dup: true, packetId: 65_535 },
    head: 5,
  },
  {
    name: "PUBLISH with a byte order mark in its topic", // [MQTT-1.5.3-3]
    bytes: "30 06 0004 efbbbf61",
    packet: { type: "publish", topic: "\ufeffa", payload: hex(""), qos: 0, retain: false, dup: false, packetId: 0 },
  },
  {
    name: "PUBLISH with a character outside the basic plane", // figure 1.2 of the specification
    bytes: "30 07 0005 41f0aa9b94",
    packet: { type: "publish", topic: "A\u{2a6d4}", payload: hex(""), qos: 0, retain: false, dup: false, packetId: 0 },
  },
  {
    name: "PUBLISH with two bytes of remaining length",
    bytes: `30 8001 0001 61 ${"55".repeat(125)}`,
    packet: {
      type: "publish",
      topic: "a",
      payload: new Uint8Array(125).fill(0x55),
      qos: 0,
      retain: false,
      dup: false,
      packetId: 0,
    },
    head: 3,
  },
  { name: "PUBACK", bytes: "40 02 0001", packet: { type: "puback", packetId: 1 } },
  { name: "PUBREC", bytes: "50 02 0102", packet: { type: "pubrec", packetId: 258 } },
  { name: "PUBREL", bytes: "62 02 0100", packet: { type: "pubrel", packetId: 256 } },
  { name: "PUBCOMP", bytes: "70 02 ffff", packet: { type: "pubcomp", packetId: 65_535 } },
  {
    name: "SUBSCRIBE",
    bytes: "82 08 000a 0003 612f62 01",
    packet: { type: "subscribe", packetId: 10, subscriptions: [{ filter: "a/b", qos: 1 }] },
  },
  {
    name: "SUBSCRIBE to three filters",
    bytes: "82 0f 000a 0001 23 00 0001 2b 01 0002 2f2b 02",
    packet: {
      type: "subscribe",
      packetId: 10,
      subscriptions: [
        { filter: "#", qos: 0 },
        { filter: "+", qos: 1 },
        { filter: "/+", qos: 2 },
      ],
    },
    head: 6,
  },
  {
    name: "SUBACK with every code",
    bytes: "90 06 000a 00 01 02 80",
    packet: { type: "suback", packetId: 10, returnCodes: [0, 1, 2, 0x80] },
    head: 3,
  },
  {
    name: "UNSUBSCRIBE",
    bytes: "a2 07 000a 0003 612f23",
    packet: { type: "unsubscribe", packetId: 10, filters: ["a/#"] },
  },
  {
    name: "UNSUBSCRIBE from two filters",
    bytes: "a2 08 000a 0001 61 0001 62",
    packet: { type: "unsubscribe", packetId: 10, filters: ["a", "b"] },
    head: 5,
  },
  { name: "UNSUBACK", bytes: "b0 02 000a", packet: { type: "unsuback", packetId: 10 } },
  { name: "PINGREQ", bytes: "c0 00", packet: { type: "pingreq" } },
  { name: "PINGRESP", bytes: "d0 00", packet: { type: "pingresp" } },
  { name: "DISCONNECT", bytes: "e0 00", packet: { type: "disconnect" } },
];

describe.each(VECTORS)("$name", ({ bytes, packet, head }) => {
  const whole = hex(bytes);
  const firstByte = whole[0] as number;
  const body = whole.subarray(bytes.startsWith("30 8001") ? 3 : 2);

  test("decodes", () => expect(decodeStream(whole)).toEqual([packet]));
  test("encodes to the same bytes", () => expect(encodePacket(packet)).toEqual(whole));
  test("is malformed when cut anywhere", () => {
    for (let cut = 0; cut < (head ?? body.length); cut++) {
      expect(() => decodePacket(firstByte, body.subarray(0, cut))).toThrow(MalformedError);
    }
  });
  test("is malformed with a byte more", () => {
    if (packet.type === "publish") return; // its payload takes whatever follows
    expect(() => decodePacket(firstByte, Uint8Array.of(...body, 0xff))).toThrow(MalformedError);
  });
});

const CONNECT = "0004 4d515454 04"; // protocol name and level
const REFUSED: [rule: string, reason: MqttFault, bytes: string][] = [
  ["packet type 0 is reserved [2.2.1]", "packet_type", "00 00"],
  ["packet type 15 is reserved [2.2.1]", "packet_type", "f0 00"],
  ["CONNECT with flags [MQTT-2.2.2-2]", "fixed_header_flags", `11 0d ${CONNECT} 02 003c 0001 61`],
  ["a TLS ClientHello on the plain port [MQTT-2.2.2-2]", "fixed_header_flags", "16 03 01 02 00"],
  ["CONNACK with flags [MQTT-2.2.2-2]", "fixed_header_flags", "28 02 0000"],
  ["PUBACK with flags [MQTT-2.2.2-2]", "fixed_header_flags", "42 02 0001"],
  ["PUBREC with flags [MQTT-2.2.2-2]", "fixed_header_flags", "51 02 0001"],
  ["PUBREL without 0010 [MQTT-3.6.1-1]", "fixed_header_flags", "60 02 0001"],
  ["PUBCOMP with flags [MQTT-2.2.2-2]", "fixed_header_flags", "72 02 0001"],
  ["SUBSCRIBE without 0010 [MQTT-3.8.1-1]", "fixed_header_flags", "80 06 0001 0001 61 00"],
  ["SUBACK with flags [MQTT-2.2.2-2]", "fixed_header_flags", "92 03 0001 00"],
  ["UNSUBSCRIBE without 0010 [MQTT-3.10.1-1]", "fixed_header_flags", "a0 05 0001 0001 61"],
  ["UNSUBACK with flags [MQTT-2.2.2-2]", "fixed_header_flags", "b2 02 0001"],
  ["PINGREQ with flags [MQTT-2.2.2-2]", "fixed_header_flags", "c1 00"],
  ["PINGRESP with flags [MQTT-2.2.2-2]", "fixed_header_flags", "d8 00"],
  ["DISCONNECT with flags [MQTT-3.14.1-1]", "fixed_header_flags", "e2 00"],
  ["a remaining length of five bytes [2.2.3]", "remaining_length", "30 80808080 01"],
  ["a packet over the limit [2.2.3]", "packet_too_large", "30 ffffff7f"],

  ["another protocol's name [MQTT-3.1.2-1]", "protocol_name", "10 0d 0004 68747470 04 02 003c 0001 61"],
  ["a protocol name in lower case [MQTT-3.1.2-1]", "protocol_name", "10 0d 0004 6d717474 04 02 003c 0001 61"],
  ["MQTT 5 [MQTT-3.1.2-2]", "protocol_level", "10 0e 0004 4d515454 05 02 003c 00 0001 61"],
  ["MQTT 3.1 [MQTT-3.1.2-2]", "protocol_level", "10 0f 0006 4d5149736470 03 02 003c 0001 61"],
  ["the bridge bit in the level [MQTT-3.1.2-2]", "protocol_level", "10 0d 0004 4d515454 84 02 003c 0001 61"],
  ["the reserved connect flag [MQTT-3.1.2-3]", "connect_flags", `10 0d ${CONNECT} 03 003c 0001 61`],
  ["a will QoS without will [MQTT-3.1.2-13]", "will_flags", `10 0d ${CONNECT} 0a 003c 0001 61`],
  ["a retained will without will [MQTT-3.1.2-15]", "will_flags", `10 0d ${CONNECT} 22 003c 0001 61`],
  ["a will with QoS 3 [MQTT-3.1.2-14]", "will_flags", `10 12 ${CONNECT} 1e 003c 0001 61 0001 77 0000`],
  [
    "password without username [MQTT-3.1.2-22]",
    "password_without_username",
    `10 10 ${CONNECT} 42 003c 0001 61 0001 70`,
  ],
  ["a will topic with a wildcard [MQTT-3.3.2-2]", "topic_name", `10 12 ${CONNECT} 06 003c 0001 61 0001 23 0000`],
  ["an empty will topic [MQTT-4.7.3-1]", "topic_name", `10 11 ${CONNECT} 06 003c 0001 61 0000 0000`],
  ["a flagged username that is not there", "truncated", `10 0d ${CONNECT} 82 003c 0001 61`],
  ["an unflagged username that is there", "trailing_bytes", `10 10 ${CONNECT} 02 003c 0001 61 0001 75`],
  ["a client id of a lone surrogate [MQTT-1.5.3-1]", "utf8", `10 0f ${CONNECT} 02 003c 0003 eda080`],
  ["a username with U+0000 [MQTT-1.5.3-2]", "utf8", `10 11 ${CONNECT} 82 003c 0001 61 0002 7500`],

  ["reserved CONNACK flags [3.2.2.1]", "connack_flags", "20 02 02 00"],
  ["a refusal with a session [MQTT-3.2.2-4]", "connack_flags", "20 02 01 05"],
  ["an unknown CONNACK code [3.2.2.3]", "return_code", "20 02 00 06"],

  ["QoS 3 [MQTT-3.3.1-4]", "qos", "36 05 0001 61 0001"],
  ["DUP with QoS 0 [MQTT-3.3.1-2]", "dup", "38 03 0001 61"],
  ["PUBLISH without topic length", "truncated", "30 01 00"],
  ["PUBLISH whose topic is longer than itself", "truncated", "30 04 0003 6162"],
  ["PUBLISH whose packet identifier is cut", "truncated", "32 04 0001 61 00"],
  ["an empty topic [MQTT-4.7.3-1]", "topic_name", "30 02 0000"],
  ["a topic with + [MQTT-3.3.2-2]", "topic_name", "30 05 0003 612f2b"],
  ["a topic with # [MQTT-3.3.2-2]", "topic_name", "30 05 0003 612f23"],
  ["a topic with U+0000 [MQTT-1.5.3-2]", "utf8", "30 05 0003 610062"],
  ["an overlong U+0000 [MQTT-1.5.3-1]", "utf8", "30 04 0002 c080"],
  ["an overlong slash [MQTT-1.5.3-1]", "utf8", "30 05 0003 e080af"],
  ["a lone continuation byte [MQTT-1.5.3-1]", "utf8", "30 03 0001 80"],
  ["a cut sequence [MQTT-1.5.3-1]", "utf8", "30 04 0002 e282"],
  ["a surrogate pair in UTF-8 [MQTT-1.5.3-1]", "utf8", "30 08 0006 eda081edb080"],
  ["a code point over U+10FFFF [MQTT-1.5.3-1]", "utf8", "30 06 0004 f4908080"],
  ["a five-byte sequence [MQTT-1.5.3-1]", "utf8", "30 07 0005 f888808080"],
  ["PUBLISH with packet identifier 0 [MQTT-2.3.1-1]", "packet_id", "32 05 0001 61 0000"],

  ["PUBACK with packet identifier 0", "packet_id", "40 02 0000"],
  ["PUBREL with packet identifier 0", "packet_id", "62 02 0000"],
  ["PUBACK that is too long", "trailing_bytes", "40 03 0001 00"],
  ["PUBACK that is too short", "truncated", "40 01 01"],

  ["SUBSCRIBE with packet identifier 0 [MQTT-2.3.1-1]", "packet_id", "82 06 0000 0001 61 00"],
  ["SUBSCRIBE to nothing [MQTT-3.8.3-3]", "no_topic_filter", "82 02 0001"],
  ["SUBSCRIBE with QoS 3 [MQTT-3.8.3-4]", "qos", "82 06 0001 0001 61 03"],
  ["SUBSCRIBE with reserved bits [MQTT-3.8.3-4]", "qos", "82 06 0001 0001 61 04"],
  ["SUBSCRIBE without QoS", "truncated", "82 05 0001 0001 61"],
  ["SUBSCRIBE to an empty filter [MQTT-4.7.3-1]", "topic_filter", "82 05 0001 0000 00"],
  ["# before the end of a filter [MQTT-4.7.1-2]", "topic_filter", "82 08 0001 0003 232f61 00"],
  ["# as a part of a level [MQTT-4.7.1-2]", "topic_filter", "82 07 0001 0002 6123 00"],
  ["+ as a part of a level [MQTT-4.7.1-3]", "topic_filter", "82 07 0001 0002 612b 00"],
  ["a second filter that is wrong", "topic_filter", "82 0b 0001 0001 61 00 0002 2b61 00"],
  ["a filter with U+0000 [MQTT-1.5.3-2]", "utf8", "82 06 0001 0001 00 00"],
  ["SUBACK without codes [3.9.3]", "no_topic_filter", "90 02 0001"],
  ["an unknown SUBACK code [MQTT-3.9.3-2]", "return_code", "90 03 0001 03"],
  ["UNSUBSCRIBE from nothing [MQTT-3.10.3-2]", "no_topic_filter", "a2 02 0001"],
  ["UNSUBSCRIBE with packet identifier 0 [MQTT-2.3.1-1]", "packet_id", "a2 05 0000 0001 61"],
  ["UNSUBSCRIBE from a filter that is none [MQTT-4.7.1-2]", "topic_filter", "a2 06 0001 0002 2323"],
  ["UNSUBACK with packet identifier 0", "packet_id", "b0 02 0000"],
  ["PINGREQ with a body [3.12.1]", "trailing_bytes", "c0 01 00"],
  ["DISCONNECT with a body [3.14.1]", "trailing_bytes", "e0 01 00"],
];

test.each(REFUSED)("refuses %s: %s", (_rule, reason, bytes) => {
  expect(reasonOf(() => decodeStream(hex(bytes)))).toBe(reason);
});

const publish = { type: "publish", topic: "a", payload: hex(""), retain: false } as const;
const connect = { type: "connect", clientId: "a", cleanSession: true, keepAliveSeconds: 0 } as const;
const UNSENDABLE: [rule: string, packet: Packet][] = [
  ["a topic with a wildcard", { ...publish, topic: "a/#", qos: 0, dup: false, packetId: 0 }],
  ["an empty topic", { ...publish, topic: "", qos: 0, dup: false, packetId: 0 }],
  ["a topic over 65,535 bytes", { ...publish, topic: "é".repeat(32_768), qos: 0, dup: false, packetId: 0 }],
  ["QoS 1 without packet identifier", { ...publish, qos: 1, dup: false, packetId: 0 }],
  ["DUP with QoS 0", { ...publish, qos: 0, dup: true, packetId: 0 }],
  ["packet identifier 0", { type: "puback", packetId: 0 }],
  ["packet identifier 65,536", { type: "puback", packetId: 65_536 }],
  ["a password without username", { ...connect, password: hex("00") }],
  ["a username with U+0000", { ...connect, username: "\0" }],
  ["a client id of half a character", { ...connect, clientId: "\ud800" }],
  ["a keep-alive over 65,535 s", { ...connect, keepAliveSeconds: 65_536 }],
  ["a will to a filter", { ...connect, will: { topic: "+", payload: hex(""), qos: 0, retain: false } }],
  [
    "a will over 65,535 bytes",
    { ...connect, will: { topic: "w", payload: new Uint8Array(65_536), qos: 0, retain: false } },
  ],
  ["SUBSCRIBE to nothing", { type: "subscribe", packetId: 1, subscriptions: [] }],
  ["SUBSCRIBE to no filter", { type: "subscribe", packetId: 1, subscriptions: [{ filter: "a#", qos: 0 }] }],
  ["UNSUBSCRIBE from nothing", { type: "unsubscribe", packetId: 1, filters: [] }],
  ["SUBACK without codes", { type: "suback", packetId: 1, returnCodes: [] }],
  ["a refusal with a session", { type: "connack", sessionPresent: true, returnCode: 5 }],
];

test.each(UNSENDABLE)("never encodes %s", (_rule, packet) => {
  expect(() => encodePacket(packet)).toThrow(RangeError);
});

test.each([
  [127, "7f"],
  [128, "8001"],
  [16_383, "ff7f"],
  [16_384, "808001"],
  [2_097_151, "ffff7f"],
  [2_097_152, "80808001"],
])("a remaining length of %d is %s", (remaining, expected) => {
  const payload = new Uint8Array(remaining - 3);
  const packet: Packet = { ...publish, payload, qos: 0, dup: false, packetId: 0 };
  const bytes = encodePacket(packet);
  expect(bytes.subarray(1, bytes.length - remaining).toHex()).toBe(expected);
  expect(decodeStream(bytes)).toEqual([packet]);
});

function decodeStream(bytes: Uint8Array): Packet[] {
  const reader = new FrameReader(4_194_304);
  const packets: Packet[] = [];
  reader.push(bytes);
  while (reader.next()) packets.push(decodePacket(reader.firstByte, reader.body()));
  return packets;
}

function reasonOf(decode: () => unknown): MqttFault | undefined {
  try {
    decode();
    return undefined;
  } catch (error) {
    if (error instanceof MqttProtocolError && error instanceof MalformedError) return error.reason;
    throw error;
  }
}
