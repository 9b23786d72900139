import { expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import {
  type Decoded,
  decodeDeviceMessage,
  decodePlatformMessage,
  encodeDeviceMessage,
  encodePlatformMessage,
  MALFORMED_REASONS,
  NOT_PCP_REASONS,
  type PcpMessage,
} from ".";
import { checkCodeOf } from "./crc";
import { randomDeviceMessage, randomPlatformMessage } from "./testing/random-message";

test(`random messages survive the way there and back (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 5_000; round++) {
    const down = randomPlatformMessage(random);
    expect(decodePlatformMessage(encodePlatformMessage(down))).toEqual({ kind: "message", message: down });
    const up = randomDeviceMessage(random);
    expect(decodeDeviceMessage(encodeDeviceMessage(up))).toEqual({ kind: "message", message: up });
  }
});

test(`random bytes have one of the declared outcomes (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  const seen = new Set<string>();
  for (let round = 0; round < 60_000; round++) {
    const bytes = random.bytes(random.below(48));
    if (bytes.length >= 8 && random.below(4) > 0) {
      bytes.set([0xff, 0xfe, random.oneOf([1, 1, 1, 2]), 18 + random.below(8)]);
      if (random.flip()) bytes.set([0, bytes.length - 8], 6);
      if (random.below(4) > 0) seal(bytes);
    }
    for (const outcome of outcomesOf(bytes)) seen.add(outcome);
  }
  expect([...seen].sort()).toContain("message"); // else the test above says nothing
  for (const reason of Object.keys(NOT_PCP_REASONS)) expect(seen).toContain(reason);
});

test(`mutated messages have one of the declared outcomes (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  const seen = new Set<string>();
  for (let round = 0; round < 20_000; round++) {
    const frame = random.flip()
      ? encodeDeviceMessage(randomDeviceMessage(random))
      : encodePlatformMessage(randomPlatformMessage(random));
    const mutations = 1 + random.below(3);
    for (let n = 0; n < mutations; n++)
      frame[random.below(frame.length)] = random.oneOf([0, 1, 0x7f, 0xff, random.below(256)]);
    for (const outcome of outcomesOf(frame)) seen.add(outcome);
    for (const outcome of outcomesOf(seal(frame))) seen.add(outcome); // as from somebody who can count
    const cut = frame.subarray(0, random.below(frame.length));
    if (cut.length >= 8) seal(cut);
    for (const outcome of outcomesOf(cut)) seen.add(outcome);
  }
  for (const reason of MALFORMED_REASONS) expect(seen).toContain(reason);
  for (const reason of Object.keys(NOT_PCP_REASONS)) expect(seen).toContain(reason);
});

test("a claimed length costs nothing", () => {
  const bytes = Uint8Array.fromHex("fffe01150000ffff");
  seal(bytes);
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 10_000; round++) decodeDeviceMessage(bytes);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000); // 655 MB if it were believed
});

function outcomesOf(bytes: Uint8Array): string[] {
  const [up, down] = [decodeDeviceMessage(bytes), decodePlatformMessage(bytes)];
  check(bytes, up);
  check(bytes, down);
  // A message of the one direction encodes to what it came from, but for the reserved half byte and what it counts.
  if (up.kind === "message") expectSame(bytes, encodeDeviceMessage(up.message));
  if (down.kind === "message") expectSame(bytes, encodePlatformMessage(down.message));
  return [up, down].map((it) => (it.kind === "message" ? "message" : it.reason));
}

function check(bytes: Uint8Array, outcome: Decoded<PcpMessage>): void {
  if (outcome.kind === "message") return;
  const isInside = outcome.offset >= 0 && outcome.offset <= bytes.length;
  if (!isInside) throw new Error(`${bytes.toHex()}: offset ${outcome.offset}`);
}

function expectSame(bytes: Uint8Array, encoded: Uint8Array): void {
  const plain = bytes.with(2, 1);
  seal(plain);
  if (plain.toHex() !== encoded.toHex()) throw new Error(`${bytes.toHex()} became ${encoded.toHex()}`);
}

function seal(frame: Uint8Array): Uint8Array {
  const code = checkCodeOf(frame);
  frame[4] = code >> 8;
  frame[5] = code & 0xff;
  return frame;
}
