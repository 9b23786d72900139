/** What a device's objects look like inside: the one model that every content format decodes to and encodes from. */
import { MalformedError } from "../malformed-error";
import { isAtOrBelow, type LwM2mPath, renderPath } from "./path";
import type { LwM2mType, LwM2mValue } from "./value";

export type ObjectNode = { kind: "object"; id: number; instances: ObjectInstanceNode[] };
export type ObjectInstanceNode = { kind: "objectInstance"; id: number; resources: ResourceNode[] };
export type ResourceNode = SingleResourceNode | MultipleResourceNode;
export type SingleResourceNode = { kind: "resource"; id: number; value: LwM2mValue };
export type MultipleResourceNode = { kind: "multipleResource"; id: number; instances: ResourceInstanceNode[] };
export type ResourceInstanceNode = { kind: "resourceInstance"; id: number; value: LwM2mValue };
export type LwM2mNode = ObjectNode | ObjectInstanceNode | ResourceNode | ResourceInstanceNode;

/** The declared type of the resource at a path (three or four ids), if anybody declared it. */
export type TypeOf = (path: LwM2mPath) => LwM2mType | undefined;

/**
 * One value and, in formats that say it, when it was taken. Below 2^28 the time is relative to now (RFC 8428 §4.5.3).
 */
export type LwM2mSample = { path: LwM2mPath; value: LwM2mValue; timeSeconds?: number };

/** All values of a node, in its order. `path` names the node itself. */
export function samplesOf(path: LwM2mPath, node: LwM2mNode): LwM2mSample[] {
  switch (node.kind) {
    case "object":
      return node.instances.flatMap((instance) => samplesOf([...path, instance.id], instance));
    case "objectInstance":
      return node.resources.flatMap((resource) => samplesOf([...path, resource.id], resource));
    case "multipleResource":
      return node.instances.map(({ id, value }) => ({ path: [...path, id], value }));
    case "resource":
    case "resourceInstance":
      return [{ path, value: node.value }];
    default:
      return node satisfies never;
  }
}

/**
 * The node at `path` as the samples describe it; of several samples of one path the newest counts. What lies beside
 * the path, a resource both single and multiple, and a resource without any value are malformed.
 */
export function nodeOf(path: LwM2mPath, samples: readonly LwM2mSample[]): LwM2mNode {
  for (const sample of samples) {
    const isInside = isAtOrBelow(sample.path, path) && sample.path.length >= 3;
    if (!isInside) throw new MalformedError(`${renderPath(sample.path)} does not answer ${renderPath(path)}`);
  }
  return build(path, newest(samples));
}

function build(path: LwM2mPath, samples: readonly LwM2mSample[]): LwM2mNode {
  const id = path[path.length - 1];
  if (id === undefined) throw new RangeError("the root is no node; take the samples");
  switch (path.length) {
    case 1:
      return { kind: "object", id, instances: children(path, samples) as ObjectInstanceNode[] };
    case 2:
      return { kind: "objectInstance", id, resources: children(path, samples) as ResourceNode[] };
    case 3:
      if (samples[0]?.path.length === 4) {
        const isMixed = samples.some((sample) => sample.path.length === 3);
        if (isMixed) throw new MalformedError(`${renderPath(path)} is both one value and several`);
        return { kind: "multipleResource", id, instances: children(path, samples) as ResourceInstanceNode[] };
      }
      return { kind: "resource", id, value: onlyValue(path, samples) };
    default:
      return { kind: "resourceInstance", id, value: onlyValue(path, samples) };
  }
}

function children(path: LwM2mPath, samples: readonly LwM2mSample[]): LwM2mNode[] {
  const byId = Map.groupBy(samples, (sample) => sample.path[path.length] as number);
  return Array.from(byId, ([id, group]) => build([...path, id], group));
}

function onlyValue(path: LwM2mPath, samples: readonly LwM2mSample[]): LwM2mValue {
  const [sample, ...others] = samples;
  if (!sample || others.length > 0) throw new MalformedError(`${samples.length} values for ${renderPath(path)}`);
  return sample.value;
}

function newest(samples: readonly LwM2mSample[]): LwM2mSample[] {
  const byPath = new Map<string, LwM2mSample>();
  for (const sample of samples) {
    const key = renderPath(sample.path);
    const known = byPath.get(key);
    if (!known || isAsNew(sample, known)) byPath.set(key, sample);
  }
  return [...byPath.values()];
}

/** Below it a time is relative to now (RFC 8428 §4.5.3). */
export const FIRST_ABSOLUTE_SECONDS = 2 ** 28;

/** Times that cannot be compared without a clock leave the order of the message. */
function isAsNew({ timeSeconds: time = 0 }: LwM2mSample, { timeSeconds: other = 0 }: LwM2mSample): boolean {
  return time >= other || time < FIRST_ABSOLUTE_SECONDS !== other < FIRST_ABSOLUTE_SECONDS;
}

/** Seconds since 1970 of a sample that arrived at `nowSeconds`. */
export function absoluteSeconds({ timeSeconds = 0 }: LwM2mSample, nowSeconds: number): number {
  return timeSeconds < FIRST_ABSOLUTE_SECONDS ? nowSeconds + timeSeconds : timeSeconds;
}
