import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import {
  nodeIdCandidates,
  parseEndpointName,
  parsePath,
  parseRegistration,
  parseRegistrationUpdate,
  parseSegments,
  pathSegments,
  type Registration,
  renderPath,
} from ".";

const UDP = { transports: ["U" as const], queueMode: false };
const ROWS: [who: string, query: string, registration: Registration][] = [
  [
    "LiteOS",
    "lwm2m=1.0&ep=861234500000017&b=UQ&lt=2000",
    {
      endpoint: "861234500000017",
      version: "1.0",
      lifetimeSeconds: 2_000,
      binding: { transports: ["U"], queueMode: true },
    },
  ],
  [
    "OneNET's SDK, which names no version",
    "ep=861234500000017;460001234567890&b=U&lt=60",
    {
      endpoint: "861234500000017;460001234567890",
      version: "1.0",
      lifetimeSeconds: 60,
      binding: UDP,
    },
  ],
  ["nothing but a name", "ep=x", { endpoint: "x", version: "1.0", lifetimeSeconds: 86_400, binding: UDP }],
  [
    "a 1.1 client with a queue",
    "ep=x&lwm2m=1.1&b=UT&Q&lt=0",
    {
      endpoint: "x",
      version: "1.1",
      lifetimeSeconds: 0,
      binding: { transports: ["U", "T"], queueMode: true },
    },
  ],
  [
    "SMS beside UDP",
    "ep=x&b=UQS&sms=+8613800755500",
    {
      endpoint: "x",
      version: "1.0",
      lifetimeSeconds: 86_400,
      binding: { transports: ["U", "S"], queueMode: true },
      smsNumber: "+8613800755500",
    },
  ],
  [
    "a queue and no transport",
    "ep=x&b=Q",
    {
      endpoint: "x",
      version: "1.0",
      lifetimeSeconds: 86_400,
      binding: { transports: ["U"], queueMode: true },
    },
  ],
  [
    "a query that nobody knows",
    "ep=a=b&et=1",
    { endpoint: "a=b", version: "1.0", lifetimeSeconds: 86_400, binding: UDP },
  ],
];
test.each(ROWS)("%s", (_who, query, registration) => {
  expect(parseRegistration(query.split("&"))).toEqual(registration);
});

test.each([
  "",
  "ep=",
  "ep",
  "lt=60",
  "ep=a&ep=b",
  "ep=a&lt=-1",
  "ep=a&lt=",
  "ep=a&lt=1.5",
  "ep=a&lt=4294967296",
  "ep=a&lwm2m=one",
  "ep=a&b=",
  "ep=a&b=X",
  "ep=a&b=UU",
  "ep=a&sms=12x",
  "ep=a\nb",
  `ep=${"é".repeat(129)}`,
])("%p is malformed", (query) => expect(() => parseRegistration(query.split("&"))).toThrow(MalformedError));

test("limits and defaults are settings", () => {
  const settings = { defaultLifetimeSeconds: 300, maxEndpointBytes: 2 };
  expect(parseRegistration(["ep=é"], settings).lifetimeSeconds).toBe(300);
  expect(() => parseRegistration(["ep=abc"], settings)).toThrow(MalformedError);
});

test("an update says only what changes", () => {
  expect(parseRegistrationUpdate([])).toEqual({});
  expect(parseRegistrationUpdate(["lt=60"])).toEqual({ lifetimeSeconds: 60 });
  expect(parseRegistrationUpdate(["b=UQ", "sms=123"])).toEqual({
    binding: { transports: ["U"], queueMode: true },
    smsNumber: "123",
  });
  expect(() => parseRegistrationUpdate(["lt=x"])).toThrow(MalformedError);
});

const IMEI = "861234500000017";
test.each([
  [IMEI, { imei: IMEI }],
  [`urn:imei:${IMEI}`, { imei: IMEI }],
  [`URN:IMEI:${IMEI}`, { imei: IMEI }],
  [`${IMEI};460001234567890`, { imei: IMEI, imsi: "460001234567890" }],
  [`urn:imei-imsi:${IMEI}-460001234567890`, { imei: IMEI, imsi: "460001234567890" }],
  [`URN:IMEI-MSISDN:${IMEI}-8613800755500`, { imei: IMEI, msisdn: "8613800755500" }],
  ["urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", {}],
  ["urn:imei:12", {}],
  [`x${IMEI}`, {}],
])("%s", (endpoint, ids) => expect(parseEndpointName(endpoint)).toEqual({ endpoint, ...ids }));

test("a device is looked up by its name, its IMEI, and the IMEI's URN", () => {
  expect(nodeIdCandidates(IMEI)).toEqual([IMEI, `urn:imei:${IMEI}`]);
  expect(nodeIdCandidates(`urn:imei:${IMEI}`)).toEqual([`urn:imei:${IMEI}`, IMEI]);
  expect(nodeIdCandidates("meter-1")).toEqual(["meter-1"]);
});

describe.each([
  ["/", []],
  ["/3", [3]],
  ["/3/0/9", [3, 0, 9]],
  ["/65535/65534/65535/65534", [65_535, 65_534, 65_535, 65_534]],
])("the path %s", (text, path) => {
  test("is parsed and rendered", () => {
    expect(parsePath(text)).toEqual(path);
    expect(renderPath(path)).toBe(text);
    expect(parseSegments(pathSegments(path))).toEqual(path);
  });
});

test("an alternate root stands in front", () => {
  expect(renderPath([3, 0], "/lwm2m")).toBe("/lwm2m/3/0");
  expect(renderPath([], "/lwm2m")).toBe("/lwm2m");
  expect(pathSegments([3, 0], "/a/b")).toEqual(["a", "b", "3", "0"]);
});

test.each(["", "3", "//", "/3/", "/03", "/-1", "/65536", "/3/65535", "/3/0/0/65535", "/1/2/3/4/5", "/a", "/3 "])(
  "no path: %p",
  (text) => expect(() => parsePath(text)).toThrow(MalformedError),
);
