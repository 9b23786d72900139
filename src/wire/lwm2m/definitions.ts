/** What the objects and resources are called, what they hold and what may be done with them. */
import { CORE_OBJECTS } from "./core-definitions";
import { IPSO_OBJECTS, IPSO_RESOURCES } from "./ipso-definitions";
import type { LwM2mPath } from "./path";
import { LWM2M_TYPES, type LwM2mType } from "./value";

export type Operations = "R" | "W" | "RW" | "E" | "none";

export type ResourceDefinition = {
  id: number;
  name: string;
  /** `none`: only the bootstrap server reads and writes it, or (4016) only the device sends it. */
  operations: Operations;
  multiple: boolean;
  mandatory: boolean;
  /** Absent where there is nothing to hold: the resource is executed. */
  type?: LwM2mType;
  units?: string;
};

export type ObjectDefinition = {
  id: number;
  name: string;
  multiple: boolean;
  mandatory: boolean;
  resources: ReadonlyMap<number, ResourceDefinition>;
};

const OBJECT_LINE = /^# (\d+) (.+?)(?: ([*!]+))?$/;
const RESOURCE_LINE = /^(\d+) (R|W|RW|E|-) ([a-z]+|-)([!*]*) (.+?)(?: \[(.+)\])?$/;

export const OBJECT_DEFINITIONS: ReadonlyMap<number, ObjectDefinition> = new Map(
  [...coreObjects(), ...ipsoObjects()].map((object) => [object.id, object]),
);

export function resourceDefinition(path: LwM2mPath): ResourceDefinition | undefined {
  const [objectId, , resourceId] = path;
  return resourceId === undefined ? undefined : OBJECT_DEFINITIONS.get(objectId as number)?.resources.get(resourceId);
}

/** `TypeOf` of the objects known here. */
export function declaredType(path: LwM2mPath): LwM2mType | undefined {
  return resourceDefinition(path)?.type;
}

function coreObjects(): ObjectDefinition[] {
  const objects: (ObjectDefinition & { resources: Map<number, ResourceDefinition> })[] = [];
  for (const line of CORE_OBJECTS.trim().split("\n")) {
    const [, id, name = "", flags = ""] = OBJECT_LINE.exec(line) ?? [];
    if (id !== undefined) {
      objects.push({ id: Number(id), name, ...parseFlags(flags), resources: new Map() });
      continue;
    }
    const resource = parseResource(line);
    objects.at(-1)?.resources.set(resource.id, resource);
  }
  return objects;
}

function ipsoObjects(): ObjectDefinition[] {
  const shared = new Map(
    IPSO_RESOURCES.trim()
      .split("\n")
      .map(parseResource)
      .map((resource) => [resource.id, resource]),
  );
  return IPSO_OBJECTS.map(([id, name, list]) => ({
    id,
    name,
    multiple: true,
    mandatory: false,
    resources: new Map(
      list.split(" ").map((item) => {
        const resource = shared.get(Number.parseInt(item, 10));
        if (!resource) throw new Error(`object ${id} names a resource that is not there: ${item}`);
        return [resource.id, { ...resource, mandatory: item.endsWith("!") }];
      }),
    ),
  }));
}

function parseResource(line: string): ResourceDefinition {
  const [, id, operations, typeName, flags = "", name, units] = RESOURCE_LINE.exec(line) ?? [];
  if (!id || !operations || !name) throw new Error(`no definition of a resource: ${line}`);
  const type = LWM2M_TYPES.find((type) => type === typeName);
  if (!type && typeName !== "-") throw new Error(`no type: ${line}`);
  return {
    id: Number(id),
    name,
    operations: operations === "-" ? "none" : (operations as Operations),
    ...parseFlags(flags),
    ...(type === undefined ? {} : { type }),
    ...(units === undefined ? {} : { units }),
  };
}

function parseFlags(flags: string): { multiple: boolean; mandatory: boolean } {
  return { multiple: flags.includes("*"), mandatory: flags.includes("!") };
}
