import { parseUtcTime } from "../../platform/utc-time";
import {
  integerValue,
  type LwM2mPath,
  type LwM2mType,
  type LwM2mValue,
  OBJECT_DEFINITIONS,
  type ObjectDefinition,
  type ObjectInstanceNode,
  parseValueText,
  type ResourceDefinition,
  type ResourceNode,
} from "../../wire/lwm2m";
import type { Values } from "./desired";

/** How the wishes for one service reach a device that keeps these objects. */
export type ServiceWrite = {
  /** One write to an instance of an object. */
  readonly resource:
    | { readonly path: LwM2mPath; readonly node: ObjectInstanceNode; readonly values: Values }
    | undefined;
  /** Properties that name a resource, with values that it cannot hold. */
  readonly unfit: readonly { readonly name: string; readonly reason: string }[];
  /** The rest: for the codec of the product. */
  readonly message: Values | undefined;
};

/**
 * Properties that name a resource of an object which the device says it has are written to it, at instance 0; all others
 * are for the codec. Names are compared without case, blanks and punctuation; numbers are ids (`3`, `/3/0`; `14`).
 */
export function splitWrite(
  { serviceId, serviceType }: { readonly serviceId: string; readonly serviceType: string },
  values: Values,
  hasObject: (objectId: number) => boolean,
): ServiceWrite {
  const object = [serviceId, serviceType].flatMap(objectsNamed).find(({ id }) => hasObject(id));
  const resources: ResourceNode[] = [];
  const written: [string, unknown][] = [];
  const unfit: { name: string; reason: string }[] = [];
  const rest: [string, unknown][] = [];
  for (const [name, value] of Object.entries(values)) {
    const definition = object && resourceNamed(object, name);
    if (!definition || resources.some(({ id }) => id === definition.id)) {
      rest.push([name, value]);
      continue;
    }
    try {
      resources.push(toResource(definition, value));
      written.push([name, value]);
    } catch (error) {
      unfit.push({ name, reason: `value_unfit: ${(error as Error).message}` });
    }
  }
  return {
    resource:
      object && resources.length > 0
        ? {
            path: [object.id, 0],
            node: { kind: "objectInstance", id: 0, resources },
            values: Object.fromEntries(written),
          }
        : undefined,
    unfit,
    message: rest.length > 0 ? Object.fromEntries(rest) : undefined,
  };
}

const normalised = (name: string) => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");
/** Some names stand for two: 6 and 3336 are both called Location. */
const OBJECTS_BY_NAME = Map.groupBy(OBJECT_DEFINITIONS.values(), ({ name }) => normalised(name));
/** `3`, `/3`, `/3/0`: only instance 0 is written. */
const OBJECT_PATH = /^\/?(\d{1,5})(?:\/0)?$/;

function objectsNamed(name: string): readonly ObjectDefinition[] {
  const [, id] = OBJECT_PATH.exec(name) ?? [];
  if (id === undefined) return OBJECTS_BY_NAME.get(normalised(name)) ?? [];
  const object = OBJECT_DEFINITIONS.get(Number(id));
  return object ? [object] : [];
}

/** Of resources that hold a value and are a server's business; whether one may be written is for the device to say. */
function resourceNamed({ resources }: ObjectDefinition, name: string): ResourceDefinition | undefined {
  const byId = /^\d{1,5}$/.test(name) ? resources.get(Number(name)) : undefined;
  const found = byId ?? [...resources.values()].find((it) => normalised(it.name) === normalised(name));
  return found?.type !== undefined && found.operations !== "none" && found.operations !== "E" ? found : undefined;
}

function toResource({ id, type, multiple }: ResourceDefinition, value: unknown): ResourceNode {
  const toValue = (it: unknown) => toLwM2mValue(type as LwM2mType, it);
  if (!multiple) return { kind: "resource", id, value: toValue(value) };
  const values = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw new TypeError("an empty list");
  return {
    kind: "multipleResource",
    id,
    instances: values.map((it, instance) => ({ kind: "resourceInstance", id: instance, value: toValue(it) })),
  };
}

/** Throws when the type cannot hold the value. */
function toLwM2mValue(type: LwM2mType, value: unknown): LwM2mValue {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
    throw new TypeError(`${Array.isArray(value) ? "a list" : typeof value} is no ${type}`);
  switch (type) {
    case "string":
    case "corelnk":
      if (!String(value).isWellFormed()) throw new TypeError("no well-formed text");
      return { type, value: String(value) };
    case "boolean":
      if (typeof value === "boolean") return { type, value };
      return /^(?:true|false)$/i.test(String(value))
        ? { type, value: String(value).toLowerCase() === "true" }
        : parseValueText(type, String(value));
    case "integer":
    case "unsigned":
    case "time":
      if (typeof value === "number") return integerValue(type, value);
      return parseValueText(type, String(type === "time" ? (secondsOf(String(value)) ?? value) : value));
    case "float":
    case "opaque":
    case "objlnk":
      if (typeof value === "number" && type === "float") return { type, value };
      return parseValueText(type, String(value));
    default:
      return type satisfies never;
  }
}

/** DateTime of a product model. */
function secondsOf(text: string): number | undefined {
  const ms = parseUtcTime(text);
  return ms === undefined ? undefined : Math.floor(ms / 1_000);
}
