import { describe, expect, test } from "bun:test";
import { fuzzSeed, Random } from "../../../wire/testing/random";
import type { DataType } from "../../products/product";
import { CODEC_FAILURES } from "../codec";
import { CODEC_DEFAULTS } from "../codec-settings";
import { parameter, productOf, property, SMOKE_PRODUCT, setAlarm, smokeMessages } from "../testing/smoke";
import { checkMessages } from "./check-messages";
import type { FieldDefinition, MessageDefinition } from "./definition";
import { compileMessages } from "./message-codec";

const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
const smoke = compileMessages(smokeMessages(), SMOKE_PRODUCT, CODEC_DEFAULTS);
const report = (data: Record<string, unknown>) => ({
  kind: "reports",
  reports: [{ serviceId: "Smoke", data, eventTimeMs: undefined }],
  hasMore: false,
});
const UP = [
  ["000102", report({ level: 258 })],
  ["010568656C6C6F", report({ note: "hello" })],
  ["020568656C6C6F", report({ raw: "aGVsbG8=" })],
  ["0400010001", { kind: "answer", mid: 1, errcode: 0, body: { result: 1 }, hasMore: false }],
  ["0400010101", { kind: "answer", mid: 1, errcode: 1, body: { result: 1 }, hasMore: false }],
] as const;

describe("the worked example of codec.md 3.8", () => {
  test("has nothing against it", () => {
    expect(checkMessages(smokeMessages(), SMOKE_PRODUCT, CODEC_DEFAULTS)).toEqual([]);
  });
  test.each(UP)("decodes %s", (bytes, expected) => {
    expect(smoke.decode(hex(bytes))).toEqual(expected as never);
  });
  test.each([
    [{ value: 1 }, 1, "03000101"],
    [{ value: 255 }, 65_535, "03ffffff"],
  ])("encodes SET_ALARM %j with mid %i", (paras, mid, bytes) => {
    expect(smoke.encode(setAlarm(paras, mid))).toEqual({ kind: "bytes", bytes: hex(bytes) });
  });
  test.each([
    [{ value: 256 }, "value_invalid", "set_alarm.value: 256 is out of range, 0 to 255"],
    [{ value: -1 }, "value_invalid", "set_alarm.value: -1 is out of range, 0 to 255"],
    [{ value: 1.5 }, "value_invalid", "set_alarm.value: is not a whole number"],
    [{ value: "1" }, "value_invalid", "set_alarm.value: is not a whole number"],
    [{ value: null }, "value_invalid", "set_alarm.value: is not a whole number"],
    [{}, "parameter_missing", "set_alarm.value: value is missing"],
    [{ value: 1, volume: 2 }, "value_invalid", "set_alarm: no field carries the parameter volume"],
  ])("refuses SET_ALARM %j", (paras, reason, detail) => {
    expect(smoke.encode(setAlarm(paras, 1))).toEqual({ kind: "failed", reason: reason as never, detail });
  });
  test.each([
    ["09", "message_unknown", "no message has the messageId 0x9"],
    ["", "bytes_missing", "messageId: needs 1 bytes at 0, there are 0"],
    ["0001", "bytes_missing", "smokeinfo.level: needs 2 bytes at 1, there are 1"],
    ["00010203", "bytes_left_over", "smokeinfo: 1 bytes are left over at 3"],
    ["0105686565", "bytes_missing", "note_msg.note: needs 5 bytes at 2, there are 3"],
    ["0101e9", "value_invalid", "note_msg.note: 0xe9 is not ASCII"],
    ["0400000000", "value_invalid", "response of set_alarm: mid is 0"],
  ])("refuses %s", (bytes, reason, detail) => {
    expect(smoke.decode(hex(bytes))).toEqual({ kind: "failed", reason: reason as never, detail });
  });
  test("answers the report that has a response, and no other", () => {
    const answer = (request: string) =>
      smoke.encode({ msgType: "cloudRsp", request: hex(request), errcode: 0, hasMore: 0 });
    expect(smoke.answersReports).toBe(true);
    expect(answer("000102")).toEqual({ kind: "bytes", bytes: hex("AAAA0000") });
    expect(answer("010568656C6C6F")).toEqual({ kind: "nothing" });
    expect(answer("09")).toEqual({ kind: "nothing" });
    expect(answer("0400010001")).toEqual({ kind: "nothing" });
  });
  test("refuses a command that has no message", () => {
    expect(smoke.encode({ ...setAlarm({ value: 1 }, 1), cmd: "RESET" })).toMatchObject({ reason: "message_unknown" });
  });
  test("cut anywhere, every message is refused", () => {
    for (const [bytes] of UP)
      for (let end = 0; end < bytes.length / 2; end++)
        expect(smoke.decode(hex(bytes).subarray(0, end))).toMatchObject({ kind: "failed", reason: "bytes_missing" });
  });
  test("the steps are shown", () => {
    expect(smoke.traceDecode(hex("010568656C6C6F"))).toMatchObject({
      message: "note_msg",
      fields: [
        { field: "messageId", offset: 0, bytes: "01", value: 1 },
        { field: "len", offset: 1, bytes: "05", value: 5 },
        { field: "note", offset: 2, bytes: "68656C6C6F", value: "hello" },
      ],
      result: { kind: "reports" },
    });
    expect(smoke.traceDecode(hex("0001"))).toMatchObject({
      message: "smokeinfo",
      fields: [{ field: "messageId" }, { field: "level", offset: 1, bytes: "01" }],
      result: { kind: "failed" },
    });
    expect(smoke.traceEncode(setAlarm({ value: 9 }, 258))).toMatchObject({
      message: "set_alarm",
      fields: [
        { field: "messageId", offset: 0, bytes: "03", value: 3 },
        { field: "mid", offset: 1, bytes: "0102", value: 258 },
        { field: "value", offset: 3, bytes: "09", value: 9 },
      ],
      result: { kind: "bytes" },
    });
  });
});

/** One report and one command that have the field, linked to a property or parameter of that type. */
function oneField(field: Omit<FieldDefinition, "name" | "link">, dataType: DataType) {
  const isVariable = field.dataType === "varstring" || field.dataType === "variant";
  const before: FieldDefinition[] = isVariable ? [{ name: "len", dataType: "int8u" }] : [];
  const whole = { ...field, name: "value", ...(isVariable && { lengthField: "len" }) };
  const product = productOf([
    {
      ...{ serviceId: "S", serviceType: "S", option: "Master", description: undefined },
      properties: [property("p", dataType)],
      commands: [{ name: "C", paras: [parameter("p", dataType)], responses: [] }],
    },
  ]);
  const messages: MessageDefinition[] = [
    { type: "dataReport", name: "up", fields: [...before, { ...whole, link: { serviceId: "S", property: "p" } }] },
    {
      ...{ type: "commandDelivery", name: "down", serviceId: "S", command: "C" },
      fields: [...before, { ...whole, link: { parameter: "p" } }],
    },
  ];
  const codec = compileMessages(messages, product, CODEC_DEFAULTS);
  return {
    issues: checkMessages(messages, product, CODEC_DEFAULTS),
    decode(bytes: string) {
      const decoded = codec.decode(hex(bytes));
      return decoded.kind === "reports" ? decoded.reports[0]?.data.p : decoded;
    },
    encode(...given: unknown[]) {
      const paras = given.length === 0 ? {} : { p: given[0] };
      const encoded = codec.encode({ msgType: "cloudReq", serviceId: "S", cmd: "C", paras, mid: 1, hasMore: 0 });
      return encoded.kind === "bytes" ? Buffer.from(encoded.bytes).toString("hex") : encoded;
    },
  };
}

describe("every type, both ways", () => {
  test.each([
    ["int8u", undefined, "int", "ff", 255],
    ["int16u", undefined, "int", "fffe", 65_534],
    ["int24u", undefined, "int", "fffefd", 0xfffefd],
    ["int32u", undefined, "int", "fffefdfc", 0xfffefdfc],
    ["int8s", undefined, "int", "fb", -5],
    ["int8s", undefined, "int", "7f", 127],
    ["int16s", undefined, "int", "8000", -32_768],
    ["int32s", undefined, "int", "fffffffb", -5],
    ["int32s", undefined, "long", "80000000", -2_147_483_648],
    ["int16u", undefined, "decimal", "0102", 258],
    ["int8u", undefined, "boolean", "01", true],
    ["int8u", undefined, "boolean", "00", false],
    ["string", 8, "string", "68656c6c6f000000", "hello"],
    ["string", 5, "string", "68656c6c6f", "hello"],
    ["string", 4, "decimal", "312e3500", 1.5],
    ["string", 4, "enum", "6f6e0000", "on"],
    ["string", 16, "DateTime", "3230313531323132543132313231325a", "20151212T121212Z"],
    ["string", 8, "jsonObject", "7b2261223a317d00", { a: 1 }],
    ["varstring", undefined, "string list", "055b2261225d", ["a"]],
    ["varstring", undefined, "string", "00", ""],
    ["varstring", undefined, "string", "026100", "a\0"], // its length is said, so nothing is stripped
    ["array", 1, "string", "01", "AQ=="],
    ["variant", undefined, "string", "0401020304", "AQIDBA=="],
    ["variant", undefined, "string", "00", ""],
    ["array", 3, "int", "010203", 0x010203],
    ["variant", undefined, "int", "020102", 258],
    ["array", 16, "DateTime", "3230313531323132543132313231325a", "20151212T121212Z"],
    ["variant", undefined, "jsonObject", "077b2261223a317d", { a: 1 }],
  ] as [FieldDefinition["dataType"], number | undefined, DataType, string, unknown][])(
    "%s (%p) of a property of type %s: %s is %j",
    (dataType, length, type, bytes, value) => {
      const it = oneField({ dataType, length }, type);
      expect(it.issues).toEqual([]);
      expect(it.decode(bytes)).toEqual(value);
      expect(it.encode(value)).toBe(bytes);
    },
  );

  test.each([
    ["int8s", undefined, "int", 128, "128 is out of range, -128 to 127"],
    ["int8s", undefined, "int", -129, "out of range"],
    ["int24u", undefined, "int", 0x1000000, "out of range"],
    ["int32u", undefined, "long", 2 ** 32, "out of range"],
    ["int16u", undefined, "decimal", 1.5, "whole number"],
    ["string", 3, "string", "four", "longer than 3"],
    ["string", 8, "string", "grün", "character 3 is not ASCII"],
    ["string", 8, "string", { a: 1 }, "neither text nor a number"],
    ["array", 2, "string", "AQ==", "has 1 bytes, not 2"],
    ["array", 1, "string", "AQ=", "not base64"],
    ["array", 1, "string", "?Q==", "not base64"],
    ["array", 1, "int", 256, "out of range"],
    ["array", 1, "int", -1, "whole number from 0"],
    ["varstring", undefined, "string", "x".repeat(256), "256 is out of range, 0 to 255"],
  ] as [FieldDefinition["dataType"], number | undefined, DataType, unknown, string][])(
    "%s (%p) of type %s cannot carry %j",
    (dataType, length, type, value, detail) => {
      expect(oneField({ dataType, length }, type).encode(value)).toEqual({
        kind: "failed",
        reason: "value_invalid",
        detail: expect.stringContaining(detail) as never,
      });
    },
  );

  test.each([
    ["string", 4, "decimal", "61626364", "not the text of a number"],
    ["string", 4, "decimal", "00000000", "not the text of a number"],
    ["string", 4, "jsonObject", "7b7b7b7b", "not JSON"],
    ["array", 2, "jsonObject", "c328", "not UTF-8"],
    ["array", 8, "int", "ffffffffffffffff", "too large"],
    ["variant", undefined, "int", "00", "holds no number"],
  ] as [FieldDefinition["dataType"], number | undefined, DataType, string, string][])(
    "%s (%p) of type %s refuses %s",
    (dataType, length, type, bytes, detail) => {
      expect(oneField({ dataType, length }, type).decode(bytes)).toMatchObject({
        reason: "value_invalid",
        detail: expect.stringContaining(detail),
      });
    },
  );

  test("what an optional parameter leaves out is its default, else zeros", () => {
    expect(oneField({ dataType: "int16u", default: "0x0a" }, "int").encode()).toBe("000a");
    expect(oneField({ dataType: "int8s", default: "FB" }, "int").encode()).toBe("fb");
    expect(oneField({ dataType: "int16u" }, "int").encode()).toBe("0000");
    expect(oneField({ dataType: "string", length: 4, default: "6869" }, "string").encode()).toBe("68690000");
    expect(oneField({ dataType: "variant", default: "0102" }, "string").encode()).toBe("020102");
    expect(oneField({ dataType: "varstring" }, "string").encode()).toBe("00");
  });
});

test("several services in one message become several reports", () => {
  const service = (serviceId: string) => ({
    ...{ serviceId, serviceType: serviceId, option: "Optional" as const, description: undefined },
    properties: [property("a", "int"), property("b", "int")],
    commands: [],
  });
  const field = (serviceId: string, name: string): FieldDefinition => ({
    name: `${serviceId}_${name}`,
    dataType: "int8u",
    link: { serviceId, property: name },
  });
  const codec = compileMessages(
    [
      {
        type: "dataReport",
        name: "all",
        fields: [field("X", "a"), field("Y", "a"), { name: "spare", dataType: "int8u" }, field("X", "b")],
      },
    ],
    productOf([service("X"), service("Y")]),
    CODEC_DEFAULTS,
  );
  expect(codec.decode(hex("01020304"))).toMatchObject({
    reports: [
      { serviceId: "X", data: { a: 1, b: 4 } },
      { serviceId: "Y", data: { a: 2 } },
    ],
  });
});

test(`random bytes are decoded or refused, and a trace says the same (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 20_000; round++) {
    const bytes = random.bytes(random.below(12));
    if (bytes.length > 0 && random.flip()) bytes[0] = random.below(6);
    const decoded = smoke.decode(bytes);
    if (decoded.kind === "failed") expect(CODEC_FAILURES).toContain(decoded.reason);
    expect(smoke.traceDecode(bytes).result).toEqual(decoded);
  }
});

test(`what was encoded is decoded to the same (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  const types = ["int8u", "int16u", "int24u", "int32u", "int8s", "int16s", "int32s"] as const;
  for (let round = 0; round < 2_000; round++) {
    const dataType = random.oneOf(types);
    const it = oneField({ dataType }, "int");
    const width = { int8u: 1, int16u: 2, int24u: 3, int32u: 4, int8s: 1, int16s: 2, int32s: 4 }[dataType];
    const bytes = Buffer.from(random.bytes(width)).toString("hex");
    expect(it.encode(it.decode(bytes))).toBe(bytes);
  }
});
