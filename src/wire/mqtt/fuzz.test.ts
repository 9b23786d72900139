import { expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { decodePacket, encodePacket, FrameReader, MqttProtocolError, type Packet } from ".";
import { randomPacket } from "./testing/random-packet";

test(`random packets survive the way there and back (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 500; round++) {
    const packets = random.list(8, () => randomPacket(random));
    expect(decodeStream(packets.map(encodePacket), random)).toEqual(packets);
  }
});

test(`random bytes are malformed or a packet (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 30_000; round++) decodeOrMalformed(random.below(256), random.bytes(random.below(40)));
});

test(`mutated packets are malformed or a packet that can be encoded again (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 20_000; round++) {
    const bytes = encodePacket(randomPacket(random));
    if (bytes.length > 1_000) continue;
    const mutations = 1 + random.below(3);
    for (let n = 0; n < mutations; n++)
      bytes[random.below(bytes.length)] = random.oneOf([0, 0x80, 0xff, random.below(256)]);
    decodeStreamOrMalformed(bytes.subarray(0, 1 + random.below(bytes.length)));
    decodeStreamOrMalformed(bytes);
  }
});

/** In pieces of random sizes, as a network may deliver them. */
function decodeStream(packets: Uint8Array[], random: Random): Packet[] {
  const bytes = Buffer.concat(packets);
  const reader = new FrameReader(100_000);
  const decoded: Packet[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(random.oneOf([3, 300, 30_000]));
    reader.push(new Uint8Array(bytes.subarray(at, at + size)));
    at += size;
    while (reader.next()) decoded.push(decodePacket(reader.firstByte, reader.body()));
  }
  expect(reader.heldBytes).toBe(0);
  return decoded;
}

function decodeStreamOrMalformed(bytes: Uint8Array): void {
  const reader = new FrameReader(10_000);
  reader.push(bytes);
  try {
    while (reader.next()) decodeOrMalformed(reader.firstByte, reader.body());
  } catch (error) {
    if (!(error instanceof MqttProtocolError)) throw error;
  }
}

function decodeOrMalformed(firstByte: number, body: Uint8Array): void {
  let packet: Packet;
  try {
    packet = decodePacket(firstByte, body);
  } catch (error) {
    if (error instanceof MqttProtocolError) return;
    throw new Error(`${firstByte.toString(16)} ${body.toHex()}`, { cause: error });
  }
  encodePacket(packet);
}
