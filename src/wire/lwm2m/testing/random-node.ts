import type { Random } from "../../testing/random";
import type { LwM2mNode, ObjectInstanceNode, ResourceNode } from "../node";
import type { LwM2mPath } from "../path";
import { integerValue, LWM2M_TYPES, type LwM2mType, type LwM2mValue } from "../value";

/** Types by number, so that every decoder of a test knows what the maker of the node meant. */
export const typeById = (path: LwM2mPath): LwM2mType =>
  LWM2M_TYPES[(path[2] as number) % LWM2M_TYPES.length] as LwM2mType;

const TEXTS = ["", "a", "温度", '"quoted\\"', "😀", "\ufeffx", "line\nbreak", "x".repeat(300), "__proto__"];
const WHOLES = [
  0n,
  1n,
  -1n,
  127n,
  -128n,
  128n,
  65_535n,
  -32_769n,
  2n ** 31n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
];
const FLOATS = [0, 1, 1.5, -2.25, 0.1, 65_504, 1e-7, 3.4e38, 1e21, 1e300, 5e-324, -123_456_789.125, 2 ** 60];

export function randomValue(random: Random, type: LwM2mType): LwM2mValue {
  switch (type) {
    case "string":
    case "corelnk":
      return { type, value: random.oneOf(TEXTS) };
    case "integer":
    case "time":
      return integerValue(type, random.oneOf([...WHOLES, -(2n ** 63n), BigInt(random.below(100_000))]));
    case "unsigned":
      return integerValue(type, random.oneOf([0n, 255n, 256n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n]));
    case "float":
      return { type, value: random.oneOf(FLOATS) };
    case "boolean":
      return { type, value: random.below(2) === 1 };
    case "opaque":
      return { type, value: random.bytes(random.oneOf([0, 1, 2, 3, 7, 8, 255, 256])) };
    case "objlnk":
      return { type, value: { objectId: random.below(65_536), instanceId: random.oneOf([0, 1, 65_535]) } };
    default:
      return type satisfies never;
  }
}

const someIds = (random: Random, most: number) => [
  ...new Set(
    Array.from({ length: 1 + random.below(most) }, () => random.oneOf([random.below(12), random.below(65_535)])),
  ),
];

export function randomResource(random: Random, path: LwM2mPath): ResourceNode {
  const id = path[2] as number;
  const type = typeById(path);
  if (random.below(3) > 0) return { kind: "resource", id, value: randomValue(random, type) };
  const instances = someIds(random, 3).map((id) => ({
    kind: "resourceInstance" as const,
    id,
    value: randomValue(random, type),
  }));
  return { kind: "multipleResource", id, instances };
}

export function randomInstance(random: Random, path: LwM2mPath): ObjectInstanceNode {
  const resources = someIds(random, 8).map((id) => randomResource(random, [...path, id]));
  return { kind: "objectInstance", id: path[1] as number, resources };
}

export function randomNode(random: Random): { path: LwM2mPath; node: LwM2mNode } {
  const objectId = random.below(65_536);
  const instanceId = random.below(65_535);
  const resourceId = random.below(65_536);
  switch (random.below(4)) {
    case 0: {
      const instances = someIds(random, 3).map((id) => randomInstance(random, [objectId, id]));
      return { path: [objectId], node: { kind: "object", id: objectId, instances } };
    }
    case 1: {
      const path = [objectId, instanceId];
      return { path, node: randomInstance(random, path) };
    }
    case 2: {
      const path = [objectId, instanceId, resourceId];
      return { path, node: randomResource(random, path) };
    }
    default: {
      const path = [objectId, instanceId, resourceId, random.below(65_535)];
      const value = randomValue(random, typeById(path));
      return { path, node: { kind: "resourceInstance", id: path[3] as number, value } };
    }
  }
}
