import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { type CborValue, decodeCbor } from "./cbor-decode";
import { encodeCbor } from "./cbor-encode";

/** RFC 8949 appendix A: what is written in one way only. */
const VECTORS: [hex: string, value: CborValue][] = [
  ["00", 0],
  ["17", 23],
  ["1818", 24],
  ["1903e8", 1_000],
  ["1a000f4240", 1_000_000],
  ["1b000000e8d4a51000", 1_000_000_000_000],
  ["1bffffffffffffffff", 18_446_744_073_709_551_615n],
  ["3bffffffffffffffff", -18_446_744_073_709_551_616n],
  ["20", -1],
  ["3863", -100],
  ["3903e7", -1_000],
  ["f98000", -0],
  ["fb3ff199999999999a", 1.1],
  ["f93e00", 1.5],
  ["fa47c35000", 100_000],
  ["fa7f7fffff", 3.4028234663852886e38],
  ["fb7e37e43c8800759c", 1e300],
  ["f90001", 2 ** -24],
  ["f9c400", -4],
  ["f97c00", Infinity],
  ["f97e00", NaN],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["f7", undefined],
  ["40", new Uint8Array()],
  ["4401020304", Uint8Array.of(1, 2, 3, 4)],
  ["60", ""],
  ["62225c", '"\\'],
  ["64f0908591", "\u{10151}"],
  ["80", []],
  ["8301820203820405", [1, [2, 3], [4, 5]]],
  ["a0", new Map()],
  [
    "a201020304",
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  [
    "a26161016162820203",
    new Map<string, CborValue>([
      ["a", 1],
      ["b", [2, 3]],
    ]),
  ],
];
// Whole numbers are written as such, however they came.
const READ_ONLY = new Set(["fa47c35000", "f9c400"]);

describe.each(VECTORS)("%s", (hex, value) => {
  const bytes = Uint8Array.fromHex(hex);
  test("decodes", () => expect(decodeCbor(bytes)).toEqual(value));
  test("is malformed when cut anywhere, or longer", () => {
    for (let cut = 0; cut < bytes.length; cut++)
      expect(() => decodeCbor(bytes.subarray(0, cut))).toThrow(MalformedError);
    expect(() => decodeCbor(Uint8Array.of(...bytes, 0))).toThrow(MalformedError);
  });
  if (!READ_ONLY.has(hex)) test("encodes to the same bytes", () => expect(encodeCbor(value).toHex()).toBe(hex));
});

test.each<[name: string, hex: string, value: CborValue]>([
  ["bytes in chunks", "5f42010243030405ff", Uint8Array.of(1, 2, 3, 4, 5)],
  ["text in chunks", "7f657374726561646d696e67ff", "streaming"],
  ["an array until the break", "9f018202039f0405ffff", [1, [2, 3], [4, 5]]],
  [
    "a map until the break",
    "bf61610161629f0203ffff",
    new Map<string, CborValue>([
      ["a", 1],
      ["b", [2, 3]],
    ]),
  ],
  ["no chunks at all", "5fff", new Uint8Array()],
  ["a number longer than needed", "1b0000000000000001", 1],
  ["a decimal fraction", "c48221196ab3", 273.15],
  ["a self-described item", "d9d9f701", 1],
])("%s", (_name, hex, value) => {
  expect(decodeCbor(Uint8Array.fromHex(hex))).toEqual(value);
  for (let cut = 0; cut < hex.length / 2; cut++) {
    expect(() => decodeCbor(Uint8Array.fromHex(hex.slice(0, cut * 2)))).toThrow(MalformedError);
  }
});

test.each([
  ["a break alone", "ff"],
  ["a break in a definite array", "81ff"],
  ["a break instead of a value", "bf01ff"],
  ["a reserved length", "1c"],
  ["an indefinite number", "1f"],
  ["a chunk of another kind", "5f6161ff"],
  ["a chunk in chunks", "5f5f4101ffff"],
  ["a letter cut in two by chunks", "7f61c361a9ff"],
  ["a key twice", "a201020103"],
  ["a key of bytes", "a1410102"],
  ["ill-formed text", "61ff"],
  ["a date", "c11a514b67b0"],
  ["a big number", "c249010000000000000000"],
  ["a fraction that is none", "c48121"],
  ["an unknown simple value", "f0"],
  ["a simple value in two bytes", "f820"],
  ["a length beyond the end", "9affffffff"],
  ["a text of 2^64 bytes", "7bffffffffffffffff00"],
  ["a nest too deep", `${"81".repeat(9)}00`],
])("%s is malformed", (_name, hex) => expect(() => decodeCbor(Uint8Array.fromHex(hex))).toThrow(MalformedError));

test("items are counted", () => {
  const limits = { maxDepth: 2, maxItems: 4 };
  expect(decodeCbor(Uint8Array.fromHex("83010203"), limits)).toEqual([1, 2, 3]);
  expect(() => decodeCbor(Uint8Array.fromHex("8401020304"), limits)).toThrow("over 4 items");
  expect(() => decodeCbor(Uint8Array.fromHex("9f01020304ff"), limits)).toThrow("over 4 items");
});

test("numbers beyond 64 bits are not written", () => {
  expect(() => encodeCbor(2n ** 64n)).toThrow(RangeError);
  expect(() => encodeCbor(-(2n ** 64n) - 1n)).toThrow(RangeError);
});
