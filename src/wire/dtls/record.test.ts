import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { CONTENT_TYPE, decodeDatagram, encodeRecord, MAX_SEQUENCE, type RecordHeader } from "./record";
import { hex } from "./testing/hex";

type Vector = { name: string; bytes: string; header: RecordHeader; fragment: string };
const VECTORS: Vector[] = [
  {
    name: "first hello of most stacks",
    bytes: "16 feff 0000 000000000000 0003 010203",
    header: { type: CONTENT_TYPE.handshake, version: 0xfeff, epoch: 0, sequence: 0 },
    fragment: "010203",
  },
  {
    name: "first hello of mbedTLS 2.28",
    bytes: "16 fe00 0000 000000000001 0001 01",
    header: { type: CONTENT_TYPE.handshake, version: 0xfe00, epoch: 0, sequence: 1 },
    fragment: "01",
  },
  {
    name: "largest numbers, empty fragment",
    bytes: "17 fefd ffff ffffffffffff 0000",
    header: { type: CONTENT_TYPE.applicationData, version: 0xfefd, epoch: 0xffff, sequence: MAX_SEQUENCE },
    fragment: "",
  },
  {
    name: "connection id before the length",
    bytes: "19 fefd 0001 010203040506 aabbcc 0002 0e0f",
    header: {
      type: CONTENT_TYPE.connectionId,
      version: 0xfefd,
      epoch: 1,
      sequence: 0x010203040506,
      connectionId: hex("aabbcc"),
    },
    fragment: "0e0f",
  },
];
const ID_LENGTH = 3;

describe.each(VECTORS)("$name", ({ bytes, header, fragment }) => {
  test("decodes", () => {
    expect(decodeDatagram(hex(bytes), ID_LENGTH)).toMatchObject([{ ...header, fragment: hex(fragment) }]);
  });
  test("encodes to the same bytes", () => expect(encodeRecord(header, hex(fragment))).toEqual(hex(bytes)));
  test("is malformed when cut anywhere", () => {
    for (let cut = 1; cut < hex(bytes).length; cut++) {
      expect(() => decodeDatagram(hex(bytes).subarray(0, cut), ID_LENGTH)).toThrow(MalformedError);
    }
  });
});

test("several records in a datagram, with and without connection id", () => {
  const bytes = hex(VECTORS.map((vector) => vector.bytes).join(""));
  expect(decodeDatagram(bytes, ID_LENGTH)).toMatchObject(VECTORS.map(({ header }) => header));
});

test.each([
  ["unknown type", "18 fefd 0000 000000000000 0000"],
  ["not DTLS", "16 0303 0000 000000000000 0000"],
  ["longer than any record", `17 fefd 0000 000000000000 4801 ${"00".repeat(0x4801)}`],
  ["garbage behind a record", "17 fefd 0000 000000000000 0000 ff"],
])("%s is malformed", (_name, bytes) => {
  expect(() => decodeDatagram(hex(bytes))).toThrow(MalformedError);
});

test("a connection id where none was given out is malformed", () => {
  expect(() => decodeDatagram(hex("19 fefd 0001 000000000000 0000"))).toThrow(MalformedError);
});

test("what does not fit is a fault of the caller", () => {
  const header = { type: CONTENT_TYPE.alert, version: 0xfefd, epoch: 0, sequence: MAX_SEQUENCE + 1 };
  expect(() => encodeRecord(header, hex(""))).toThrow(RangeError);
  expect(() => encodeRecord({ ...header, sequence: 0, connectionId: hex("aa") }, hex(""))).toThrow(RangeError);
});
