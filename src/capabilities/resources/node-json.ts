import type { LwM2mNode, LwM2mPath, LwM2mType, ObjectInstanceNode, ResourceNode } from "../../wire/lwm2m";
import { inputInvalid } from "../devices/device-core";
import type { JsonValue } from "./resource";
import { valueFromJson, valueToJson } from "./value-json";

const MAX_INSTANCE_ID = 65_534;
const MAX_RESOURCE_ID = 65_535;
const ID = /^(?:0|[1-9]\d{0,4})$/;

export function nodeToJson(node: LwM2mNode): JsonValue {
  switch (node.kind) {
    case "object":
      return byId(node.instances);
    case "objectInstance":
      return byId(node.resources);
    case "multipleResource":
      return byId(node.instances);
    case "resource":
    case "resourceInstance":
      return valueToJson(node.value);
    default:
      return node satisfies never;
  }
}

const byId = (nodes: readonly LwM2mNode[]): JsonValue =>
  Object.fromEntries(nodes.map((node) => [String(node.id), nodeToJson(node)]));

/** Checks that such a resource may be given, and tells what its values are. Throws. */
export type ResourceRule = (path: LwM2mPath, field: string, several: boolean) => LwM2mType | undefined;

/** One value, or an object of values by their ids. */
export function resourceFromJson(path: LwM2mPath, json: unknown, field: string, rule: ResourceRule): ResourceNode {
  const id = path[2] as number;
  const several = isObject(json);
  const type = rule(path, field, several);
  if (!several) return { kind: "resource", id, value: valueFromJson(type, json, field) };
  const instances = entriesById(json, field, MAX_INSTANCE_ID).map(([instanceId, value]) => ({
    kind: "resourceInstance" as const,
    id: instanceId,
    value: valueFromJson(type, value, `${field}.${instanceId}`),
  }));
  return { kind: "multipleResource", id, instances };
}

export function instanceFromJson(
  path: LwM2mPath,
  values: Readonly<Record<string, unknown>>,
  rule: ResourceRule,
): ObjectInstanceNode {
  return {
    kind: "objectInstance",
    id: path[1] as number,
    resources: entriesById(values, "values", MAX_RESOURCE_ID).map(([id, value]) =>
      resourceFromJson([...path, id], value, `values.${id}`, rule),
    ),
  };
}

function entriesById(json: Readonly<Record<string, unknown>>, field: string, maxId: number): [number, unknown][] {
  const entries = Object.entries(json);
  if (entries.length === 0) throw inputInvalid(field, "names no value");
  return entries.map(([key, value]) => {
    const id = ID.test(key) ? Number(key) : Number.NaN;
    if (!(id <= maxId)) throw inputInvalid(field, `has a key that is no id from 0 to ${maxId}`);
    return [id, value];
  });
}

const isObject = (json: unknown): json is Readonly<Record<string, unknown>> =>
  typeof json === "object" && json !== null && !Array.isArray(json);
