import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { resolveSenml, type SenmlEntry, type SenmlRecord } from "./senml";
import { decodeSenmlCbor, encodeSenmlCbor } from "./senml-cbor";
import { decodeSenmlJson, encodeSenmlJson } from "./senml-json";

const text = (value: string) => new TextEncoder().encode(value);
const hex = (value: string) => Uint8Array.fromHex(value.replaceAll(" ", ""));
const DEVICE = "urn:dev:ow:10e2073a01080063";

type Vector = { name: string; json: string; cbor: string; records: SenmlRecord[]; entries: SenmlEntry[] };

const VECTORS: Vector[] = [
  {
    name: "a single value (RFC 8428 §5.1.1)",
    json: `[{"n":"${DEVICE}","u":"Cel","v":23.1}]`,
    cbor: `81 a3 00 78 1b ${text(DEVICE).toHex()} 01 63 43656c 02 fb 403719999999999a`,
    records: [{ n: DEVICE, u: "Cel", v: 23.1 }],
    entries: [{ name: DEVICE, unit: "Cel", value: { field: "v", value: 23.1 } }],
  },
  {
    name: "base values and a history (RFC 8428 §5.1.2, §6)",
    json: `[{"bn":"${DEVICE}:","bt":1276020076.001,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","t":-3,"v":1.4},{"n":"current","t":-2,"v":1.5},{"n":"current","t":-1,"v":1.6},{"n":"current","v":1.7}]`,
    cbor: `87 a7 21 78 1c ${text(`${DEVICE}:`).toHex()} 22 fb 41d303a15b001062 23 61 41 20 05 00 67 766f6c74616765 01 61 56 02 fb 405e066666666666
      a3 00 67 63757272656e74 06 24 02 fb 3ff3333333333333
      a3 00 67 63757272656e74 06 23 02 fb 3ff4cccccccccccd
      a3 00 67 63757272656e74 06 22 02 fb 3ff6666666666666
      a3 00 67 63757272656e74 06 21 02 f9 3e00
      a3 00 67 63757272656e74 06 20 02 fb 3ff999999999999a
      a2 00 67 63757272656e74 02 fb 3ffb333333333333`.replace(/\s/g, ""),
    records: [
      { bn: `${DEVICE}:`, bt: 1_276_020_076.001, bu: "A", bver: 5, n: "voltage", u: "V", v: 120.1 },
      { n: "current", t: -5, v: 1.2 },
      { n: "current", t: -4, v: 1.3 },
      { n: "current", t: -3, v: 1.4 },
      { n: "current", t: -2, v: 1.5 },
      { n: "current", t: -1, v: 1.6 },
      { n: "current", v: 1.7 },
    ],
    entries: [
      { name: `${DEVICE}:voltage`, unit: "V", timeSeconds: 1_276_020_076.001, value: { field: "v", value: 120.1 } },
      ...[1.2, 1.3, 1.4, 1.5, 1.6, 1.7].map((value, at) => ({
        name: `${DEVICE}:current`,
        unit: "A",
        timeSeconds: 1_276_020_076.001 + (at - 5),
        value: { field: "v" as const, value },
      })),
    ],
  },
  {
    name: "values of every kind (RFC 8428 §5.1.4 and LwM2M's link)",
    json: `[{"bn":"urn:dev:ow:1:","n":"label","vs":"Machine Room"},{"n":"open","vb":false},{"n":"nfc","vd":"aGkgCg"},{"n":"link","vlo":"10:3"},{"n":"big","v":9007199254740993},{"n":"sum","s":7}]`,
    cbor: `86 a3 21 6d 75726e3a6465763a6f773a313a 00 65 6c6162656c 03 6c 4d616368696e6520526f6f6d
      a2 00 64 6f70656e 04 f4
      a2 00 63 6e6663 08 44 6869200a
      a2 00 64 6c696e6b 63 766c6f 64 31303a33
      a2 00 63 626967 02 1b 0020000000000001
      a2 00 63 73756d 05 07`.replace(/\s/g, ""),
    records: [
      { bn: "urn:dev:ow:1:", n: "label", vs: "Machine Room" },
      { n: "open", vb: false },
      { n: "nfc", vd: text("hi \n") },
      { n: "link", vlo: "10:3" },
      { n: "big", v: 9_007_199_254_740_993n },
      { n: "sum", s: 7 },
    ],
    entries: [
      { name: "urn:dev:ow:1:label", value: { field: "vs", value: "Machine Room" } },
      { name: "urn:dev:ow:1:open", value: { field: "vb", value: false } },
      { name: "urn:dev:ow:1:nfc", value: { field: "vd", value: text("hi \n") } },
      { name: "urn:dev:ow:1:link", value: { field: "vlo", value: "10:3" } },
      { name: "urn:dev:ow:1:big", value: { field: "v", value: 9_007_199_254_740_993n } },
      { name: "urn:dev:ow:1:sum", sum: 7 },
    ],
  },
];

describe.each(VECTORS)("$name", ({ json, cbor, records, entries }) => {
  test("from JSON", () => expect(decodeSenmlJson(text(json))).toEqual(records));
  test("to JSON", () => expect(new TextDecoder().decode(encodeSenmlJson(records))).toBe(json));
  test("from CBOR", () => expect(decodeSenmlCbor(hex(cbor))).toEqual(records));
  test("to CBOR", () => expect(encodeSenmlCbor(records).toHex()).toBe(hex(cbor).toHex()));
  test("resolved", () => expect(resolveSenml(records)).toEqual(entries));
  test("is malformed when cut anywhere", () => {
    for (let cut = 0; cut < json.length; cut++) {
      expect(() => decodeSenmlJson(text(json.slice(0, cut)))).toThrow(MalformedError);
    }
    const bytes = hex(cbor);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => decodeSenmlCbor(bytes.subarray(0, cut))).toThrow(MalformedError);
    }
  });
});

const RULES: [rule: string, records: SenmlRecord[], entries: SenmlEntry[]][] = [
  [
    "a base value is added",
    [
      { n: "a", bv: 20, v: 1.5 },
      { n: "b", v: 1 },
    ],
    [
      { name: "a", value: { field: "v", value: 21.5 } },
      { name: "b", value: { field: "v", value: 21 } },
    ],
  ],
  ["a base value alone is the value", [{ n: "a", bv: 20 }], [{ name: "a", value: { field: "v", value: 20 } }]],
  [
    "a base sum is added",
    [
      { n: "a", bs: 5, s: 1 },
      { n: "b", s: 2 },
    ],
    [
      { name: "a", sum: 6 },
      { name: "b", sum: 7 },
    ],
  ],
  [
    "whole numbers add up exactly",
    [{ n: "a", bv: 9_007_199_254_740_991, v: 2 }],
    [{ name: "a", value: { field: "v", value: 9_007_199_254_740_993n } }],
  ],
  [
    "a base holds until the next",
    [
      { bn: "x", n: "a", v: 1 },
      { bn: "y", n: "a", v: 2 },
    ],
    [
      { name: "xa", value: { field: "v", value: 1 } },
      { name: "ya", value: { field: "v", value: 2 } },
    ],
  ],
  [
    "a record of bases has no value of its own",
    [
      { bn: "x", bt: 5 },
      { n: "a", v: 1 },
    ],
    [{ name: "xa", timeSeconds: 5, value: { field: "v", value: 1 } }],
  ],
];
test.each(RULES)("%s", (_rule, records, entries) => expect(resolveSenml(records)).toEqual(entries));

test.each<[string, SenmlRecord[]]>([
  ["two values", [{ n: "a", v: 1, vs: "1" }]],
  ["no value", [{ n: "a" }]],
  ["no name", [{ v: 1 }]],
  ["a name too long", [{ n: "a".repeat(256), v: 1 }]],
  ["a later version", [{ bver: 11, n: "a", v: 1 }]],
  [
    "two versions",
    [
      { bver: 5, n: "a", v: 1 },
      { bver: 6, n: "a", v: 1 },
    ],
  ],
  ["too many records", Array.from({ length: 4_097 }, () => ({ n: "a", v: 1 }))],
])("%s is malformed", (_name, records) => expect(() => resolveSenml(records)).toThrow(MalformedError));

test.each([
  ["no array", "{}"],
  ["no object in it", "[1]"],
  ["a name that is a number", '[{"n":1,"v":1}]'],
  ["a value that is text", '[{"n":"a","v":"1"}]'],
  ["a value that is infinite", '[{"n":"a","v":1e999}]'],
  ["data that is not base64url", '[{"n":"a","vd":"+/"}]'],
  ["a field that must be understood", '[{"n":"a","v":1,"ct_":"60"}]'],
  ["depth", "[".repeat(100_000)],
  ["closed depth", "[".repeat(100_000) + "]".repeat(100_000)],
])("JSON: %s is malformed", (_name, json) => expect(() => decodeSenmlJson(text(json))).toThrow(MalformedError));

test("fields that nobody knows are skipped", () => {
  expect(decodeSenmlJson(text('[{"n":"a","v":1,"constructor":{},"ct":"60"}]'))).toEqual([{ n: "a", v: 1 }]);
  // 20: unknown number; "vs": the JSON name of a numbered field, which CBOR does not know.
  expect(decodeSenmlCbor(hex("81 a4 00 61 61 02 01 14 80 62 7673 61 78"))).toEqual([{ n: "a", v: 1 }]);
});
