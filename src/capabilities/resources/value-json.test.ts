import { expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import type { LwM2mType, LwM2mValue } from "../../wire/lwm2m";
import { valueFromJson, valueToJson } from "./value-json";

test.each<[string | number | boolean, LwM2mValue]>([
  ["温度", { type: "string", value: "温度" }],
  ["</3/0>", { type: "corelnk", value: "</3/0>" }],
  [-7, { type: "integer", value: -7 }],
  ["-9223372036854775808", { type: "integer", value: -9_223_372_036_854_775_808n }],
  ["18446744073709551615", { type: "unsigned", value: 18_446_744_073_709_551_615n }],
  [22.5, { type: "float", value: 22.5 }],
  [false, { type: "boolean", value: false }],
  ["AP8=", { type: "opaque", value: Uint8Array.of(0, 0xff) }],
  ["2013-05-02T10:40:15.000Z", { type: "time", value: 1_367_491_215 }],
  ["66:1", { type: "objlnk", value: { objectId: 66, instanceId: 1 } }],
])("%p is the JSON of a value, both ways", (json, value) => {
  expect(valueToJson(value)).toBe(json);
  expect(valueFromJson(value.type, json, "value")).toEqual(value);
});

test.each<[LwM2mType, unknown, LwM2mValue]>([
  ["time", 1_367_491_215, { type: "time", value: 1_367_491_215 }],
  ["time", "2013-05-02T12:40:15.9+02:00", { type: "time", value: 1_367_491_215 }],
  ["time", "-5", { type: "time", value: -5 }],
  ["integer", "12", { type: "integer", value: 12 }],
  ["float", 3, { type: "float", value: 3 }],
])("a %s may be given as %p", (type, json, value) => expect(valueFromJson(type, json, "value")).toEqual(value));

test.each<[LwM2mType, unknown]>([
  ["string", 5],
  ["string", "\ud800"],
  ["integer", 1.5],
  ["integer", 2 ** 53],
  ["integer", "1e3"],
  ["integer", "9223372036854775808"],
  ["integer", true],
  ["unsigned", -1],
  ["float", "22.5"],
  ["float", Number.NaN],
  ["boolean", 1],
  ["boolean", "true"],
  ["time", "2013-05-02"],
  ["time", "2013-05-02T10:40:15"],
  ["time", "2013-13-02T10:40:15Z"],
  ["opaque", "no base64!"],
  ["opaque", [1]],
  ["objlnk", "66"],
  ["objlnk", "66:70000"],
  ["corelnk", null],
])("no %s: %p", (type, json) => {
  const refusal = expect(() => valueFromJson(type, json, "values.5"));
  refusal.toThrow(DomainError);
  refusal.toThrow(expect.objectContaining({ details: { field: "values.5", reason: expect.any(String) } }));
});

test("without a definition the JSON tells the type", () => {
  const types = ["x", 1, 1.5, 2 ** 60, true].map((json) => valueFromJson(undefined, json, "value").type);
  expect(types).toEqual(["string", "integer", "float", "float", "boolean"]);
  expect(() => valueFromJson(undefined, null, "value")).toThrow(DomainError);
});

test("what JSON has no number for is text", () => {
  expect(valueToJson({ type: "float", value: Number.NaN })).toBe("NaN");
  expect(valueToJson({ type: "float", value: -Infinity })).toBe("-Infinity");
  expect(valueToJson({ type: "time", value: 9_000_000_000_000 })).toBe("9000000000000");
});
