import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import {
  answerToMalformed,
  CODES,
  type CoapFault,
  CoapMalformedError,
  type CoapMessage,
  type CoapOption,
  decodeMessage,
  decodeMessageView,
  encodeEmpty,
  encodeMessage,
  MAX_OPTIONS,
  MessageView,
  option,
  pathOptions,
} from ".";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const text = (value: string) => new TextEncoder().encode(value);
const raw = (number: number, length: number): CoapOption => ({ number, value: new Uint8Array(length).fill(0x61) });
const message = (given: Partial<CoapMessage>): CoapMessage => ({
  type: "con",
  code: CODES.get,
  messageId: 0x7d34,
  token: hex(""),
  options: [],
  payload: hex(""),
  ...given,
});

const TEMPERATURE = pathOptions("/temperature");
const TEMPERATURE_HEX = "bb 74656d7065726174757265";
const WARM = text("22.3 C");
const WARM_HEX = "ff 32322e332043";

const VECTORS: { name: string; bytes: string; message: CoapMessage }[] = [
  {
    name: "a GET without token (RFC 7252 figure 16)",
    bytes: `40 01 7d34 ${TEMPERATURE_HEX}`,
    message: message({ options: TEMPERATURE }),
  },
  {
    name: "its piggybacked response",
    bytes: `60 45 7d34 ${WARM_HEX}`,
    message: message({ type: "ack", code: CODES.content, payload: WARM }),
  },
  {
    name: "a GET with a token (RFC 7252 figure 17)",
    bytes: `41 01 7d35 20 ${TEMPERATURE_HEX}`,
    message: message({ messageId: 0x7d35, token: hex("20"), options: TEMPERATURE }),
  },
  {
    name: "its response",
    bytes: `61 45 7d35 20 ${WARM_HEX}`,
    message: message({ type: "ack", code: CODES.content, messageId: 0x7d35, token: hex("20"), payload: WARM }),
  },
  {
    name: "the empty ACK before a separate response (RFC 7252 figure 20)",
    bytes: "60 00 7d38",
    message: message({ type: "ack", code: CODES.empty, messageId: 0x7d38 }),
  },
  {
    name: "the separate response (RFC 7252 figure 20)",
    bytes: `41 45 ad7b 53 ${WARM_HEX}`,
    message: message({ code: CODES.content, messageId: 0xad7b, token: hex("53"), payload: WARM }),
  },
  {
    name: "RST for one that nobody expects (RFC 7252 figure 21)",
    bytes: "70 00 ad7c",
    message: message({ type: "rst", code: CODES.empty, messageId: 0xad7c }),
  },
  { name: "a ping", bytes: "40 00 0000", message: message({ code: CODES.empty, messageId: 0 }) },
  {
    name: "a NON GET with the longest token",
    bytes: `58 01 ffff 0102030405060708 ${TEMPERATURE_HEX}`,
    message: message({ type: "non", messageId: 0xffff, token: hex("0102030405060708"), options: TEMPERATURE }),
  },
  {
    name: "a registration for notifications (RFC 7641 figure 3)",
    bytes: "41 01 1633 4a 60 5b 74656d7065726174757265",
    message: message({ messageId: 0x1633, token: hex("4a"), options: [option("observe", 0), ...TEMPERATURE] }),
  },
  {
    name: "a notification (RFC 7641 figure 3)",
    bytes: "51 45 7b50 4a 61 10 81 0f ff 31392e3220 43656c",
    message: message({
      type: "non",
      code: CODES.content,
      messageId: 0x7b50,
      token: hex("4a"),
      options: [option("observe", 16), option("maxAge", 15)],
      payload: text("19.2 Cel"),
    }),
  },
  {
    name: "a request for a block (RFC 7959 figure 2: 2:1/0/128)",
    bytes: "40 01 04d3 b6 737461747573 c1 13",
    message: message({ messageId: 0x04d3, options: [...pathOptions("/status"), { number: 23, value: hex("13") }] }),
  },
  {
    name: "the last block of a request (RFC 7959 figure 7: 1:2/0/128)",
    bytes: "40 03 04d4 b7 6f7074696f6e73 d1 03 23 ff 00",
    message: message({
      code: CODES.put,
      messageId: 0x04d4,
      options: [...pathOptions("/options"), { number: 27, value: hex("23") }],
      payload: hex("00"),
    }),
  },
  {
    name: "2.31 Continue (RFC 7959 figure 7: 1:1/1/128)",
    bytes: "60 5f 04d3 d1 0e 1b",
    message: message({
      type: "ack",
      code: CODES.continue,
      messageId: 0x04d3,
      options: [{ number: 27, value: hex("1b") }],
    }),
  },
  {
    name: "a registration of LwM2M",
    bytes: "44 02 0001 a1b2c3d4 b2 7264 11 28 35 65703d6161 06 6c743d333030 ff 3c2f303e",
    message: message({
      code: CODES.post,
      messageId: 1,
      token: hex("a1b2c3d4"),
      options: [
        ...pathOptions("/rd"),
        option("contentFormat", 40),
        option("uriQuery", "ep=aa"),
        option("uriQuery", "lt=300"),
      ],
      payload: text("</0>"),
    }),
  },
  {
    name: "deltas at the borders of their forms",
    bytes: "40 01 7d34 c0 d0 00 d0 ff e0 0000 e0 0001",
    message: message({ options: [12, 25, 293, 562, 832].map((number) => raw(number, 0)) }),
  },
  {
    name: "lengths at the borders of their forms",
    bytes: `40 01 7d34 1c ${"61".repeat(12)} 1d 00 ${"61".repeat(13)} 1d ff ${"61".repeat(268)} 1e 0000 ${"61".repeat(269)}`,
    message: message({ options: [raw(1, 12), raw(2, 13), raw(3, 268), raw(4, 269)] }),
  },
  {
    name: "the highest option number",
    bytes: "40 01 7d34 e1 fef2 61",
    message: message({ options: [raw(0xffff, 1)] }),
  },
  { name: "an unknown method", bytes: "40 1f 7d34", message: message({ code: 0x1f }) },
  { name: "a 3.00, which nobody has assigned", bytes: "60 60 7d34", message: message({ type: "ack", code: 0x60 }) },
  { name: "a payload of 0xff", bytes: "40 02 7d34 ff ff", message: message({ code: CODES.post, payload: hex("ff") }) },
];

describe.each(VECTORS)("$name", ({ bytes, message }) => {
  test("decodes", () => expect(decodeMessage(hex(bytes))).toEqual(message));
  test("encodes to the same bytes", () => expect(encodeMessage(message)).toEqual(hex(bytes)));
  test("cut anywhere, is malformed or a shorter message", () => {
    const whole = hex(bytes);
    for (let cut = 0; cut < whole.length; cut++) {
      let shorter: CoapMessage;
      try {
        shorter = decodeMessage(whole.subarray(0, cut));
      } catch (error) {
        expect(error).toBeInstanceOf(CoapMalformedError);
        continue;
      }
      // A cut between options or within the payload leaves a message; it must be exactly the bytes that are left.
      expect(encodeMessage(shorter)).toEqual(whole.subarray(0, cut));
    }
  });
});

const MALFORMED: [name: string, bytes: string, reason: CoapFault, reset: boolean][] = [
  ["nothing", "", "truncated", false],
  ["three bytes", "40 01 7d", "truncated", false],
  ["version 0", "00 01 7d34", "version", false],
  ["version 2", "80 01 7d34", "version", false],
  ["a token of nine bytes", `49 01 7d34 ${"00".repeat(9)}`, "token_length", true],
  ["a token length of 15", `4f 01 7d34 ${"00".repeat(15)}`, "token_length", true],
  ["half a token", "44 01 7d34 0102", "truncated", true],
  ["class 1", "40 20 7d34", "reserved_class", true],
  ["class 6", "40 c0 7d34", "reserved_class", true],
  ["class 7", "40 e1 7d34", "reserved_class", true],
  ["class 7 in a NON", "50 e1 7d34", "reserved_class", false],
  ["an empty message with a token", "41 00 7d34 01", "empty_format", true],
  ["an empty message with more", "40 00 7d34 00", "empty_format", true],
  ["an empty message with a marker", "60 00 7d34 ff", "empty_format", false],
  ["an empty NON", "50 00 7d34", "type_and_code", false],
  ["a request in an ACK", "60 01 7d34", "type_and_code", false],
  ["a response in an RST", "70 45 7d34", "type_and_code", false],
  ["a delta of 15", "40 01 7d34 f0", "option_nibble", true],
  ["a length of 15", "40 01 7d34 0f", "option_nibble", true],
  ["no byte for a delta of 13", "40 01 7d34 d0", "option_length", true],
  ["one byte for a delta of 14", "40 01 7d34 e0 00", "option_length", true],
  ["no byte for a length of 13", "40 01 7d34 1d", "option_length", true],
  ["one byte for a length of 14", "40 01 7d34 1e 00", "option_length", true],
  ["a value that ends behind the message", "40 01 7d34 b3 6161", "option_length", true],
  ["an option number of 65536", "40 01 7d34 e0 fef2 10", "option_number", true],
  ["a marker without payload", "40 01 7d34 ff", "payload_marker", true],
  ["a marker without payload behind options", `40 01 7d34 ${TEMPERATURE_HEX} ff`, "payload_marker", true],
  ["one option too many", `40 01 7d34 ${"b0"}${"00".repeat(MAX_OPTIONS)}`, "too_many_options", true],
];

test.each(MALFORMED)("%s is malformed", (_name, bytes, reason, reset) => {
  let error: unknown;
  try {
    decodeMessage(hex(bytes));
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(MalformedError);
  expect((error as CoapMalformedError).reason).toBe(reason);
  expect(answerToMalformed(error as CoapMalformedError)).toEqual(reset ? { resetMessageId: 0x7d34 } : undefined);
});

test("options are written in order, and equal numbers keep theirs", () => {
  const options = [option("contentFormat", 42), ...pathOptions("/b/a"), option("uriHost", "h")];
  const decoded = decodeMessage(encodeMessage(message({ options })));
  expect(decoded.options).toEqual([
    option("uriHost", "h"),
    option("uriPath", "b"),
    option("uriPath", "a"),
    option("contentFormat", 42),
  ]);
});

test.each<[string, Partial<CoapMessage>]>([
  ["a token of nine bytes", { token: new Uint8Array(9) }],
  ["a message id of 17 bits", { messageId: 0x10000 }],
  ["a code of a reserved class", { code: 0xe1 }],
  ["an empty message with a payload", { code: CODES.empty, payload: hex("00") }],
  ["a request in an ACK", { type: "ack" }],
  ["an option number of 17 bits", { options: [raw(0x10000, 0)] }],
  ["an option of 65805 bytes", { options: [raw(1, 65_805)] }],
  ["too many options", { options: Array.from({ length: MAX_OPTIONS + 1 }, () => raw(11, 1)) }],
])("%s cannot be encoded", (_name, given) => {
  expect(() => encodeMessage(message(given))).toThrow(RangeError);
});

test("an empty ACK, RST and CON are four bytes", () => {
  expect(encodeEmpty("con", 0)).toEqual(hex("40 00 0000"));
  expect(() => encodeEmpty("ack", 0x10000)).toThrow(RangeError);
  expect(encodeEmpty("ack", 0x1234)).toEqual(hex("60 00 1234"));
  expect(encodeEmpty("rst", 0xffff)).toEqual(hex("70 00 ffff"));
});

describe("a view", () => {
  const known = ["t", "r"].map(text);

  test("can be used again: nothing of the message before is left", () => {
    const view = new MessageView();
    const long = message({
      token: hex("0102"),
      options: [...pathOptions("/t/r"), option("accept", 60)],
      payload: WARM,
    });
    decodeMessageView(encodeMessage(long), view);
    decodeMessageView(encodeEmpty("ack", 7), view);
    expect(view.toMessage()).toEqual(message({ type: "ack", code: CODES.empty, messageId: 7 }));
    expect([view.has(11), view.uint(17), view.texts(11), view.payloadLength]).toEqual([false, undefined, [], 0]);
  });

  test.each([
    ["/t/r", true],
    ["/t", false],
    ["/t/r/x", false],
    ["/t/d", false],
    ["/t/rr", false],
    ["", false],
  ])("of %s compares the path with t, r: %p", (path, same) => {
    const view = decodeMessageView(encodeMessage(message({ options: [...pathOptions(path), option("accept", 0)] })));
    expect(view.valuesAre(11, known)).toBe(same);
  });

  test("takes the first of two, and none that is too long", () => {
    const twice = [option("maxAge", 1), option("maxAge", 2), raw(17, 3)];
    const view = decodeMessageView(encodeMessage(message({ options: twice })));
    expect([view.uint(14), view.uint(17), view.opaque(17)]).toEqual([1, undefined, undefined]);
  });

  test("gives no text that is not UTF-8", () => {
    const options = [{ number: 11, value: hex("c328") }];
    expect(decodeMessageView(encodeMessage(message({ options }))).texts(11)).toBeUndefined();
  });
});
