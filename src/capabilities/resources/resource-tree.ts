import { type LwM2mPath, OBJECT_DEFINITIONS, type ObjectDefinition, renderPath } from "../../wire/lwm2m";
import type { InstanceView, ObjectView, ResourceView } from "./resource";
import type { LwM2mRegistration } from "./resource-link";
import type { KeptValue } from "./value-repository";

type Sources = {
  readonly registration: LwM2mRegistration | undefined;
  readonly kept: readonly KeptValue[];
  readonly isObserved: (path: LwM2mPath) => boolean;
};

/** What the device said when it registered, what was seen of it since, and what the definitions say of both. */
export function resourceTree({ registration, kept, isObserved }: Sources): ObjectView[] {
  const registered = new Map(registration?.objects.map((object) => [object.objectId, object]));
  const byObject = Map.groupBy(kept, ({ objectId }) => objectId);
  return union(registered.keys(), byObject.keys()).map((objectId) => {
    const named = registered.get(objectId);
    const definition = OBJECT_DEFINITIONS.get(objectId);
    const byInstance = Map.groupBy(byObject.get(objectId) ?? [], ({ instanceId }) => instanceId);
    return {
      objectId,
      name: definition?.name,
      version: named?.version,
      registered: named !== undefined,
      instances: union(named?.instanceIds ?? [], byInstance.keys()).map(
        (instanceId): InstanceView => ({
          instanceId,
          registered: named?.instanceIds.includes(instanceId) ?? false,
          resources: resourcesOf([objectId, instanceId], definition, byInstance.get(instanceId) ?? [], isObserved),
        }),
      ),
    };
  });
}

function resourcesOf(
  path: LwM2mPath,
  object: ObjectDefinition | undefined,
  kept: readonly KeptValue[],
  isObserved: Sources["isObserved"],
): ResourceView[] {
  const byId = new Map(kept.map((it) => [it.resourceId, it]));
  return union(object?.resources.keys() ?? [], byId.keys()).map((resourceId): ResourceView => {
    const definition = object?.resources.get(resourceId);
    const seen = byId.get(resourceId);
    const at = [...path, resourceId];
    return {
      resourceId,
      path: renderPath(at),
      name: definition?.name,
      type: definition?.type ?? seen?.type,
      operations: definition?.operations,
      units: definition?.units,
      multiple: definition?.multiple,
      mandatory: definition?.mandatory,
      known: seen !== undefined,
      value: seen?.value,
      omittedChars: seen?.omittedChars,
      lastSeenMs: seen?.seenMs,
      observed: isObserved(at),
    };
  });
}

const union = (one: Iterable<number>, other: Iterable<number>): number[] =>
  [...new Set([...one, ...other])].sort((a, b) => a - b);
