import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { decodeTlv, encodeTlv, type TlvEntry } from "./tlv";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const resource = (id: number, value: string): TlvEntry => ({ kind: "resource", id, value: hex(value) });
const one = (id: number, value: string): TlvEntry => ({ kind: "resourceInstance", id, value: hex(value) });
const several = (id: number, ...entries: TlvEntry[]): TlvEntry => ({ kind: "multipleResource", id, entries });
const instance = (id: number, ...entries: TlvEntry[]): TlvEntry => ({ kind: "objectInstance", id, entries });

const VECTORS: { name: string; bytes: string; entries: TlvEntry[] }[] = [
  { name: "an empty value", bytes: "c0 0d", entries: [resource(13, "")] },
  { name: "length in the type byte", bytes: "c1 0d 2a", entries: [resource(13, "2a")] },
  {
    name: "the longest length in the type byte",
    bytes: "c7 0d 01020304050607",
    entries: [resource(13, "01020304050607")],
  },
  { name: "16-bit id", bytes: "e1 164c 01", entries: [resource(5708, "01")] },
  { name: "the highest id", bytes: "e1 ffff 01", entries: [resource(65_535, "01")] },
  { name: "8-bit length", bytes: `c8 00 14 ${"4f".repeat(20)}`, entries: [resource(0, "4f".repeat(20))] },
  { name: "8-bit length from 8 on", bytes: `c8 00 08 ${"4f".repeat(8)}`, entries: [resource(0, "4f".repeat(8))] },
  { name: "16-bit length", bytes: `d0 01 0100 ${"aa".repeat(256)}`, entries: [resource(1, "aa".repeat(256))] },
  {
    name: "16-bit id and length",
    bytes: `f0 0100 0100 ${"aa".repeat(256)}`,
    entries: [resource(256, "aa".repeat(256))],
  },
  {
    name: "several values (1.0.2 §6.4.3.1, power sources)",
    bytes: "86 06 41 00 01 41 01 05",
    entries: [several(6, one(0, "01"), one(1, "05"))],
  },
  {
    name: "two instances (§6.4.3.2, access control)",
    bytes:
      "08 00 0e c1 00 01 c1 01 00 83 02 41 7f 07 c1 03 7f 08 02 12 c1 00 03 c1 01 00 87 02 41 7f 07 61 01 36 01 c1 03 7f",
    entries: [
      instance(0, resource(0, "01"), resource(1, "00"), several(2, one(127, "07")), resource(3, "7f")),
      instance(2, resource(0, "03"), resource(1, "00"), several(2, one(127, "07"), one(310, "01")), resource(3, "7f")),
    ],
  },
  {
    name: "one instance with its wrapper (§6.4.3.2, server)",
    bytes: "08 00 0f c1 00 01 c4 01 00 01 51 80 c1 06 01 c1 07 55",
    entries: [instance(0, resource(0, "01"), resource(1, "00015180"), resource(6, "01"), resource(7, "55"))],
  },
  {
    name: "object links (§6.4.3.3)",
    bytes: "88 00 0c 44 00 00 42 00 00 44 01 00 42 00 01 c8 01 0d 38363133383030373535353030 c4 02 12 34 56 78",
    entries: [
      several(0, one(0, "00420000"), one(1, "00420001")),
      resource(1, "38363133383030373535353030"),
      resource(2, "12345678"),
    ],
  },
  {
    name: "two instances with a link each, one null (§6.4.3.3)",
    bytes: `08 00 26 c8 00 0b 6d795365727669636520 31 c8 01 0f 496e7465726e65742e31352e323334 c4 02 00430000
      08 01 26 c8 00 0b 6d795365727669636520 32 c8 01 0f 496e7465726e65742e31352e323335 c4 02 ffffffff`.replaceAll(
      "\n",
      "",
    ),
    entries: [
      instance(
        0,
        resource(0, "6d79536572766963652031"),
        resource(1, "496e7465726e65742e31352e323334"),
        resource(2, "00430000"),
      ),
      instance(
        1,
        resource(0, "6d79536572766963652032"),
        resource(1, "496e7465726e65742e31352e323335"),
        resource(2, "ffffffff"),
      ),
    ],
  },
  { name: "an empty instance and an empty list", bytes: "00 05 80 07", entries: [instance(5), several(7)] },
];

describe.each(VECTORS)("$name", ({ bytes, entries }) => {
  test("decodes", () => expect(decodeTlv(hex(bytes))).toEqual(entries));
  test("encodes to the same bytes", () => expect(encodeTlv(entries)).toEqual(hex(bytes)));
  test("is malformed when cut anywhere inside an entry", () => {
    const ends = new Set([0, ...entries.map((_, at) => encodeTlv(entries.slice(0, at + 1)).length)]);
    for (let cut = 1; cut < hex(bytes).length; cut++) {
      if (!ends.has(cut)) expect(() => decodeTlv(hex(bytes).subarray(0, cut))).toThrow(MalformedError);
    }
  });
});

test("a 24-bit length", () => {
  const value = new Uint8Array(0x1_0000).fill(7);
  const bytes = encodeTlv([{ kind: "resource", id: 0, value }]);
  expect(bytes.subarray(0, 5).toHex()).toBe("d800010000");
  expect(decodeTlv(bytes)).toEqual([{ kind: "resource", id: 0, value }]);
});

test.each([
  ["an id in two bytes that fits one", "e1 000d 2a", [resource(13, "2a")]],
  ["a length in two bytes that fits the type byte", "d0 0d 0001 2a", [resource(13, "2a")]],
])("%s is understood, and never written", (_name, bytes, entries) => {
  expect(decodeTlv(hex(bytes))).toEqual(entries);
  expect(encodeTlv(entries).toHex()).toBe("c10d2a");
});

test.each([
  ["the same id twice", "c1 0d 2a c1 0d 2b"],
  ["an instance inside an instance", "03 00 01 01 00"],
  ["a resource inside several values", "83 00 c1 00 01"],
  ["one of several values inside an instance", "03 00 41 00 01"],
  ["an inner entry that ends after its parent", "03 00 c2 00 01 01"],
])("%s is malformed", (_name, bytes) => {
  expect(() => decodeTlv(hex(bytes))).toThrow(MalformedError);
});

test.each([
  ["an id over 16 bits", resource(65_536, "")],
  ["a value of 16 MiB", { kind: "resource", id: 0, value: new Uint8Array(0x100_0000) } satisfies TlvEntry],
])("%s is not written", (_name, entry) => expect(() => encodeTlv([entry])).toThrow(RangeError));
