import { expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { CoapMalformedError, type CoapMessage, checkOptions, decodeMessage, decodeMessageView, encodeMessage } from ".";
import { randomMessage } from "./testing/random-message";

test(`random messages survive the way there and back (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 3_000; round++) {
    const message = randomMessage(random);
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  }
});

test(`random bytes are malformed or a message (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  let decoded = 0;
  for (let round = 0; round < 40_000; round++) {
    const bytes = random.bytes(random.below(40));
    if (bytes.length > 1 && random.below(4) > 0) {
      bytes[0] = 0x40 | random.below(0x2a);
      bytes[1] = random.oneOf([0x01, 0x45, 0x84]);
    }
    if (decodeOrMalformed(bytes)) decoded++;
  }
  expect(decoded).toBeGreaterThan(100); // else the test above says nothing
});

test(`mutated messages are malformed or a message that can be encoded again (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 20_000; round++) {
    const bytes = encodeMessage(randomMessage(random));
    if (bytes.length > 400) continue;
    const mutations = 1 + random.below(3);
    for (let n = 0; n < mutations; n++)
      bytes[random.below(bytes.length)] = random.oneOf([0, 0xd0, 0xe0, 0xff, random.below(256)]);
    decodeOrMalformed(bytes);
    decodeOrMalformed(bytes.subarray(0, random.below(bytes.length)));
  }
});

function decodeOrMalformed(bytes: Uint8Array): boolean {
  let message: CoapMessage;
  try {
    message = decodeMessage(bytes);
    const view = decodeMessageView(bytes);
    checkOptions(view, new Set([11, 23, 27]));
    view.texts(11);
    view.uint(6);
  } catch (error) {
    if (error instanceof CoapMalformedError) return false;
    throw new Error(bytes.toHex(), { cause: error });
  }
  expect(encodeMessage(message)).toEqual(bytes); // the forms of deltas and lengths do not overlap: one way to write it
  return true;
}
