import { describe, expect, test } from "bun:test";
import {
  CODES,
  type CoapMessage,
  type CoapOption,
  checkOptions,
  codeKind,
  codeName,
  contentFormatName,
  decodeMessageView,
  decodeUint,
  encodeMessage,
  encodeUint,
  isCritical,
  isNoCacheKey,
  isSuppressed,
  isUnsafe,
  OPTIONS,
  type OptionName,
  option,
  optionDefinition,
  pathOptions,
  queryOptions,
  renderCode,
  renderPath,
  renderQuery,
  splitArgument,
} from ".";

/** RFC 7252 table 4, RFC 7641 table 1, RFC 7959 tables 1 and 3, RFC 7967 table 1: critical, unsafe, no cache key. */
const REGISTRY: [number: number, flags: string, name: string][] = [
  [1, "C--", "If-Match"],
  [3, "CU-", "Uri-Host"],
  [4, "---", "ETag"],
  [5, "C--", "If-None-Match"],
  [6, "-U-", "Observe"],
  [7, "CU-", "Uri-Port"],
  [8, "---", "Location-Path"],
  [11, "CU-", "Uri-Path"],
  [12, "---", "Content-Format"],
  [14, "-U-", "Max-Age"],
  [15, "CU-", "Uri-Query"],
  [17, "C--", "Accept"],
  [20, "---", "Location-Query"],
  [23, "CU-", "Block2"],
  [27, "CU-", "Block1"],
  [28, "--N", "Size2"],
  [35, "CU-", "Proxy-Uri"],
  [39, "CU-", "Proxy-Scheme"],
  [60, "--N", "Size1"],
  [258, "-U-", "No-Response"],
];
test.each(REGISTRY)("option %d is %s %s", (number, flags, name) => {
  const read = `${isCritical(number) ? "C" : "-"}${isUnsafe(number) ? "U" : "-"}${isNoCacheKey(number) ? "N" : "-"}`;
  expect([read, optionDefinition(number)?.name]).toEqual([flags, name]);
});

const UINTS: [number, string][] = [
  [0, ""],
  [1, "01"],
  [255, "ff"],
  [256, "0100"],
  [65_536, "010000"],
  [0xffff_ffff, "ffffffff"],
];
test.each(UINTS)("%d is the bytes %s", (value, hex) => {
  expect(encodeUint(value).toHex()).toBe(hex);
  expect(decodeUint(Uint8Array.fromHex(hex))).toBe(value);
});
test("leading zeros are read", () => expect(decodeUint(Uint8Array.of(0, 0, 60))).toBe(60));

test.each<[OptionName, number | string | Uint8Array | undefined]>([
  ["uriHost", ""],
  ["uriPath", "x".repeat(256)],
  ["uriPath", 1],
  ["etag", new Uint8Array(9)],
  ["etag", new Uint8Array(0)],
  ["observe", 2 ** 24],
  ["observe", "0"],
  ["ifNoneMatch", Uint8Array.of(1)],
  ["accept", -1],
])("%s of %p is a fault of the caller", (name, value) => expect(() => option(name, value)).toThrow(RangeError));

describe("the options of a URI", () => {
  const texts = (options: CoapOption[]) => options.map(({ value }) => new TextDecoder().decode(value));
  test.each([
    ["", []],
    ["/", []],
    ["/rd", ["rd"]],
    ["3/0/4", ["3", "0", "4"]],
    ["/a/", ["a", ""]],
    ["//", ["", ""]],
    ["/温度", ["温度"]],
  ])("path %p", (path, segments) => expect(texts(pathOptions(path))).toEqual(segments));
  test("query", () => {
    expect(texts(queryOptions("ep=a=b&lt=60&b"))).toEqual(["ep=a=b", "lt=60", "b"]);
    expect(queryOptions("")).toEqual([]);
  });
  test.each([
    [[], "/"],
    [["rd", "5a"], "/rd/5a"],
    [["a/b", "c d", "%"], "/a%2Fb/c%20d/%25"],
    [["温", "a:b@c"], "/%E6%B8%A9/a:b@c"],
  ])("segments %p are rendered %s", (segments, path) => expect(renderPath(segments)).toBe(path));
  test("arguments are rendered and split", () => {
    expect(renderQuery(["ep=a&b", "c/d?"])).toBe("ep=a%26b&c/d?");
    expect([splitArgument("ep=a=b"), splitArgument("b"), splitArgument("c=")]).toEqual([
      ["ep", "a=b"],
      ["b", undefined],
      ["c", ""],
    ]);
  });
});

test.each([
  [0x00, "empty", "0.00", "empty"],
  [0x02, "request", "0.02", "post"],
  [0x1f, "request", "0.31", undefined],
  [0x20, "reserved", "1.00", undefined],
  [0x45, "success", "2.05", "content"],
  [0x5f, "success", "2.31", "continue"],
  [0x60, "unassigned", "3.00", undefined],
  [0x84, "clientError", "4.04", "notFound"],
  [0x9d, "clientError", "4.29", "tooManyRequests"],
  [0xa5, "serverError", "5.05", "proxyingNotSupported"],
  [0xc0, "reserved", "6.00", undefined],
  [0xff, "reserved", "7.31", undefined],
] as const)("code %d is %s %s %s", (code, kind, text, name) => {
  expect<(string | undefined)[]>([codeKind(code), renderCode(code), codeName(code)]).toEqual([kind, text, name]);
});

test("content formats have names", () => {
  expect([contentFormatName(11_542), contentFormatName(0), contentFormatName(9)]).toEqual([
    "lwm2mTlv",
    "text",
    undefined,
  ]);
});

describe("an option in a message", () => {
  const UNDERSTOOD = new Set([
    OPTIONS.uriPath.number,
    OPTIONS.accept.number,
    OPTIONS.etag.number,
    OPTIONS.ifMatch.number,
  ]);
  const raw = (number: number, length = 0): CoapOption => ({ number, value: new Uint8Array(length) });
  const refused = (code: number, number: number) => ({ action: "respond", code, option: number });
  const ROWS: [rule: string, type: CoapMessage["type"], code: number, options: CoapOption[], verdict: object][] = [
    ["is accepted if it is understood", "con", CODES.get, [raw(11, 3), raw(11, 2), raw(17, 1)], { action: "accept" }],
    ["is ignored if it is elective and unknown", "con", CODES.get, [raw(2050, 3)], { action: "accept" }],
    ["is ignored if it is elective and too long", "con", CODES.get, [raw(14, 9)], { action: "accept" }],
    ["refuses a confirmable request", "con", CODES.get, [raw(2049)], refused(CODES.badOption, 2049)],
    ["refuses when known but not understood here", "con", CODES.get, [raw(5)], refused(CODES.badOption, 5)],
    ["refuses when too long", "con", CODES.get, [raw(17, 3)], refused(CODES.badOption, 17)],
    ["refuses when it comes once too often", "con", CODES.get, [raw(17), raw(17)], refused(CODES.badOption, 17)],
    ["may come twice if it is repeatable", "con", CODES.put, [raw(1, 1), raw(1, 8)], { action: "accept" }],
    ["asks for a proxy that is not here", "con", CODES.get, [raw(35, 9)], refused(CODES.proxyingNotSupported, 35)],
    ["asks for a scheme that is not here", "con", CODES.get, [raw(39, 4)], refused(CODES.proxyingNotSupported, 39)],
    ["drops a NON request", "non", CODES.get, [raw(2049)], { action: "drop", option: 2049 }],
    ["drops a NON response", "non", CODES.content, [raw(2049)], { action: "drop", option: 2049 }],
    ["drops a piggybacked response", "ack", CODES.content, [raw(2049)], { action: "drop", option: 2049 }],
    ["resets a confirmable response", "con", CODES.content, [raw(2049)], { action: "reset", option: 2049 }],
  ];
  test.each(ROWS)("%s", (_rule, type, code, options, verdict) => {
    const none = new Uint8Array(0);
    const bytes = encodeMessage({ type, code, messageId: 1, token: none, options, payload: none });
    expect<object>(checkOptions(decodeMessageView(bytes), UNDERSTOOD)).toEqual(verdict);
  });
});

test.each([
  [undefined, CODES.changed, false],
  [0, CODES.changed, false],
  [2, CODES.changed, true],
  [2, CODES.notFound, false],
  [8, CODES.notFound, true],
  [16, CODES.internalServerError, true],
  [26, CODES.content, true],
  [8, CODES.internalServerError, false],
])("No-Response %p suppresses code %d: %p", (value, code, suppressed) => {
  expect(isSuppressed(value, code)).toBe(suppressed);
});
