import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import {
  attributeQueries,
  attributesProblem,
  type DeviceObjects,
  decodeDiscovery,
  type Link,
  type NotificationAttributes,
  parseDeviceObjects,
  parseLinks,
  renderLinks,
} from ".";

const link = (target: string, attributes: Record<string, string | true> = {}): Link => ({
  target,
  attributes: new Map(Object.entries(attributes)),
});

const VECTORS: [name: string, text: string, links: Link[]][] = [
  ["nothing", "", []],
  ["one object", "</3/0>", [link("/3/0")]],
  ["numbers", "</3/0>;pmin=10;gt=2.5", [link("/3/0", { pmin: "10", gt: "2.5" })]],
  ["text", '</>;rt="oma.lwm2m";ct=11543', [link("/", { rt: "oma.lwm2m", ct: "11543" })]],
  ["a name alone", "</a>;obs", [link("/a", { obs: true })]],
  ["signs inside quotes", '</a>;title="a,b;c=<d>\\"e\\\\"', [link("/a", { title: 'a,b;c=<d>"e\\' })]],
  [
    "an absolute target (RFC 6690 §5)",
    '<http://www.example.com/sensors/t123>;anchor="/sensors/temp";rel="describedby"',
    [link("http://www.example.com/sensors/t123", { anchor: "/sensors/temp", rel: "describedby" })],
  ],
];
describe.each(VECTORS)("%s", (_name, text, links) => {
  test("is parsed", () => expect(parseLinks(text)).toEqual(links));
  test("is rendered", () => expect(renderLinks(links)).toBe(text));
});

test.each([
  ["space between parts", " </1/0> , </3/0> ; pmin = 1 ", [link("/1/0"), link("/3/0", { pmin: "1" })]],
  ["a comma at the end", "</1/0>,</3/0>,", [link("/1/0"), link("/3/0")]],
  ["text without quotes", "</>;rt=oma.lwm2m", [link("/", { rt: "oma.lwm2m" })]],
  ["the first of two", "</>;rt=a;rt=b", [link("/", { rt: "a" })]],
])("%s", (_name, text, links) => expect(parseLinks(text)).toEqual(links));

test.each([
  ["no brackets", "/3/0"],
  ["an open bracket", "</3/0"],
  ["an open quote", '</3/0>;a="b'],
  ["an attribute without a name", "</3/0>;=1"],
  ["an attribute without its value", "</3/0>;a="],
  ["no comma", "</1/0></3/0>"],
  ["two commas", "</1/0>,,</3/0>"],
  ["a semicolon at the end", "</3/0>;"],
  ["too many", "</1/0>,".repeat(1_001)],
  ["too many attributes", `</1/0>${Array.from({ length: 21 }, (_, at) => `;a${at}`).join("")}`],
])("%s is malformed", (_name, text) => expect(() => parseLinks(text)).toThrow(MalformedError));

const REGISTRATIONS: [name: string, text: string, objects: DeviceObjects][] = [
  [
    "LiteOS",
    '</>;rt="oma.lwm2m";ct=11543,</1/0>,</3/0>,</19/0>,</19/1>',
    {
      rootPath: "/",
      contentFormats: [11_543],
      objects: [
        { objectId: 1, instanceIds: [0] },
        { objectId: 3, instanceIds: [0] },
        { objectId: 19, instanceIds: [0, 1] },
      ],
    },
  ],
  [
    "versions, objects without instances, no order",
    '</3303/1>,</10>;ver="1.1",</3303>;ver=1.2,</3303/0>',
    {
      rootPath: "/",
      contentFormats: [],
      objects: [
        { objectId: 10, version: "1.1", instanceIds: [] },
        { objectId: 3_303, version: "1.2", instanceIds: [0, 1] },
      ],
    },
  ],
  [
    "an alternate path",
    '</lwm2m>;rt="oma.lwm2m";ct="60 110 112",</lwm2m/1/0>,</lwm2m/3/0>,</4/0>',
    {
      rootPath: "/lwm2m",
      contentFormats: [60, 110, 112],
      objects: [
        { objectId: 1, instanceIds: [0] },
        { objectId: 3, instanceIds: [0] },
      ],
    },
  ],
  [
    "a path that looks like an object",
    '</3>;rt="oma.lwm2m",</3/1/0>',
    {
      rootPath: "/3",
      contentFormats: [],
      objects: [{ objectId: 1, instanceIds: [0] }],
    },
  ],
  [
    "one type among several",
    '</l>;rt="core.x oma.lwm2m",</l/1/0>',
    {
      rootPath: "/l",
      contentFormats: [],
      objects: [{ objectId: 1, instanceIds: [0] }],
    },
  ],
  [
    "other resources of a CoAP server",
    "</.well-known/core>,</sensors/temp>;ct=0,</3/0/9/1/2>,</3/0>",
    {
      rootPath: "/",
      contentFormats: [],
      objects: [{ objectId: 3, instanceIds: [0] }],
    },
  ],
  ["nothing", "", { rootPath: "/", contentFormats: [], objects: [] }],
];
test.each(REGISTRATIONS)("registration: %s", (_name, text, objects) =>
  expect(parseDeviceObjects(text)).toEqual(objects),
);

test.each(['</3>;ver="x"', "</3>;ver", "</70000/0>", "</3/65535>", "</03/0>", '</a/>;rt="oma.lwm2m"'])(
  "registration: %s is malformed",
  (text) => expect(() => parseDeviceObjects(text)).toThrow(MalformedError),
);

test("a discovery tells what lies there and how it notifies", () => {
  const payload = new TextEncoder().encode(
    '</3/0>;pmin=10;pmax=60,</3/0/7>;dim=2;gt=50;lt=42.2,</3/0/9>;st=5,</4/0>,</3>;ver="1.1"',
  );
  expect(decodeDiscovery([3], payload)).toEqual([
    { path: [3, 0], attributes: { pmin: 10, pmax: 60 } },
    { path: [3, 0, 7], dimension: 2, attributes: { gt: 50, lt: 42.2 } },
    { path: [3, 0, 9], attributes: { st: 5 } },
    { path: [3], version: "1.1", attributes: {} },
  ]);
  expect(decodeDiscovery([3, 0, 7], payload)).toHaveLength(1);
});

test.each(["</3/0>;pmin=x", "</3/0>;pmax=-1", "</3/0>;pmin=1.5", "</3/0>;st=0", "</3/0/7>;dim", "</3/0>;gt=1e3"])(
  "discovery: %s is malformed",
  (text) => expect(() => decodeDiscovery([3], new TextEncoder().encode(text))).toThrow(MalformedError),
);

test.each<[NotificationAttributes, string[]]>([
  [{ pmin: 15, pmax: 60, lt: 0, gt: 50.5, st: 2 }, ["pmin=15", "pmax=60", "gt=50.5", "lt=0", "st=2"]],
  [{ gt: 1e21, lt: -1e-7 }, ["gt=1000000000000000000000", "lt=-0.0000001"]],
  [{}, []],
])("%j as queries", (attributes, queries) => expect(attributeQueries(attributes)).toEqual(queries));

test.each<[NotificationAttributes, string | undefined]>([
  [{ pmin: 10, pmax: 10, lt: 1, st: 1, gt: 4 }, undefined],
  [{ pmin: 10, pmax: 9 }, "pmax is below pmin"],
  [{ epmin: 10, epmax: 10 }, "epmax is not above epmin"],
  [{ lt: 1, st: 1, gt: 3 }, "lt and two steps reach gt"],
  [{ lt: 5, gt: 5 }, "lt and two steps reach gt"],
  [{ pmin: -1 }, "pmin cannot be -1"],
  [{ st: 0 }, "st cannot be 0"],
  [{ gt: Number.NaN }, "gt cannot be NaN"],
])("%j: %s", (attributes, problem) => expect(attributesProblem(attributes)).toBe(problem as string));
