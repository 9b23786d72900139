import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { ALERTS, alertName, CHANGE_CIPHER_SPEC, checkChangeCipherSpec, decodeAlert, encodeAlert } from "./alert";
import { chooseCipherSuite, PSK_AES_128_CBC_SHA256, PSK_AES_128_CCM_8, PSK_AES_128_GCM_SHA256 } from "./cipher-suite";
import { COOKIE_LENGTH, isCookieValid, makeCookie } from "./cookie";
import { HANDSHAKE_TYPE } from "./handshake";
import { readClientExtensions, readHelloExtensions, writeHelloExtensions } from "./hello-extensions";
import * as messages from "./messages";
import { hex } from "./testing/hex";

const RANDOM = "11".repeat(32);
const hello: messages.ClientHello = {
  version: 0xfefd,
  random: hex(RANDOM),
  sessionId: hex(""),
  cookie: hex(""),
  cipherSuites: [0x00ae, 0x00ff],
  compressionMethods: hex("00"),
  extensions: undefined,
};

describe.each([
  {
    name: "hello without extensions block (mbedTLS 2.16)",
    bytes: `fefd ${RANDOM} 00 00 0004 00ae00ff 01 00`,
    value: hello,
  },
  {
    name: "hello with cookie, session id, extension 23 (tinydtls)",
    bytes: `fefd ${RANDOM} 02aabb 03010203 0002 c0a8 01 00 0004 0017 0000`,
    value: {
      ...hello,
      sessionId: hex("aabb"),
      cookie: hex("010203"),
      cipherSuites: [0xc0a8],
      extensions: [{ type: 23, data: hex("") }],
    },
  },
  {
    name: "empty extensions block",
    bytes: `feff ${RANDOM} 00 00 0002 c0a8 01 00 0000`,
    value: { ...hello, version: 0xfeff, cipherSuites: [0xc0a8], extensions: [] },
  },
])("$name", ({ bytes, value }) => {
  test("decodes", () => expect(messages.decodeClientHello(hex(bytes))).toEqual(value));
  test("encodes to the same bytes", () => expect(messages.encodeClientHello(value)).toEqual(hex(bytes)));
});

test.each([
  ["not DTLS", `0303 ${RANDOM} 00 00 0002 c0a8 01 00`],
  ["session id of 33 bytes", `fefd ${RANDOM} 21 ${"00".repeat(33)} 00 0002 c0a8 01 00`],
  ["half a suite", `fefd ${RANDOM} 00 00 0003 c0a800 01 00`],
  ["no suite", `fefd ${RANDOM} 00 00 0000 01 00`],
  ["no compression", `fefd ${RANDOM} 00 00 0002 c0a8 00`],
  ["bytes behind the extensions", `fefd ${RANDOM} 00 00 0002 c0a8 01 00 0000 00`],
  ["an extension twice", `fefd ${RANDOM} 00 00 0002 c0a8 01 00 0008 00170000 00170000`],
  ["an extension cut off", `fefd ${RANDOM} 00 00 0002 c0a8 01 00 0004 00170001`],
])("a hello with %s is malformed", (_name, bytes) => {
  expect(() => messages.decodeClientHello(hex(bytes))).toThrow(MalformedError);
});

test("the start of a hello is read from a first fragment that ends behind the cookie", () => {
  const body = messages.encodeClientHello({ ...hello, cookie: hex("0102") });
  const fragment = { type: HANDSHAKE_TYPE.clientHello, length: body.length, sequence: 1, offset: 0 };
  const start = { version: 0xfefd, random: hex(RANDOM), sessionId: hex(""), cookie: hex("0102") };
  expect(messages.decodeHelloStart({ ...fragment, part: body.subarray(0, 38) })).toEqual(start);
  expect(() => messages.decodeHelloStart({ ...fragment, part: body.subarray(0, 37) })).toThrow(MalformedError);
  expect(() => messages.decodeHelloStart({ ...fragment, offset: 1, part: body })).toThrow(MalformedError);
});

const identity = new Uint8Array(128).fill(0x61);
test("an identity of 128 characters", () => {
  const bytes = messages.encodeClientKeyExchange({ identity });
  expect(bytes.length).toBe(130);
  expect(messages.decodeClientKeyExchange(bytes)).toEqual({ identity });
  expect(() => messages.decodeClientKeyExchange(bytes.subarray(0, 129))).toThrow(MalformedError);
  expect(() => messages.decodeClientKeyExchange(new Uint8Array([...bytes, 0]))).toThrow(MalformedError);
});

test.each([11, 13])("verify data of %d bytes is malformed", (length) => {
  expect(() => messages.decodeFinished(new Uint8Array(length))).toThrow(MalformedError);
});

describe("extensions", () => {
  test("all there", () => {
    const all = {
      encryptThenMac: true,
      extendedMasterSecret: true,
      connectionId: hex("aabb"),
      secureRenegotiation: true,
    };
    const written = writeHelloExtensions(all);
    expect(written).toEqual([
      { type: 0xff01, data: hex("00") },
      { type: 23, data: hex("") },
      { type: 22, data: hex("") },
      { type: 54, data: hex("02aabb") },
    ]);
    expect(readHelloExtensions(written)).toEqual(all);
  });
  test("a client without a block gets none back, unless its suites say renegotiation_info", () => {
    const chosen = readClientExtensions({ ...hello, cipherSuites: [0x00ae] });
    expect(writeHelloExtensions(chosen)).toBeUndefined();
    expect(writeHelloExtensions(readClientExtensions(hello))).toEqual([{ type: 0xff01, data: hex("00") }]);
  });
  test("an empty connection id is not the same as none", () => {
    expect(readHelloExtensions([{ type: 54, data: hex("00") }]).connectionId).toEqual(hex(""));
    expect(readHelloExtensions([]).connectionId).toBeUndefined();
  });
  test.each([
    [54, ""],
    [54, "02aa"],
    [54, "01aabb"],
    [23, "00"],
    [22, "01"],
  ])("extension %d with %p is malformed", (type, data) => {
    expect(() => readHelloExtensions([{ type, data: hex(data) }])).toThrow(MalformedError);
  });
});

describe("choice of the suite", () => {
  const CHOICES: [client: string, offered: number[], chosen: unknown][] = [
    ["tinydtls", [0xc0a8], PSK_AES_128_CCM_8],
    ["mbedTLS 2.16", [0x00ae, 0x00ff], PSK_AES_128_CBC_SHA256],
    ["Anjay", [0xccac, 0x00ae, 0xc0a8, 0x00ff], PSK_AES_128_CCM_8],
    ["GnuTLS", [0xccac, 0xc036, 0xa9, 0xa8, 0xae, 0xc0a8], PSK_AES_128_CCM_8],
    ["GCM before CBC", [0xae, 0xa8], PSK_AES_128_GCM_SHA256],
    ["nothing of ours", [0xccac, 0x00ff], undefined],
  ];
  test.each(CHOICES)("%s", (_client, offered, chosen) => expect(chooseCipherSuite(offered)).toBe(chosen as never));
  test("by the server's preference", () => {
    expect(chooseCipherSuite([0xc0a8, 0xae], [PSK_AES_128_CBC_SHA256])).toBe(PSK_AES_128_CBC_SHA256);
  });
});

describe("cookies", () => {
  const secret = new Uint8Array(32).fill(5);
  const next = new Uint8Array(32).fill(6);
  const cookie = makeCookie(secret, "192.0.2.1:5684", hello);
  const withCookie = { ...hello, cookie };
  test("has its length, and is good for the address and hello it was made for", () => {
    expect(cookie.length).toBe(COOKIE_LENGTH);
    expect(isCookieValid([secret], "192.0.2.1:5684", withCookie)).toBe(true);
    expect(isCookieValid([next, secret], "192.0.2.1:5684", withCookie)).toBe(true);
  });
  const BAD: [what: string, address: string, changes: Partial<messages.HelloStart>][] = [
    ["address", "192.0.2.1:5685", {}],
    ["random", "192.0.2.1:5684", { random: new Uint8Array(32) }],
    ["session id", "192.0.2.1:5684", { sessionId: hex("aa") }],
    ["version", "192.0.2.1:5684", { version: 0xfeff }],
    ["length", "192.0.2.1:5684", { cookie: cookie.subarray(1) }],
    ["cookie at all", "192.0.2.1:5684", { cookie: hex("") }],
  ];
  test.each(BAD)("no good with another %s", (_what, address, changes) => {
    expect(isCookieValid([secret], address, { ...withCookie, ...changes })).toBe(false);
  });
  test("no good after its secret was replaced twice", () => {
    expect(isCookieValid([next], "192.0.2.1:5684", withCookie)).toBe(false);
  });
});

describe("alerts", () => {
  test.each(Object.entries(ALERTS))("%s there and back", (name, description) => {
    for (const fatal of [true, false])
      expect(decodeAlert(encodeAlert({ fatal, description }))).toEqual({ fatal, description });
    expect(alertName(description) as string).toBe(name);
  });
  test("one that is not in the table keeps its number", () => {
    expect(decodeAlert(hex("01c8"))).toEqual({ fatal: false, description: 200 });
    expect(alertName(200)).toBe("alert200");
  });
  test.each(["", "02", "0300", "020000"])("%p is malformed", (bytes) => {
    expect(() => decodeAlert(hex(bytes))).toThrow(MalformedError);
  });
  test("ChangeCipherSpec is one byte", () => {
    expect(() => checkChangeCipherSpec(CHANGE_CIPHER_SPEC)).not.toThrow();
    for (const bytes of ["", "00", "0101"]) expect(() => checkChangeCipherSpec(hex(bytes))).toThrow(MalformedError);
  });
});
