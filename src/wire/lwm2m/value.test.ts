import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import type { LwM2mType, LwM2mValue } from "./value";
import { decodeValueBytes, encodeValueBytes } from "./value-bytes";
import { parseValueText, renderValueText } from "./value-text";

/** Value, its bytes (TLV), its text. */
const VALUES: [value: LwM2mValue, bytes: string, text: string][] = [
  [{ type: "string", value: "" }, "", ""],
  [{ type: "string", value: "温度" }, "e6b8a9e5baa6", "温度"],
  [{ type: "corelnk", value: "</3/0>" }, "3c2f332f303e", "</3/0>"],
  [{ type: "integer", value: 0 }, "00", "0"],
  [{ type: "integer", value: 127 }, "7f", "127"],
  [{ type: "integer", value: -128 }, "80", "-128"],
  [{ type: "integer", value: 128 }, "0080", "128"],
  [{ type: "integer", value: -129 }, "ff7f", "-129"],
  [{ type: "integer", value: 32_768 }, "00008000", "32768"],
  [{ type: "integer", value: -2_147_483_648 }, "80000000", "-2147483648"],
  [{ type: "integer", value: 2_147_483_648 }, "0000000080000000", "2147483648"],
  [{ type: "integer", value: 9_007_199_254_740_991 }, "001fffffffffffff", "9007199254740991"],
  [{ type: "integer", value: 9_007_199_254_740_992n }, "0020000000000000", "9007199254740992"],
  [{ type: "integer", value: -9_223_372_036_854_775_808n }, "8000000000000000", "-9223372036854775808"],
  [{ type: "unsigned", value: 255 }, "ff", "255"],
  [{ type: "unsigned", value: 18_446_744_073_709_551_615n }, "ffffffffffffffff", "18446744073709551615"],
  [{ type: "time", value: 1_367_491_215 }, "5182428f", "1367491215"],
  [{ type: "float", value: 22.5 }, "41b40000", "22.5"],
  [{ type: "float", value: 0.1 }, "3fb999999999999a", "0.1"],
  [{ type: "float", value: -0.5 }, "bf000000", "-0.5"],
  [{ type: "boolean", value: true }, "01", "1"],
  [{ type: "boolean", value: false }, "00", "0"],
  [{ type: "opaque", value: Uint8Array.of() }, "", ""],
  [{ type: "opaque", value: Uint8Array.of(1, 0xfb, 0xff) }, "01fbff", "Afv/"],
  [{ type: "objlnk", value: { objectId: 66, instanceId: 1 } }, "00420001", "66:1"],
  [{ type: "objlnk", value: { objectId: 65_535, instanceId: 65_535 } }, "ffffffff", "65535:65535"],
];

describe.each(VALUES.map(([value, bytes, text]) => ({ value, bytes, text })))(
  "$value.type $text",
  ({ value, bytes, text }) => {
    test("from bytes", () => expect(decodeValueBytes(value.type, Uint8Array.fromHex(bytes))).toEqual(value));
    test("to bytes", () => expect(encodeValueBytes(value).toHex()).toBe(bytes));
    test("from text", () => expect(parseValueText(value.type, text)).toEqual(value));
    test("to text", () => expect(renderValueText(value)).toBe(text));
  },
);

test.each([
  ["float", "4036800000000000", { type: "float", value: 22.5 }],
  ["integer", "0000000000000001", { type: "integer", value: 1 }],
] as const)("a wider %s than needed is understood", (type, bytes, value) => {
  expect(decodeValueBytes(type, Uint8Array.fromHex(bytes))).toEqual(value);
});

test.each<[LwM2mType, string]>([
  ["integer", ""],
  ["integer", "010203"],
  ["time", "000000000000000001"],
  ["float", "3c00"],
  ["boolean", ""],
  ["boolean", "02"],
  ["boolean", "0001"],
  ["objlnk", "0042"],
  ["string", "c3"],
  ["string", "eda080"],
])("no %s: %s", (type, bytes) => {
  expect(() => decodeValueBytes(type, Uint8Array.fromHex(bytes))).toThrow(MalformedError);
});

test.each<[LwM2mType, string]>([
  ["integer", ""],
  ["integer", "1.0"],
  ["integer", " 1"],
  ["integer", "0x10"],
  ["integer", "9223372036854775808"],
  ["unsigned", "-1"],
  ["unsigned", "18446744073709551616"],
  ["float", ""],
  ["float", "NaN"],
  ["float", "1e999"],
  ["float", "1,5"],
  ["boolean", "true"],
  ["opaque", "Af v/"],
  ["opaque", "A"],
  ["objlnk", "66"],
  ["objlnk", "65536:0"],
])("no %s as text: %p", (type, text) => expect(() => parseValueText(type, text)).toThrow(MalformedError));

test.each(["1.", ".5", "+2", "1e3", "-1.5E-2"])("%s is a float", (text) => {
  expect(parseValueText("float", text)).toEqual({ type: "float", value: Number(text) });
});

test("only bytes can carry NaN", () => {
  const value: LwM2mValue = { type: "float", value: Number.NaN };
  expect(encodeValueBytes(value).toHex()).toBe("7fc00000");
  expect(decodeValueBytes("float", Uint8Array.fromHex("7fc00000"))).toEqual(value);
  expect(() => renderValueText(value)).toThrow(RangeError);
});

test("an opaque value is a copy", () => {
  const datagram = Uint8Array.of(1, 2);
  const decoded = decodeValueBytes("opaque", datagram);
  datagram[0] = 9;
  expect(decoded.value).toEqual(Uint8Array.of(1, 2));
});
