import { DomainError } from "../../platform/domain-error";
import type { Group, GroupNode } from "./group";

/** How groups stand to each other, by their numbers. */
export type Links = {
  readonly parentOf: (no: number) => number | undefined;
  readonly childrenOf: (no: number) => readonly number[];
};

/** The groups below it, level by level, itself as the first level. */
function levels(no: number, { childrenOf }: Pick<Links, "childrenOf">): number[][] {
  const found: number[][] = [];
  for (let level = [no]; level.length > 0; level = level.flatMap(childrenOf)) found.push(level);
  return found;
}

/** It and all groups below it. */
export const subtree = (no: number, links: Pick<Links, "childrenOf">): number[] => levels(no, links).flat();

/**
 * May `no` (undefined: a new group) stand below `parentNo`? Throws GROUP_HIERARCHY_INVALID when it would be below
 * itself, or when the tree would have more than `maxDepth` levels.
 */
export function checkParent(no: number | undefined, parentNo: number, maxDepth: number, links: Links): void {
  let depth = 0;
  for (let at: number | undefined = parentNo; at !== undefined; at = links.parentOf(at)) {
    if (at === no) throw new DomainError("GROUP_HIERARCHY_INVALID", { reason: "a group cannot be below itself" });
    depth++;
  }
  const height = no === undefined ? 1 : levels(no, links).length;
  if (depth + height > maxDepth)
    throw new DomainError("GROUP_HIERARCHY_INVALID", { reason: `a tree has at most ${maxDepth} levels`, maxDepth });
}

/** Flat groups as trees; siblings keep their order. */
export function toTrees(groups: readonly Group[]): GroupNode[] {
  const below = new Map<string | undefined, Group[]>();
  for (const group of groups) {
    const siblings = below.get(group.parentId);
    if (siblings) siblings.push(group);
    else below.set(group.parentId, [group]);
  }
  // As deep as `maxDepth` was when the groups were made.
  const childrenOf = (parentId: string | undefined): GroupNode[] =>
    (below.get(parentId) ?? []).map(({ id, name, description, maxDevices, devices, isDefault }) => ({
      ...{ id, name, description, maxDevices, devices, isDefault },
      children: childrenOf(id),
    }));
  return childrenOf(undefined);
}
