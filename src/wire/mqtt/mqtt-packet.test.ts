/** The npm package mqtt-packet, which MQTT.js and aedes speak with, as a second opinion. */
import { expect, test } from "bun:test";
import { generate, parser, type Packet as TheirPacket } from "mqtt-packet";
import { fuzzSeed, Random } from "../testing/random";
import { decodePacket, encodePacket, FrameReader, type Packet } from ".";
import { randomPacket } from "./testing/random-packet";

test(`mqtt-packet reads what we write (seed ${fuzzSeed})`, () => {
  for (const packet of packets()) expect(ours(theirReading(encodePacket(packet)))).toEqual(packet);
});

test(`we read what mqtt-packet writes (seed ${fuzzSeed})`, () => {
  for (const packet of packets()) expect(ourReading(generate(theirs(packet)))).toEqual(packet);
});

test(`both write the same bytes (seed ${fuzzSeed})`, () => {
  for (const packet of packets()) expect(plain(generate(theirs(packet))).toHex()).toBe(encodePacket(packet).toHex());
});

function packets(): Packet[] {
  const random = new Random(fuzzSeed);
  return Array.from({ length: 1_000 }, () => randomPacket(random));
}

function ourReading(bytes: Uint8Array): Packet {
  const reader = new FrameReader(100_000);
  reader.push(plain(bytes));
  expect(reader.next()).toBe(true);
  return decodePacket(reader.firstByte, reader.body());
}

function theirReading(bytes: Uint8Array): TheirPacket {
  const read: TheirPacket[] = [];
  const stream = parser();
  stream.on("packet", (packet) => read.push(packet));
  stream.on("error", (error) => {
    throw error;
  });
  stream.parse(Buffer.from(bytes));
  expect(read).toHaveLength(1);
  return read[0] as TheirPacket;
}

function theirs(packet: Packet): TheirPacket {
  switch (packet.type) {
    case "connect": {
      const { clientId, cleanSession, keepAliveSeconds, will, username, password } = packet;
      return {
        cmd: "connect",
        protocolId: "MQTT",
        protocolVersion: 4,
        clientId,
        clean: cleanSession,
        keepalive: keepAliveSeconds,
        ...(will && { will: { ...will, payload: Buffer.from(will.payload) } }),
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password: Buffer.from(password) }),
      };
    }
    case "connack":
      return { cmd: "connack", sessionPresent: packet.sessionPresent, returnCode: packet.returnCode };
    case "publish": {
      const { topic, payload, qos, retain, dup, packetId } = packet;
      const message = { cmd: "publish", topic, payload: Buffer.from(payload), qos, retain, dup } as const;
      return qos === 0 ? message : { ...message, messageId: packetId };
    }
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
    case "unsuback":
      return { cmd: packet.type, messageId: packet.packetId } as TheirPacket;
    case "subscribe":
      return {
        cmd: "subscribe",
        messageId: packet.packetId,
        subscriptions: packet.subscriptions.map(({ filter, qos }) => ({ topic: filter, qos })),
      };
    case "suback":
      return { cmd: "suback", messageId: packet.packetId, granted: [...packet.returnCodes] };
    case "unsubscribe":
      return { cmd: "unsubscribe", messageId: packet.packetId, unsubscriptions: [...packet.filters] };
    case "pingreq":
    case "pingresp":
    case "disconnect":
      return { cmd: packet.type };
    default:
      return packet satisfies never;
  }
}

function ours(packet: TheirPacket): Packet {
  const packetId = packet.messageId ?? 0;
  switch (packet.cmd) {
    case "connect": {
      const { clientId, clean, keepalive, will, username, password } = packet;
      return {
        type: "connect",
        clientId,
        cleanSession: clean ?? false,
        keepAliveSeconds: keepalive ?? 0,
        will: will && {
          topic: will.topic,
          payload: plain(will.payload),
          qos: will.qos ?? 0,
          retain: will.retain ?? false,
        },
        username,
        password: password && plain(password),
      };
    }
    case "connack":
      return { type: "connack", sessionPresent: packet.sessionPresent, returnCode: packet.returnCode as 0 };
    case "publish": {
      const { topic, payload, qos, retain, dup } = packet;
      return { type: "publish", topic, payload: plain(payload), qos, retain, dup, packetId };
    }
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
    case "unsuback":
      return { type: packet.cmd, packetId };
    case "subscribe":
      return {
        type: "subscribe",
        packetId,
        subscriptions: packet.subscriptions.map(({ topic, qos }) => ({ filter: topic, qos })),
      };
    case "suback":
      return { type: "suback", packetId, returnCodes: packet.granted as 0[] };
    case "unsubscribe":
      return { type: "unsubscribe", packetId, filters: packet.unsubscriptions };
    case "pingreq":
    case "pingresp":
    case "disconnect":
      return { type: packet.cmd };
    default:
      throw new Error(`MQTT 3.1.1 has no ${packet.cmd}`);
  }
}

/** A Buffer is not equal to a Uint8Array of the same bytes. */
const plain = (bytes: Uint8Array | string) => new Uint8Array(Buffer.from(bytes));
