import { expect, test } from "bun:test";
import type { LwM2mNode, LwM2mValue, ResourceInstanceNode } from "../../wire/lwm2m";
import { logOf } from "./log-content";

const one = (id: number, type: string, value: unknown): ResourceInstanceNode => ({
  kind: "resourceInstance",
  id,
  value: { type, value } as LwM2mValue,
});
const several = (...instances: ResourceInstanceNode[]): LwM2mNode => ({
  kind: "multipleResource",
  id: 4014,
  instances,
});
const bytes = (hex: string) => Uint8Array.fromHex(hex);

test.each<[rule: string, node: LwM2mNode, text: string, contentType: string]>([
  ["bytes", { ...one(4014, "opaque", bytes("4c6f67ff")), kind: "resource" }, "Log\ufffd", "application/octet-stream"],
  ["text", { ...one(4014, "string", "Zeile é"), kind: "resource" }, "Zeile é", "text/plain; charset=utf-8"],
  ["one of several", one(0, "string", "a"), "a", "text/plain; charset=utf-8"],
  [
    "several, in the order of their numbers",
    several(one(2, "opaque", bytes("43")), one(0, "opaque", bytes("41")), one(1, "opaque", bytes("42"))),
    "ABC",
    "application/octet-stream",
  ],
  ["several texts", several(one(0, "string", "a\n"), one(1, "string", "b")), "a\nb", "text/plain; charset=utf-8"],
  ["a number", { ...one(4014, "integer", 12), kind: "resource" }, "12", "application/octet-stream"],
  ["none of several", several(), "", "application/octet-stream"],
])("%s", (_rule, node, text, contentType) => {
  const log = logOf(node);
  expect([new TextDecoder().decode(log?.content), log?.contentType]).toEqual([text, contentType]);
});

test("an instance or nothing is no log", () => {
  expect(logOf({ kind: "objectInstance", id: 0, resources: [] })).toBeUndefined();
  expect(logOf(undefined)).toBeUndefined();
});
