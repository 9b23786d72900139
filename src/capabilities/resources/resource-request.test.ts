import { expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { seededRandom } from "../../platform/testing/seeded-random";
import { CONTENT_FORMAT, encodeNode } from "../../wire/lwm2m";
import { RESOURCE_OPS, type ResourceOperation, VALUE_TYPES } from "./resource";
import type { ResourceRequest } from "./resource-link";
import { type KnownOfDevice, toRequest } from "./resource-request";

/** A device with the objects 1, 3, 19, 3303 and 33000, which has shown /3/0/99 and /33000/0/7 (a time). */
const KNOWN: KnownOfDevice = {
  hasObject: (objectId) => [1, 3, 19, 3303, 33_000].includes(objectId),
  hasResource: (path) => ["3/0/99", "33000/0/7"].includes(path.join("/")),
  typeOf: (path) => (path.join("/") === "33000/0/7" ? "time" : undefined),
  instanceIds: (objectId) => (objectId === 3303 ? [0, 1, 3] : [0]),
};
const one = (id: number, type: string, value: unknown) => ({ kind: "resource", id, value: { type, value } });

test.each<[rule: string, ResourceOperation, unknown]>([
  ["an object can be read", { op: "read", path: "/3" }, { op: "read", path: [3] }],
  ["one of several values can be read", { op: "read", path: "/3/0/7/1" }, { op: "read", path: [3, 0, 7, 1] }],
  ["objects that were not named can be read", { op: "read", path: "/4/0/8" }, { op: "read", path: [4, 0, 8] }],
  ["objects without a definition too", { op: "read", path: "/44444/0/1" }, { op: "read", path: [44_444, 0, 1] }],
  ["what the device has shown can be read", { op: "read", path: "/3/0/99" }, { op: "read", path: [3, 0, 99] }],
  ["and discovered", { op: "discover", path: "/4" }, { op: "discover", path: [4] }],
  [
    "a resource is replaced",
    { op: "write", path: "/3/0/14", value: "+02:00" },
    { op: "write", path: [3, 0, 14], mode: "replace", node: one(14, "string", "+02:00") },
  ],
  [
    "a time is seconds on the wire",
    { op: "write", path: "/3/0/13", value: "2013-05-02T10:40:15Z" },
    { op: "write", path: [3, 0, 13], mode: "replace", node: one(13, "time", 1_367_491_215) },
  ],
  [
    "several values, some of them",
    { op: "write", path: "/19/0/0", value: { 0: "AQU=", 2: "AA==" }, mode: "update" },
    {
      op: "write",
      path: [19, 0, 0],
      mode: "update",
      node: {
        kind: "multipleResource",
        id: 0,
        instances: [
          { kind: "resourceInstance", id: 0, value: { type: "opaque", value: Uint8Array.of(1, 5) } },
          { kind: "resourceInstance", id: 2, value: { type: "opaque", value: Uint8Array.of(0) } },
        ],
      },
    },
  ],
  [
    "several values may be treated as one, as LiteOS does",
    { op: "write", path: "/19/1/0", value: "AQU=" },
    { op: "write", path: [19, 1, 0], mode: "replace", node: one(0, "opaque", Uint8Array.of(1, 5)) },
  ],
  [
    "one of several values",
    { op: "write", path: "/19/1/0/4", value: "AQU=" },
    {
      op: "write",
      path: [19, 1, 0, 4],
      mode: "replace",
      node: { kind: "resourceInstance", id: 4, value: { type: "opaque", value: Uint8Array.of(1, 5) } },
    },
  ],
  [
    "an instance is updated",
    { op: "write", path: "/1/0", values: { 1: 3_600, 6: true } },
    {
      op: "write",
      path: [1, 0],
      mode: "update",
      node: { kind: "objectInstance", id: 0, resources: [one(1, "integer", 3_600), one(6, "boolean", true)] },
    },
  ],
  [
    "the type of what nobody defined may be told",
    { op: "write", path: "/33000/0/1", value: 5, valueType: "float" },
    { op: "write", path: [33_000, 0, 1], mode: "replace", node: one(1, "float", 5) },
  ],
  [
    "or is that of its last value",
    { op: "write", path: "/33000/0/7", value: 5 },
    { op: "write", path: [33_000, 0, 7], mode: "replace", node: one(7, "time", 5) },
  ],
  ["an action", { op: "execute", path: "/3/0/4" }, { op: "execute", path: [3, 0, 4] }],
  [
    "an action with arguments",
    { op: "execute", path: "/3/0/5", arguments: "0='1'" },
    { op: "execute", path: [3, 0, 5], arguments: "0='1'" },
  ],
  ["an empty argument is none", { op: "execute", path: "/3/0/4", arguments: "" }, { op: "execute", path: [3, 0, 4] }],
  [
    "a new instance takes the lowest free number, and read-only values too",
    { op: "create", path: "/3303", values: { 5700: 20.5 } },
    {
      op: "create",
      path: [3303],
      node: { kind: "objectInstance", id: 2, resources: [one(5700, "float", 20.5)] },
    },
  ],
  [
    "or the number that was given",
    { op: "create", path: "/3303/9", values: { 5750: "roof" } },
    { op: "create", path: [3303], node: { kind: "objectInstance", id: 9, resources: [one(5750, "string", "roof")] } },
  ],
  ["an instance is deleted", { op: "delete", path: "/3303/1" }, { op: "delete", path: [3303, 1] }],
  [
    "attributes",
    { op: "writeAttributes", path: "/3303/0/5700", attributes: { pmin: 10, gt: 30 } },
    { op: "writeAttributes", path: [3303, 0, 5700], attributes: { pmin: 10, gt: 30 } },
  ],
  ["an observation", { op: "observe", path: "/3/0" }, { op: "observe", path: [3, 0] }],
  ["its end, of anything", { op: "cancelObserve", path: "/4/0/1" }, { op: "cancelObserve", path: [4, 0, 1] }],
])("%s", (_rule, operation, request) => {
  // Through JSON: an undefined argument is none.
  expect(toRequest(operation, KNOWN)).toEqual(request as ResourceRequest);
});

test.each<[rule: string, ResourceOperation, field: string]>([
  ["no path", { op: "read", path: "3/0" }, "path"],
  ["a part that is no id", { op: "read", path: "/3/x" }, "path"],
  ["a leading zero", { op: "read", path: "/03" }, "path"],
  ["the instance that none can be", { op: "read", path: "/3/65535" }, "path"],
  ["everything at once", { op: "read", path: "/" }, "path"],
  ["five parts", { op: "read", path: "/3/0/7/1/1" }, "path"],
  ["an object to write", { op: "write", path: "/3", values: { 13: 1 } }, "path"],
  ["an instance to execute", { op: "execute", path: "/3/0" }, "path"],
  ["a resource to delete", { op: "delete", path: "/3/0/9" }, "path"],
  ["a value to create", { op: "create", path: "/3303/1/5700", values: { 5700: 1 } }, "path"],
  ["the keys of a device", { op: "read", path: "/0/0" }, "path"],
  ["one of several where there is one", { op: "read", path: "/3/0/9/0" }, "path"],
  ["a read-only resource to write", { op: "write", path: "/3/0/9", value: 5 }, "op"],
  ["an action to read", { op: "read", path: "/3/0/4" }, "op"],
  ["an action to observe", { op: "observe", path: "/3/0/4" }, "op"],
  ["a value to execute", { op: "execute", path: "/3/0/9" }, "op"],
  ["a value where there is none", { op: "read", path: "/3/0/9", value: 1 }, "value"],
  ["attributes on a write", { op: "write", path: "/3/0/14", value: "x", attributes: { pmin: 1 } }, "attributes"],
  ["no value", { op: "write", path: "/3/0/14" }, "value"],
  ["values for a resource", { op: "write", path: "/3/0/14", values: { 0: "x" } }, "values"],
  ["a value for an instance", { op: "write", path: "/1/0", value: 5 }, "value"],
  ["no values", { op: "write", path: "/1/0", values: {} }, "values"],
  ["values with a wrong key", { op: "write", path: "/1/0", values: { lifetime: 5 } }, "values"],
  ["values with a key too large", { op: "write", path: "/1/0", values: { 65536: 5 } }, "values"],
  ["a value of the wrong type", { op: "write", path: "/1/0", values: { 1: "soon" } }, "values.1"],
  ["an action as a value", { op: "write", path: "/1/0", values: { 8: 1 } }, "values.8"],
  ["a read-only value in an instance", { op: "write", path: "/1/0", values: { 0: 1 } }, "values.0"],
  ["several values of one", { op: "write", path: "/3/0/14", value: { 0: "x" } }, "value"],
  ["several values, one wrong", { op: "write", path: "/19/0/0", value: { 0: "AA==", 3: 7 } }, "value.3"],
  ["another type than defined", { op: "write", path: "/3/0/14", value: "x", valueType: "opaque" }, "valueType"],
  ["a type for an instance", { op: "write", path: "/1/0", values: { 1: 5 }, valueType: "integer" }, "valueType"],
  ["a list", { op: "write", path: "/33000/0/1", value: [1] }, "value"],
  ["nothing to create from", { op: "create", path: "/3303" }, "values"],
  ["no attribute", { op: "writeAttributes", path: "/3303/0", attributes: {} }, "attributes"],
  ["attributes that cross", { op: "writeAttributes", path: "/3303/0", attributes: { pmin: 5, pmax: 1 } }, "attributes"],
  ["an endless argument", { op: "execute", path: "/3/0/4", arguments: "x".repeat(1_025) }, "arguments"],
])("refused: %s", (_rule, operation, field) => {
  expect(() => toRequest(operation, KNOWN)).toThrow(
    expect.objectContaining({ code: "INPUT_INVALID", details: { field, reason: expect.any(String) } }),
  );
});

test.each<[rule: string, ResourceOperation]>([
  ["a resource that the object does not have", { op: "read", path: "/3/0/98" }],
  ["one in an instance", { op: "write", path: "/1/0", values: { 98: 1 } }],
  ["a change of an object that the device did not name", { op: "execute", path: "/5/0/2" }],
  ["an observation of one", { op: "observe", path: "/6/0" }],
  ["a new instance of one", { op: "create", path: "/3300", values: { 5700: 1 } }],
])("unknown: %s", (_rule, operation) => {
  expect(() => toRequest(operation, KNOWN)).toThrow(expect.objectContaining({ code: "RESOURCE_UNKNOWN" }));
});

test("without a registration only the definitions can refuse", () => {
  const known: KnownOfDevice = { ...KNOWN, hasObject: () => undefined };
  expect(toRequest({ op: "execute", path: "/5/0/2" }, known)).toEqual({ op: "execute", path: [5, 0, 2] });
  expect(() => toRequest({ op: "execute", path: "/5/0/3" }, known)).toThrow(DomainError);
});

test("whatever comes is refused in so many words, or can be written in TLV", () => {
  const seed = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const scalars = [
    null,
    true,
    0,
    -1,
    1.5,
    2 ** 53,
    1e300,
    "",
    "AQ==",
    "3:0",
    "\ud800",
    "2026-01-01T00:00:00Z",
    "9".repeat(20),
  ];
  const keys = ["0", "1", "4", "13", "14", "5700", "65535", "-1", "x", "__proto__", "1e3"];
  const value = (depth: number): unknown => {
    const kind = depth > 2 ? 0 : Math.floor(random() * 4);
    if (kind === 1) return [value(depth + 1)];
    if (kind > 1)
      return JSON.parse(
        `{${keys.filter(() => random() < 0.3).map((key) => `"${key}":${JSON.stringify(value(depth + 1))}`)}}`,
      );
    return pick(scalars);
  };
  const paths = [
    "/1/0",
    "/3/0/13",
    "/3/0/14",
    "/19/0/0",
    "/19/1/0/4",
    "/3303",
    "/3303/7",
    "/33000/0/1",
    "/33000/0",
    "/",
    "/x",
  ];
  let accepted = 0;
  for (let round = 0; round < 5_000; round++) {
    const operation = {
      op: random() < 0.5 ? "write" : pick(RESOURCE_OPS),
      path: pick(paths),
      ...(random() < 0.7 && { value: value(0) }),
      ...(random() < 0.4 && { values: value(0) as Record<string, unknown> }),
      ...(random() < 0.2 && { valueType: pick(VALUE_TYPES) }),
    };
    try {
      const request = toRequest(operation, KNOWN);
      if ("node" in request) encodeNode(CONTENT_FORMAT.tlv, request.path, request.node);
      accepted++;
    } catch (error) {
      if (!(error instanceof DomainError))
        throw new Error(`round ${round}: ${JSON.stringify(operation)}`, { cause: error });
    }
  }
  expect(accepted).toBeGreaterThan(100);
});
