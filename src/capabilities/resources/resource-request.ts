import { DomainError } from "../../platform/domain-error";
import {
  attributesProblem,
  type LwM2mPath,
  type LwM2mType,
  OBJECT_DEFINITIONS,
  parsePath,
  type ResourceDefinition,
  renderPath,
  resourceDefinition,
} from "../../wire/lwm2m";
import { MalformedError } from "../../wire/malformed-error";
import { inputInvalid } from "../devices/device-core";
import { instanceFromJson, type ResourceRule, resourceFromJson } from "./node-json";
import type { ResourceOp, ResourceOperation } from "./resource";
import type { ResourceRequest } from "./resource-link";
import { valueFromJson } from "./value-json";

/** What is known of the device itself, beside the definitions. */
export type KnownOfDevice = {
  /** The registration names the object, or something of it was seen. Undefined: there is no registration to tell. */
  hasObject(objectId: number): boolean | undefined;
  /** It was read, observed, written or discovered. */
  hasResource(path: LwM2mPath): boolean;
  /** Of its last value. */
  typeOf(path: LwM2mPath): LwM2mType | undefined;
  instanceIds(objectId: number): readonly number[];
};

/** How many ids a path may have, and which further fields go with the operation (TS 1.0.2 §5.1, §5.4). */
const RULES: Record<ResourceOp, { depth: readonly [number, number]; fields: readonly (keyof ResourceOperation)[] }> = {
  read: { depth: [1, 4], fields: [] },
  write: { depth: [2, 4], fields: ["value", "valueType", "values", "mode"] },
  execute: { depth: [3, 3], fields: ["arguments"] },
  create: { depth: [1, 2], fields: ["values"] },
  delete: { depth: [2, 2], fields: [] },
  discover: { depth: [1, 3], fields: [] },
  writeAttributes: { depth: [1, 3], fields: ["attributes"] },
  observe: { depth: [1, 4], fields: [] },
  cancelObserve: { depth: [1, 4], fields: [] },
};
const LEVELS = ["the root", "an object", "an instance", "a resource", "one of several values"];
const FURTHER = ["value", "valueType", "values", "mode", "arguments", "attributes"] as const;
const MAX_ARGUMENT_CHARS = 1_024;
const SECURITY_OBJECT = 0;

/** What goes to the device. Throws INPUT_INVALID {field, reason}, RESOURCE_UNKNOWN {path}. */
export function toRequest(operation: ResourceOperation, known: KnownOfDevice): ResourceRequest {
  const { op } = operation;
  const path = pathOf(operation);
  for (const field of FURTHER)
    if (operation[field] !== undefined && !RULES[op].fields.includes(field))
      throw inputInvalid(field, `does not go with ${op}`);
  checkDefined(op, path, known);
  switch (op) {
    case "read":
    case "discover":
    case "delete":
    case "observe":
    case "cancelObserve":
      return { op, path };
    case "execute":
      return { op, path, arguments: argumentsOf(operation) };
    case "writeAttributes":
      return { op, path, attributes: attributesOf(operation) };
    case "create": {
      const at = path.length === 1 ? [...path, freeInstance(path[0] as number, known)] : path;
      const values = required(operation, "values");
      return { op, path: path.slice(0, 1), node: instanceFromJson(at, values, ruleOf(undefined, known)) };
    }
    case "write":
      return writeOf(operation, path, known);
    default:
      return op satisfies never;
  }
}

function pathOf({ op, path: text }: ResourceOperation): LwM2mPath {
  let path: LwM2mPath;
  try {
    path = parsePath(text);
  } catch (error) {
    if (error instanceof MalformedError) throw inputInvalid("path", error.message);
    throw error;
  }
  const [least, most] = RULES[op].depth;
  if (path.length < least || path.length > most)
    throw inputInvalid("path", `names ${LEVELS[path.length]}, which ${op} does not go with`);
  if (path[0] === SECURITY_OBJECT) throw inputInvalid("path", "only a bootstrap server may use object 0");
  return path;
}

/**
 * Reading and discovering may ask for objects that the device did not name, which is how one finds out; whoever changes
 * something must know that it is there.
 */
function checkDefined(op: ResourceOp, path: LwM2mPath, known: KnownOfDevice): void {
  if (op === "cancelObserve") return; // whatever is observed may be left
  const objectId = path[0] as number;
  const asks = op === "read" || op === "discover";
  if (!asks && known.hasObject(objectId) === false) throw unknownResource(path, "the device did not name the object");
  const definition = definitionOf(path, known);
  if (!definition) return;
  const { operations, name, multiple } = definition;
  if (path.length === 4 && !multiple) throw inputInvalid("path", `${name} has one value`);
  const wanted = LETTERS[op];
  if (wanted && !operations.includes(wanted))
    throw inputInvalid("op", `${name} (${renderPath(path)}) ${OFFERS[operations]}`);
}
const LETTERS: Partial<Record<ResourceOp, "R" | "W" | "E">> = {
  read: "R",
  observe: "R",
  write: "W",
  execute: "E",
};
const OFFERS: Record<ResourceDefinition["operations"], string> = {
  R: "can only be read",
  W: "can only be written",
  RW: "can only be read and written",
  E: "can only be executed",
  none: "is not for a server to use",
};

/** Undefined where nobody defined it; throws for what a known object does not have, unless the device has shown it. */
function definitionOf(path: LwM2mPath, known: KnownOfDevice): ResourceDefinition | undefined {
  if (path.length < 3) return undefined;
  const definition = resourceDefinition(path);
  if (!definition && OBJECT_DEFINITIONS.has(path[0] as number) && !known.hasResource(path.slice(0, 3)))
    throw unknownResource(path, "the object has no such resource");
  return definition;
}

function unknownResource(path: LwM2mPath, reason: string): DomainError {
  return new DomainError("RESOURCE_UNKNOWN", { path: renderPath(path), reason });
}

function writeOf(operation: ResourceOperation, path: LwM2mPath, known: KnownOfDevice): ResourceRequest {
  const { mode, valueType } = operation;
  if (path.length === 2) {
    if (valueType !== undefined) throw inputInvalid("valueType", "does not go with an instance");
    if (operation.value !== undefined) throw inputInvalid("value", "is for a resource; an instance has values");
    const node = instanceFromJson(path, required(operation, "values"), ruleOf("W", known));
    return { op: "write", path, mode: mode ?? "update", node };
  }
  if (operation.values !== undefined) throw inputInvalid("values", "are for an instance; a resource has a value");
  if (operation.value === undefined) throw inputInvalid("value", "is required");
  const rule = ruleOf("W", known, valueType);
  if (path.length === 3) {
    const node = resourceFromJson(path, operation.value, "value", rule);
    return { op: "write", path, mode: mode ?? "replace", node };
  }
  const value = valueFromJson(rule(path, "value", false), operation.value, "value");
  const node = { kind: "resourceInstance", id: path[3] as number, value } as const;
  return { op: "write", path, mode: mode ?? "replace", node };
}

/** `needs`: a new instance may be given also what can only be read later. */
function ruleOf(needs: "W" | undefined, known: KnownOfDevice, given?: LwM2mType): ResourceRule {
  return (path, field, several) => {
    const definition = definitionOf(path, known);
    if (!definition) return given ?? known.typeOf(path.slice(0, 3));
    const { name, operations, type, multiple } = definition;
    if (operations === "E" || (needs && !operations.includes(needs)))
      throw inputInvalid(field, `${name} ${OFFERS[operations]}`);
    if (several && !multiple) throw inputInvalid(field, `${name} has one value`);
    if (given !== undefined && given !== type) throw inputInvalid("valueType", `${name} is ${type}`);
    return type;
  };
}

function argumentsOf({ arguments: text }: ResourceOperation): string | undefined {
  if (text !== undefined && (text.length > MAX_ARGUMENT_CHARS || !text.isWellFormed()))
    throw inputInvalid("arguments", `are not up to ${MAX_ARGUMENT_CHARS} characters of text`);
  return text === "" ? undefined : text; // LiteOS refuses a payload where none is wanted
}

function attributesOf(operation: ResourceOperation) {
  const attributes = required(operation, "attributes");
  const problem = Object.keys(attributes).length === 0 ? "name no attribute" : attributesProblem(attributes);
  if (problem) throw inputInvalid("attributes", problem);
  return attributes;
}

function required<K extends keyof ResourceOperation>(
  operation: ResourceOperation,
  field: K,
): NonNullable<ResourceOperation[K]> {
  const value = operation[field];
  if (value === undefined || value === null) throw inputInvalid(field, "is required");
  return value as NonNullable<ResourceOperation[K]>;
}

function freeInstance(objectId: number, known: KnownOfDevice): number {
  const taken = new Set(known.instanceIds(objectId));
  let id = 0;
  while (taken.has(id)) id++;
  return id;
}
