import { describe, expect, test } from "bun:test";
import { CODEC_DEFAULTS } from "../codec-settings";
import { parameter, productOf, property, SMOKE_PRODUCT, smokeMessages } from "../testing/smoke";
import { checkMessages } from "./check-messages";
import { MessageDefinition } from "./definition";

const REPORT = 0;
const NOTE = 1;
const DELIVERY = 3;

// biome-ignore lint/suspicious/noExplicitAny: the point is to spoil what the types forbid
type Spoil = (messages: any[]) => void;
function issuesOf(spoil: Spoil, product = SMOKE_PRODUCT, limits = CODEC_DEFAULTS): string[] {
  const messages = smokeMessages();
  spoil(messages);
  return checkMessages(messages, product, limits).map(({ path, reason }) => `${path}: ${reason}`);
}

describe("refuses", () => {
  test.each<[string, Spoil, string]>([
    ["no message", (m) => m.splice(0), "messages: there is no message"],
    ["a message without fields", (m) => m[REPORT].fields.splice(0), "messages[0]: smokeinfo: has no field"],
    ["a message name with a dash", (m) => (m[REPORT].name = "a-b"), "messages[0].name: a-b: is not a name"],
    [
      "two messages of one name",
      (m) => (m[NOTE].name = "smokeinfo"),
      "messages[1].name: smokeinfo: is the name of two",
    ],
    [
      "a field name with a digit in front",
      (m) => (m[REPORT].fields[1].name = "1st"),
      "messages[0].fields[1].name: smokeinfo, 1st: is not a name",
    ],
    ["int as a name", (m) => (m[REPORT].fields[1].name = "int"), "smokeinfo, int: is a Java keyword"],
    ["type as a name", (m) => (m[REPORT].fields[1].name = "type"), "smokeinfo, type: is a Java keyword"],
    ["a name twice", (m) => (m[NOTE].fields[2].name = "len"), "note_msg, len: is the name of two fields"],
    ["a wrong length of an integer", (m) => (m[REPORT].fields[1].length = 4), "is fixed: int16u has 2 bytes"],
    ["a string without length", (m) => (m[NOTE].fields[2] = { name: "note", dataType: "string" }), "needs a length"],
    [
      "a string that is too long",
      (m) => (m[NOTE].fields[2] = { name: "note", dataType: "string", length: 5_000 }),
      "note_msg, note: is not 1 to 4096",
    ],
    ["a variable field with a length", (m) => (m[NOTE].fields[2].length = 3), "varstring has no length of its own"],
    ["no length field", (m) => delete m[NOTE].fields[2].lengthField, "varstring needs a length field before it"],
    ["an unknown length field", (m) => (m[NOTE].fields[2].lengthField = "size"), "size is no field before it"],
    ["a length field behind", (m) => m[NOTE].fields.reverse(), "len is no field before it"],
    ["a signed length field", (m) => (m[NOTE].fields[1].dataType = "int8s"), "len is not of an unsigned integer type"],
    ["the messageId as length field", (m) => (m[NOTE].fields[2].lengthField = "messageId"), "is marked as messageId"],
    [
      "one length for two fields",
      (m) => m[NOTE].fields.push({ name: "more", dataType: "variant", lengthField: "len" }),
      "note_msg, more: len is the length of another field already",
    ],
    ["a length field where none is", (m) => (m[REPORT].fields[1].lengthField = "x"), "int16u has a length of its own"],
    ["a decimal default", (m) => (m[REPORT].fields[1].default = "12z"), "smokeinfo, level: is not hexadecimal"],
    ["a default too large", (m) => (m[REPORT].fields[1].default = "0x10000"), "does not fit into 2 bytes"],
    ["half a byte", (m) => (m[NOTE].fields[2].default = "0x1"), "note_msg, note: has half a byte"],
    ["a default that is no ASCII", (m) => (m[NOTE].fields[2].default = "E9"), "note_msg, note: is not ASCII"],
    [
      "a default longer than its string",
      (m) => (m[NOTE].fields[2] = { name: "note", dataType: "string", length: 1, default: "6161" }),
      "is longer than 1 bytes",
    ],
    [
      "a default shorter than its array",
      (m) => (m[NOTE].fields[2] = { name: "note", dataType: "array", length: 2, default: "61" }),
      "is not 2 bytes",
    ],
    ["a messageId repeated", (m) => (m[NOTE].fields[0].default = "0"), "messageId has the value of smokeinfo"],
    [
      "a messageId that the response of a command has",
      (m) => (m[REPORT].fields[0].default = "4"),
      "response of set_alarm, messageId: messageId has the value of smokeinfo",
    ],
    ["a messageId elsewhere", (m) => m[REPORT].fields.reverse(), "messageId is field 1, in smokeinfo it is field 2"],
    ["a messageId of text", (m) => (m[REPORT].fields[0].dataType = "varstring"), "messageId is not of an integer type"],
    [
      "a messageId of another width",
      (m) => (m[NOTE].fields[0].dataType = "int16u"),
      "messageId is int16u, in smokeinfo",
    ],
    ["a messageId without value", (m) => delete m[NOTE].fields[0].default, "messageId needs its value as default"],
    ["a messageId missing", (m) => delete m[NOTE].fields[0].mark, "messages[1]: note_msg: needs a messageId"],
    ["a messageId linked", (m) => (m[REPORT].fields[0].link = m[REPORT].fields[1].link), "cannot be linked"],
    [
      "a messageId missing in a delivery beside an answer to reports",
      (m) => delete m[DELIVERY].fields[0].mark,
      "messages[3]: set_alarm: needs a messageId",
    ],
    [
      "a delivery that looks like the answer to a report",
      (m) => (m[DELIVERY].fields[0].default = "0xAA"),
      "smokeinfo: the response looks like set_alarm, whose messageId is 0xaa",
    ],
    ["a response of half a byte", (m) => (m[REPORT].response.default = "AAA"), "the response has half a byte"],
    ["a response that is not hexadecimal", (m) => (m[REPORT].response.default = "ok"), "response is not hexadecimal"],
    ["mid of one byte", (m) => (m[DELIVERY].fields[1].dataType = "int8u"), "mid is not 2 bytes"],
    [
      "mid elsewhere",
      (m) => m[DELIVERY].response.fields.splice(1, 2, m[DELIVERY].response.fields[2], m[DELIVERY].response.fields[1]),
      "response of set_alarm, mid: mid is field 3, in set_alarm it is field 2",
    ],
    ["no mid in the response", (m) => delete m[DELIVERY].response.fields[1].mark, "response of set_alarm: needs a mid"],
    ["no mid in the delivery", (m) => delete m[DELIVERY].fields[1].mark, "set_alarm: needs a mid"],
    [
      "mid in a report",
      (m) => (m[REPORT].fields[1] = { name: "mid", dataType: "int16u", mark: "mid" }),
      "mid belongs to",
    ],
    ["errcode in a delivery", (m) => (m[DELIVERY].fields[2].mark = "errcode"), "errcode belongs to command responses"],
    ["a mark twice", (m) => (m[DELIVERY].response.fields[3].mark = "errcode"), "errcode is marked twice"],
    [
      "an unknown service",
      (m) => (m[REPORT].fields[1].link.serviceId = "Fog"),
      "Fog.level is not in the product model",
    ],
    ["an unknown property", (m) => (m[REPORT].fields[1].link.property = "x"), "Smoke.x is not in the product model"],
    [
      "an unknown command",
      (m) => (m[DELIVERY].command = "X"),
      "set_alarm: Smoke.X is not a command of the product model",
    ],
    [
      "an unknown parameter",
      (m) => (m[DELIVERY].fields[2].link.parameter = "x"),
      "x is no parameter of Smoke.SET_ALARM",
    ],
    [
      "an unknown response parameter",
      (m) => (m[DELIVERY].response.fields[3].link.parameter = "value"),
      "value is no response parameter of Smoke.SET_ALARM",
    ],
    [
      "a property in a command",
      (m) => (m[DELIVERY].fields[2].link = m[REPORT].fields[1].link),
      "linked with a parameter",
    ],
    [
      "a parameter in a report",
      (m) => (m[REPORT].fields[1].link = { parameter: "value" }),
      "linked with a service and",
    ],
    [
      "a property linked twice",
      (m) => m[REPORT].fields.push({ name: "again", dataType: "int8u", link: m[REPORT].fields[1].link }),
      "smokeinfo, again: is linked with what another field is linked with",
    ],
    [
      "an integer field for a string",
      (m) => (m[REPORT].fields[1].link.property = "note"),
      "int16u does not fit note, which is of type string",
    ],
    ["a text field for an int", (m) => (m[NOTE].fields[2].link.property = "level"), "varstring does not fit level"],
    [
      "a linked length field in a delivery",
      (m) => m[DELIVERY].fields.push({ name: "blob", dataType: "variant", lengthField: "value", default: "00" }),
      "value is computed and cannot be linked to a parameter",
    ],
    [
      "two messages for one command",
      (m) => m.push({ ...structuredClone(m[DELIVERY]), name: "again" }),
      "messages[4].command: again: Smoke.SET_ALARM has a message already",
    ],
    [
      "a mandatory parameter without field",
      (m) => delete m[DELIVERY].fields[2].link,
      "the mandatory parameter value has no",
    ],
    [
      "a mandatory property without field",
      (m) => delete m[REPORT].fields[1].link,
      "mandatory property Smoke.level has no",
    ],
  ])("%s", (_name, spoil, expected) => {
    expect(issuesOf(spoil).join("\n")).toContain(expected);
  });
});

test("tells everything at once, with message and field", () => {
  const messages = smokeMessages();
  (messages[REPORT] as { name: string }).name = "9";
  (messages[NOTE]?.fields[2] as { name: string }).name = "class";
  (messages[DELIVERY] as { command: string }).command = "NOTHING";
  expect(checkMessages(messages, SMOKE_PRODUCT, CODEC_DEFAULTS)).toMatchObject([
    { path: "messages[1].fields[2].name", message: "note_msg", field: "class" },
    { path: "messages[3]", message: "set_alarm", field: undefined },
    { path: "messages[0].name", message: "9" },
  ]);
});

test("has limits", () => {
  const few = { ...CODEC_DEFAULTS, maxMessages: 3, maxFields: 2 };
  expect(issuesOf(() => {}, SMOKE_PRODUCT, few)).toEqual(["messages: there are more than 3 messages"]);
  expect(issuesOf((m) => m.splice(2), SMOKE_PRODUCT, few)).toContain("messages[1]: note_msg: has more than 2 fields");
});

test.each<[string, Spoil]>([
  ["one report alone needs no messageId", (m) => m.splice(0, 4, { ...m[REPORT], fields: [m[REPORT].fields[1]] })],
  ["signed and unsigned defaults", (m) => (m[REPORT].fields[1].default = "0xFFFF")],
  ["leading zeros of a default", (m) => (m[REPORT].fields[0].default = "0x00000")],
  [
    "a messageId behind fields of fixed length",
    (m) => {
      const front = { name: "front", dataType: "string", length: 3 };
      for (const fields of [m[0].fields, m[1].fields, m[2].fields, m[DELIVERY].fields, m[DELIVERY].response.fields])
        fields.unshift(front);
    },
  ],
])("allows %s", (_name, spoil) => {
  expect(issuesOf(spoil)).toEqual([]);
});

test("a messageId behind a variable field has no place", () => {
  const issues = issuesOf((m) => {
    for (const fields of [m[0].fields, m[1].fields, m[2].fields, m[DELIVERY].response.fields])
      fields.unshift({ name: "n", dataType: "int8u" }, { name: "v", dataType: "variant", lengthField: "n" });
  });
  expect(issues.join("\n")).toContain("smokeinfo, messageId: messageId stands behind a variable field");
});

test.each([
  ["int16u", "int", true],
  ["array", "int", true],
  ["string", "int", false],
  ["string", "decimal", true],
  ["int8u", "decimal", true],
  ["array", "decimal", true],
  ["string", "string", true],
  ["array", "string", true],
  ["int8u", "string", false],
  ["int8u", "enum", false],
  ["string", "DateTime", true],
  ["array", "DateTime", true],
  ["int32u", "DateTime", false],
  ["string", "jsonObject", true],
  ["array", "jsonObject", true],
  ["int8u", "jsonObject", false],
  ["int8u", "boolean", true],
  ["string", "boolean", false],
] as const)("%s for %s: %p", (dataType, type, isFine) => {
  const product = productOf([
    {
      ...{ serviceId: "S", serviceType: "S", option: "Master", description: undefined },
      properties: [property("p", type)],
      commands: [{ name: "C", paras: [parameter("p", type)], responses: [] }],
    },
  ]);
  const length = dataType === "string" || dataType === "array" ? 4 : undefined;
  const fields = [{ name: "f", dataType, length, link: { serviceId: "S", property: "p" } }];
  const issues = checkMessages([{ type: "dataReport", name: "m", fields }], product, CODEC_DEFAULTS);
  expect(issues.length === 0).toBe(isFine);
});

test("the schema is strict", () => {
  for (const message of smokeMessages()) expect(MessageDefinition.parse(message)).toEqual(message);
  for (const [key, value] of [
    ["colour", "red"],
    ["fields", [{ name: "a", dataType: "int64u" }]],
    ["fields", [{ name: "a", dataType: "int8u", size: 1 }]],
    ["fields", [{ name: "a", dataType: "int8u", link: { serviceId: "S", property: "p", parameter: "x" } }]],
    ["type", "report"],
    ["name", ""],
  ])
    expect(MessageDefinition.safeParse({ ...smokeMessages()[0], [key as string]: value }).success).toBe(false);
  expect(MessageDefinition.parse({ type: "dataReport", name: "m", fields: [], response: {} })).toMatchObject({
    response: { default: "AAAA0000" },
  });
});

test("README.md has the worked example as it is", async () => {
  const readme = await Bun.file(new URL("../README.md", import.meta.url)).text();
  const example = /```json\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  expect(JSON.parse(example)).toEqual(smokeMessages() as never);
});
