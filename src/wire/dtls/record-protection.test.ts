import { describe, expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { PSK_AES_128_CBC_SHA256, PSK_AES_128_CCM_8, PSK_AES_128_GCM_SHA256 } from "./cipher-suite";
import { CONTENT_TYPE, type DtlsRecord, decodeDatagram } from "./record";
import { createRecordProtection, type PlainRecord } from "./record-protection";
import { hex } from "./testing/hex";

const random = new Random(fuzzSeed);
const KINDS = [
  { name: "CCM_8", suite: PSK_AES_128_CCM_8, encryptThenMac: false },
  { name: "GCM", suite: PSK_AES_128_GCM_SHA256, encryptThenMac: false },
  { name: "CBC, MAC-then-encrypt", suite: PSK_AES_128_CBC_SHA256, encryptThenMac: false },
  { name: "CBC, encrypt-then-MAC", suite: PSK_AES_128_CBC_SHA256, encryptThenMac: true },
];
const connectionId = Uint8Array.of(7, 8, 9, 10);
const HEADERS = [
  { header: "plain header", connectionId: undefined },
  { header: "with connection id", connectionId },
];
const plainRecord = (changes: Partial<PlainRecord>): PlainRecord => ({
  type: CONTENT_TYPE.applicationData,
  epoch: 1,
  sequence: 2 ** 40 + 5,
  content: Buffer.from("temperature 21.5"),
  ...changes,
});

describe.each(KINDS)(`$name (seed ${fuzzSeed})`, ({ suite, encryptThenMac }) => {
  const keys = {
    macKey: random.bytes(suite.macKeyLength),
    key: random.bytes(suite.keyLength),
    salt: random.bytes(suite.saltLength),
  };
  const sender = createRecordProtection(suite, keys, { encryptThenMac });
  const receiver = createRecordProtection(suite, keys, { encryptThenMac });

  test.each(HEADERS)("opens what it sealed, of every length, $header", ({ connectionId: id }) => {
    const header = { connectionId: id };
    for (let length = 0; length < 100; length++) {
      const plain = plainRecord({ ...header, sequence: length, content: random.bytes(length) });
      const record = only(sender.seal(plain));
      expect(record).toMatchObject({ epoch: 1, sequence: length, connectionId: plain.connectionId });
      expect(record.type).toBe(plain.connectionId ? CONTENT_TYPE.connectionId : CONTENT_TYPE.applicationData);
      expect(receiver.open(record)).toEqual({ type: plain.type, content: plain.content });
    }
  });

  test("takes a full record, and refuses to seal more", () => {
    const content = random.bytes(0x4000);
    expect(receiver.open(only(sender.seal(plainRecord({ content }))))?.content).toEqual(content);
    expect(() => sender.seal(plainRecord({ content, connectionId }))).toThrow(RangeError); // no room for the type
    expect(() => sender.seal(plainRecord({ content: new Uint8Array(0x4001) }))).toThrow(RangeError);
  });

  test.each([{}, { connectionId }])(
    "refuses any flipped bit of header and body, and leaves it as it was: %p",
    (header) => {
      const bytes = sender.seal(plainRecord(header));
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const broken = bytes.slice();
        (broken[bit >> 3] as number) ^= 1 << (bit & 7);
        const before = broken.slice();
        for (const record of decodedIfPossible(broken)) expect(receiver.open(record)).toBeUndefined();
        expect(broken).toEqual(before);
      }
    },
  );

  test("refuses what was sealed with another key, or is cut short", () => {
    const other = { ...keys, key: random.bytes(16), macKey: random.bytes(suite.macKeyLength) };
    const stranger = createRecordProtection(suite, other, { encryptThenMac });
    expect(receiver.open(only(stranger.seal(plainRecord({}))))).toBeUndefined();
    const record = only(sender.seal(plainRecord({})));
    for (let length = 0; length < record.fragment.length; length++) {
      expect(receiver.open({ ...record, fragment: record.fragment.slice(0, length) })).toBeUndefined();
    }
  });

  test("the same content never looks the same", () => {
    const first = only(sender.seal(plainRecord({ sequence: 1 }))).fragment.toHex();
    expect(only(sender.seal(plainRecord({ sequence: 2 }))).fragment.toHex()).not.toBe(first);
  });

  test("only the id that was sealed opens it", () => {
    const record = only(sender.seal(plainRecord({ connectionId })));
    const header = record.header.slice();
    header[11] = 0;
    expect(receiver.open({ ...record, header, connectionId: header.subarray(11, 15) })).toBeUndefined();
  });
});

// Made by other hands: CCM with Node 20's own aes-128-ccm, CBC with Python's cryptography and hmac.
const FOREIGN = [
  {
    ...KINDS[0],
    record: "19fefd0001000000000007c1d100210001000000000007ba6eb3fb29e9f5ebf7bb0dc23feb1667b5fae38377f22f19b7",
  },
  {
    ...KINDS[2],
    record:
      "19fefd0001000000000007c1d10050a0a1a2a3a4a5a6a7a8a9aaabacadaeaff5fa466a43e74f3962e172606d49468277e9f01a868b3186" +
      "60e56b58a9a1f8126b65a3f40ab7d523043345c67c1eb7ccf6334eec9e37e935bdfc9128f3a59670",
  },
  {
    ...KINDS[3],
    record:
      "19fefd0001000000000007c1d10050a0a1a2a3a4a5a6a7a8a9aaabacadaeaff5fa466a43e74f3962e172606d4946824f10f670676cba49" +
      "f63558225f99335c3db16c0ae0b245c07702d57f997c292e7c2e6343f4673d795fa26bde0ee3fe09",
  },
];
test.each(FOREIGN)("a foreign record with connection id: $name", ({ suite, encryptThenMac = false, record: bytes }) => {
  if (suite === undefined) throw new Error("no suite");
  const count = (from: number, length: number) => Uint8Array.from({ length }, (_, at) => from + at);
  const keys = { key: count(0, 16), macKey: count(32, 32), salt: count(16, suite.saltLength) };
  const protection = createRecordProtection(suite, keys, { encryptThenMac });
  const [record] = decodeDatagram(hex(bytes), 2);
  if (record === undefined) throw new Error("no record");
  const { epoch, sequence, connectionId: id } = record;
  const opened = { type: CONTENT_TYPE.applicationData, content: new Uint8Array(Buffer.from("temperature 21.5")) };
  expect(protection.open(record)).toEqual(opened);
  if (suite.cipher === "ccm8") {
    expect(protection.seal({ ...opened, epoch, sequence, connectionId: id }).toHex()).toBe(bytes);
  }
});

test("zeros behind the inner type hide the length and are taken off", () => {
  const keys = { macKey: new Uint8Array(0), key: random.bytes(16), salt: random.bytes(4) };
  const protection = createRecordProtection(PSK_AES_128_CCM_8, keys, { encryptThenMac: false });
  // The sealer puts the type last; a content that brings type and zeros of its own ends in type 0 here.
  const content = Uint8Array.of(1, 2, 3, CONTENT_TYPE.alert, 0, 0);
  const record = only(protection.seal(plainRecord({ connectionId, type: 0, content })));
  expect(protection.open(record)).toEqual({ type: CONTENT_TYPE.alert, content: Uint8Array.of(1, 2, 3) });
  const nothing = only(
    protection.seal(plainRecord({ connectionId, type: 0, content: new Uint8Array(3), sequence: 1 })),
  );
  expect(protection.open(nothing)).toBeUndefined();
});

function only(bytes: Uint8Array): DtlsRecord {
  const [record, ...more] = decodeDatagram(bytes, connectionId.length);
  if (record === undefined || more.length > 0) throw new Error("not one record");
  return record;
}

function decodedIfPossible(bytes: Uint8Array): DtlsRecord[] {
  try {
    return decodeDatagram(bytes, connectionId.length);
  } catch {
    return [];
  }
}
