import { describe, expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { createAesCcm } from "./aes-ccm";
import { hex } from "./testing/hex";

// RFC 3610 §8 (nonces of 13 bytes) and NIST SP 800-38C example 3 (12 bytes, as DTLS has them).
const VECTORS = [
  {
    name: "RFC 3610 packet vector 1",
    key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
    nonce: "00000003020100a0a1a2a3a4a5",
    additional: "0001020304050607",
    plain: "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
    sealed: "588c979a61c663d2f066d0c2c0f989806d5f6b61dac384 17e8d12cfdf926e0",
  },
  {
    name: "RFC 3610 packet vector 2, a whole block",
    key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
    nonce: "00000004030201a0a1a2a3a4a5",
    additional: "0001020304050607",
    plain: "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    sealed: "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3b a091d56e10400916",
  },
  {
    name: "NIST SP 800-38C example 3",
    key: "404142434445464748494a4b4c4d4e4f",
    nonce: "101112131415161718191a1b",
    additional: "000102030405060708090a0b0c0d0e0f10111213",
    plain: "202122232425262728292a2b2c2d2e2f3031323334353637",
    sealed: "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5 484392fbc1b09951",
  },
];
const TAG = 8;

describe.each(VECTORS)("$name", (vector) => {
  const ccm = createAesCcm(hex(vector.key));
  const nonce = hex(vector.nonce);
  const additional = hex(vector.additional);
  const plain = hex(vector.plain);
  const sealed = hex(vector.sealed);

  test("seals, again and again with the same object", () => {
    for (let round = 0; round < 3; round++) {
      const bytes = new Uint8Array([...plain, ...new Uint8Array(TAG)]);
      ccm.seal(nonce, additional, bytes, 0, plain.length);
      expect(bytes).toEqual(sealed);
    }
  });
  test("opens in place, in the middle of other bytes", () => {
    const bytes = new Uint8Array([1, 2, 3, ...sealed, 4, 5]);
    expect(ccm.open(nonce, additional, bytes, 3, 3 + plain.length)).toBe(true);
    expect(bytes.subarray(3, 3 + plain.length)).toEqual(plain);
    expect([bytes[2], bytes.at(-2)]).toEqual([3, 4]);
  });
  test("any flipped bit is refused and changes nothing", () => {
    for (let at = 0; at < sealed.length; at++) {
      const bytes = sealed.slice();
      (bytes[at] as number) ^= 1 << (at % 8);
      const before = bytes.slice();
      expect(ccm.open(nonce, additional, bytes, 0, plain.length)).toBe(false);
      expect(bytes).toEqual(before);
    }
    expect(ccm.open(nonce, additional.subarray(1), sealed.slice(), 0, plain.length)).toBe(false);
    expect(ccm.open(nonce, additional, sealed.slice(), 0, sealed.length)).toBe(false);
  });
});

test(`random messages of all lengths survive the way there and back (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  const ccm = createAesCcm(random.bytes(16));
  for (let length = 0; length < 300; length++) {
    const nonce = random.bytes(12);
    const additional = random.bytes(random.below(40));
    const plain = random.bytes(length);
    const bytes = new Uint8Array([...plain, ...new Uint8Array(TAG)]);
    ccm.seal(nonce, additional, bytes, 0, length);
    if (length > 8) expect(bytes.subarray(0, length)).not.toEqual(plain);
    expect(ccm.open(nonce, additional, bytes, 0, length)).toBe(true);
    expect(bytes.subarray(0, length)).toEqual(plain);
  }
});

test.each([0, 6, 14])("a nonce of %d bytes is a fault", (length) => {
  const ccm = createAesCcm(new Uint8Array(16));
  expect(() => ccm.seal(new Uint8Array(length), new Uint8Array(0), new Uint8Array(9), 0, 1)).toThrow(RangeError);
});
