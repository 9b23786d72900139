import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import {
  absoluteSeconds,
  CONTENT_FORMAT,
  CONTENT_FORMATS,
  declaredType,
  decodeNode,
  decodeSamples,
  encodeNode,
  type LwM2mNode,
  type LwM2mValue,
  nodeOf,
  type ObjectInstanceNode,
  parsePath,
  type ResourceNode,
} from ".";

const { text, link, opaque, cbor, tlv, json, senmlJson, senmlCbor } = CONTENT_FORMAT;
const utf8 = (value: string) => new TextEncoder().encode(value);
const hex = (value: string) => Uint8Array.fromHex(value.replaceAll(" ", ""));
const string = (id: number, value: string): ResourceNode => ({
  kind: "resource",
  id,
  value: { type: "string", value },
});
const integer = (id: number, value: number): ResourceNode => ({
  kind: "resource",
  id,
  value: { type: "integer", value },
});
const several = (id: number, ...values: LwM2mValue[]): ResourceNode => ({
  kind: "multipleResource",
  id,
  instances: values.map((value, id) => ({ kind: "resourceInstance", id, value })),
});
const whole = (value: number): LwM2mValue => ({ type: "integer", value });
const toLink = (objectId: number, instanceId: number): LwM2mValue => ({
  type: "objlnk",
  value: { objectId, instanceId },
});

/** TS 1.0.2 §6.4.3.1 and §6.4.4: the device that the specification shows in every format. */
const DEVICE: ObjectInstanceNode = {
  kind: "objectInstance",
  id: 0,
  resources: [
    string(0, "Open Mobile Alliance"),
    string(1, "Lightweight M2M Client"),
    string(2, "345000123"),
    string(3, "1.0"),
    several(6, whole(1), whole(5)),
    several(7, whole(3_800), whole(5_000)),
    several(8, whole(125), whole(900)),
    integer(9, 100),
    integer(10, 15),
    several(11, whole(0)),
    { kind: "resource", id: 13, value: { type: "time", value: 1_367_491_215 } },
    string(14, "+02:00"),
    string(16, "U"),
  ],
};
const DEVICE_TLV = `c80014${utf8("Open Mobile Alliance").toHex()} c80116${utf8("Lightweight M2M Client").toHex()}
  c80209${utf8("345000123").toHex()} c303312e30 86064100014101 05 880708 42000ed8 42011388 870841007d42010384
  c10964 c10a0f 830b410000 c40d5182428f c60e2b30323a3030 c11055`.replace(/\s/g, "");
const DEVICE_FIELDS = [
  ["0", "S", '"Open Mobile Alliance"'],
  ["1", "S", '"Lightweight M2M Client"'],
  ["2", "S", '"345000123"'],
  ["3", "S", '"1.0"'],
  ["6/0", "v", "1"],
  ["6/1", "v", "5"],
  ["7/0", "v", "3800"],
  ["7/1", "v", "5000"],
  ["8/0", "v", "125"],
  ["8/1", "v", "900"],
  ["9", "v", "100"],
  ["10", "v", "15"],
  ["11/0", "v", "0"],
  ["13", "v", "1367491215"],
  ["14", "S", '"+02:00"'],
  ["16", "S", '"U"'],
].map(([n, field, value]) => `"n":"${n}","${field}":${value}}`);
const DEVICE_JSON = `{"bn":"/3/0/","e":[{${DEVICE_FIELDS.join(",{").replaceAll('"S"', '"sv"')}]}`;
const DEVICE_SENML = `[{"bn":"/3/0/",${DEVICE_FIELDS.join(",{").replaceAll('"S"', '"vs"')}]`;

type Vector = { name: string; format: number; path: string; bytes: Uint8Array; node: LwM2mNode };
const VECTORS: Vector[] = [
  { name: "the device in TLV", format: tlv, path: "/3/0", bytes: hex(DEVICE_TLV), node: DEVICE },
  {
    name: "all devices in TLV",
    format: tlv,
    path: "/3",
    bytes: hex(`080079${DEVICE_TLV}`),
    node: { kind: "object", id: 3, instances: [DEVICE] },
  },
  { name: "the device in JSON", format: json, path: "/3/0", bytes: utf8(DEVICE_JSON), node: DEVICE },
  { name: "the device in SenML JSON", format: senmlJson, path: "/3/0", bytes: utf8(DEVICE_SENML), node: DEVICE },
  {
    name: "links in JSON (§6.4.4)",
    format: json,
    path: "/65/0/0",
    bytes: utf8('{"bn":"/65/0/0/","e":[{"n":"0","ov":"66:0"},{"n":"1","ov":"66:1"}]}'),
    node: several(0, toLink(66, 0), toLink(66, 1)),
  },
  {
    name: "one value in JSON",
    format: json,
    path: "/3/0/9",
    bytes: utf8('{"bn":"/3/0/9","e":[{"v":100}]}'),
    node: integer(9, 100),
  },
  {
    name: "one value in SenML CBOR",
    format: senmlCbor,
    path: "/3/0/9",
    bytes: hex("81 a2 21 66 2f332f302f39 02 1864"),
    node: integer(9, 100),
  },
  {
    name: "several values in SenML CBOR",
    format: senmlCbor,
    path: "/3/0/6",
    bytes: hex("82 a3 21 67 2f332f302f362f 00 6130 02 01 a2 00 6131 02 05"),
    node: several(6, whole(1), whole(5)),
  },
  { name: "text", format: text, path: "/3/0/9", bytes: utf8("100"), node: integer(9, 100) },
  {
    name: "a firmware address",
    format: text,
    path: "/5/0/1",
    bytes: utf8("coap://h/fw"),
    node: string(1, "coap://h/fw"),
  },
  { name: "CBOR", format: cbor, path: "/3303/0/5700", bytes: hex("f94da0"), node: float(5_700, 22.5) },
  {
    name: "one value in TLV",
    format: tlv,
    path: "/3303/0/5700",
    bytes: hex("e4164441b40000"),
    node: float(5_700, 22.5),
  },
  {
    name: "an uplink as bytes",
    format: opaque,
    path: "/19/0/0",
    bytes: hex("00001701"),
    node: { kind: "resource", id: 0, value: { type: "opaque", value: hex("00001701") } },
  },
  {
    name: "a downlink in TLV",
    format: tlv,
    path: "/19/1/0",
    bytes: hex("c2 00 0105"),
    node: { kind: "resource", id: 0, value: { type: "opaque", value: hex("0105") } },
  },
];

function float(id: number, value: number): ResourceNode {
  return { kind: "resource", id, value: { type: "float", value } };
}

describe.each(VECTORS)("$name", ({ format, path, bytes, node }) => {
  test("decodes", () => expect(decodeNode(format, parsePath(path), bytes, declaredType)).toEqual(node));
  test("encodes to the same bytes", () => {
    expect(encodeNode(format, parsePath(path), node).toHex()).toBe(bytes.toHex());
  });
});

/** What devices send that we would not. */
const TOLERATED: [habit: string, format: number, path: string, bytes: Uint8Array, node: LwM2mNode][] = [
  ["the numbers before IANA's", 1542, "/3/0/9", hex("c10964"), integer(9, 100)],
  ["an object with one instance and no wrapper", tlv, "/3", hex("c10964"), objectOf(3, 0, integer(9, 100))],
  ["an instance in its wrapper", tlv, "/3/0", hex("080003c10964"), instanceOf(0, integer(9, 100))],
  ["one of several in its wrapper", tlv, "/3/0/7/1", hex("84 07 42 01 1388"), one(1, 5_000)],
  ["one of several without it", tlv, "/3/0/7/1", hex("42 01 1388"), one(1, 5_000)],
  ["object 19's data as several values", tlv, "/19/0/0", hex("83 00 41 00 2a"), several(0, bytesValue("2a"))],
  ["names without a base", json, "/3/0", utf8('{"e":[{"n":"9","v":100}]}'), instanceOf(0, integer(9, 100))],
  ["no name at all", json, "/3/0/9", utf8('{"e":[{"v":100}]}'), integer(9, 100)],
  ["an empty name", json, "/3/0/9", utf8('{"bn":"/3/0/9/","e":[{"n":"","v":100}]}'), integer(9, 100)],
  ["no slash between", json, "/3/0", utf8('{"bn":"/3/0","e":[{"n":"9","v":100}]}'), instanceOf(0, integer(9, 100))],
  ["two slashes", json, "/3/0", utf8('{"bn":"/3/0/","e":[{"n":"/9","v":100}]}'), instanceOf(0, integer(9, 100))],
  ["a whole number with a fraction", senmlJson, "/3/0/9", utf8('[{"n":"/3/0/9","v":100.0}]'), integer(9, 100)],
  ["whole numbers for floats", senmlJson, "/3303/0/5700", utf8('[{"n":"/3303/0/5700","v":22}]'), float(5_700, 22)],
  ["an object that is empty", tlv, "/3303", hex(""), { kind: "object", id: 3_303, instances: [] }],
];

function one(id: number, value: number): LwM2mNode {
  return { kind: "resourceInstance", id, value: whole(value) };
}
function instanceOf(id: number, ...resources: ResourceNode[]): ObjectInstanceNode {
  return { kind: "objectInstance", id, resources };
}
function objectOf(id: number, instanceId: number, ...resources: ResourceNode[]): LwM2mNode {
  return { kind: "object", id, instances: [instanceOf(instanceId, ...resources)] };
}
function bytesValue(value: string): LwM2mValue {
  return { type: "opaque", value: hex(value) };
}

test.each(TOLERATED)("%s", (_habit, format, path, bytes, node) => {
  expect(decodeNode(format, parsePath(path), bytes, declaredType)).toEqual(node);
});

test.each<[string, number, string, Uint8Array]>([
  ["another resource", tlv, "/3/0/9", hex("c10a64")],
  ["two resources for one", tlv, "/3/0/9", hex("c10964c10a0f")],
  ["nothing for a resource", tlv, "/3/0/9", hex("")],
  ["the forbidden instance", tlv, "/3", hex("20ffff")],
  ["instances of an object in an instance", tlv, "/3/0", hex("080103c10964")],
  ["text of another type", text, "/3/0/9", utf8("full")],
  ["text for an instance", text, "/3/0", utf8("100")],
  ["text that is not UTF-8", text, "/3/0/0", hex("ff")],
  ["a link for values", link, "/3/0", utf8("</3/0>")],
  ["an unknown format", 41, "/3/0", utf8("<a/>")],
  ["a string for a number", senmlJson, "/3/0/9", utf8('[{"n":"/3/0/9","vs":"100"}]')],
  ["half a number", senmlJson, "/3/0/9", utf8('[{"n":"/3/0/9","v":0.5}]')],
  ["a name beside the path", senmlJson, "/3/0", utf8('[{"n":"/4/0/9","v":1}]')],
  ["a name that is no path", senmlJson, "/3/0", utf8('[{"bn":"/3/0","n":"9","v":1}]')],
  ["a name too short", senmlJson, "/3/0", utf8('[{"n":"/3/0","v":1}]')],
  ["one and several", senmlJson, "/3/0", utf8('[{"n":"/3/0/6","v":1},{"n":"/3/0/6/0","v":1}]')],
  ["no values for a resource", senmlJson, "/3/0/9", utf8("[]")],
  ["a sum", senmlJson, "/3/0/9", utf8('[{"n":"/3/0/9","s":1}]')],
  ["no entries", json, "/3/0", utf8('{"bn":"/3/0/"}')],
  ["two values in one entry", json, "/3/0", utf8('{"bn":"/3/0/","e":[{"n":"9","v":1,"sv":"1"}]}')],
  ["an infinite number", json, "/3303/0", utf8('{"bn":"/3303/0/","e":[{"n":"5700","v":1e999}]}')],
  ["CBOR of another type", cbor, "/3/0/9", hex("6131")],
])("%s is malformed", (_name, format, path, bytes) => {
  expect(() => decodeNode(format, parsePath(path), bytes, declaredType)).toThrow(MalformedError);
});

test("undeclared resources keep what the format tells", () => {
  const nothing = () => undefined;
  const resources = (format: number, bytes: Uint8Array) => decodeNode(format, [33_000, 0], bytes, nothing);
  const senml = '[{"bn":"/33000/0/","n":"1","v":1},{"n":"2","v":1.5},{"n":"3","vs":"x"},{"n":"4","vd":"AQ"}]';
  expect(resources(senmlJson, utf8(senml))).toEqual(
    instanceOf(0, integer(1, 1), float(2, 1.5), string(3, "x"), { kind: "resource", id: 4, value: bytesValue("01") }),
  );
  expect(resources(tlv, hex("c1012a"))).toEqual(instanceOf(0, { kind: "resource", id: 1, value: bytesValue("2a") }));
});

test("a history is kept in samples; the node has the newest (§6.4.4)", () => {
  const bytes = utf8(
    '{"bn":"/72/","bt":25462634,"e":[{"n":"1/2","v":22.4,"t":-5},{"n":"1/2","v":22.9,"t":-30},{"n":"1/2","v":24.1,"t":-50}]}',
  );
  const sample = (value: number, timeSeconds: number) => ({
    path: [72, 1, 2],
    value: { type: "float", value },
    timeSeconds,
  });
  expect<unknown>(decodeSamples(json, [72], bytes, () => undefined)).toEqual([
    sample(22.4, 25_462_629),
    sample(22.9, 25_462_604),
    sample(24.1, 25_462_584),
  ]);
  expect(decodeNode(json, [72, 1, 2], bytes, () => undefined)).toEqual(float(2, 22.4));
});

test("bytes of a node are copies: a node outlives its datagram", () => {
  const datagram = hex("0102");
  const node = decodeNode(opaque, [19, 0, 0], datagram, declaredType);
  datagram.fill(0);
  expect(node).toEqual({ kind: "resource", id: 0, value: bytesValue("0102") });
});

test("samples that name no resource make no node", () => {
  expect(() => nodeOf([3], [{ path: [3, 0], value: whole(1) }])).toThrow(MalformedError);
  expect(() => nodeOf([], [{ path: [3, 0, 9], value: whole(1) }])).toThrow(RangeError);
});

test("times below 2^28 are relative to now", () => {
  const sample = { path: [3, 0, 9], value: whole(1) };
  expect(absoluteSeconds(sample, 1_700_000_000)).toBe(1_700_000_000);
  expect(absoluteSeconds({ ...sample, timeSeconds: -5 }, 1_700_000_000)).toBe(1_699_999_995);
  expect(absoluteSeconds({ ...sample, timeSeconds: 2 ** 28 - 1 }, 0)).toBe(2 ** 28 - 1);
  expect(absoluteSeconds({ ...sample, timeSeconds: 2 ** 28 }, 1_700_000_000)).toBe(2 ** 28);
});

test("an alternate root stands in the names", () => {
  const bytes = encodeNode(senmlJson, [3, 0, 9], integer(9, 100), "/lwm2m");
  expect(new TextDecoder().decode(bytes)).toBe('[{"bn":"/lwm2m/3/0/9","v":100}]');
  expect(decodeNode(senmlJson, [3, 0, 9], bytes, declaredType, "/lwm2m")).toEqual(integer(9, 100));
});

test("what a format cannot carry is not written", () => {
  expect(() => encodeNode(text, [3, 0], DEVICE)).toThrow(RangeError);
  expect(() => encodeNode(link, [3, 0], DEVICE)).toThrow(RangeError);
  expect(() => encodeNode(senmlJson, [3303, 0, 5700], float(5_700, Number.NaN))).toThrow(RangeError);
  expect(() => encodeNode(json, [3303, 0, 5700], float(5_700, Infinity))).toThrow(RangeError);
});

test("every kind's number is in the table", () => {
  for (const [kind, format] of Object.entries(CONTENT_FORMAT))
    expect<string | undefined>(CONTENT_FORMATS.get(format)?.kind).toBe(kind);
});
