/** Patterns of source versions: `*` stands for any number of characters, `?` for one (ota.md 3.2, 4.4). */

/** In a time of length × length at most, whatever the pattern. */
export function matchesPattern(pattern: string, version: string): boolean {
  const wanted = [...pattern];
  const given = [...version];
  let at = 0;
  let star = -1; // the last one, and where its text ends at the earliest
  let starEnd = 0;
  for (let index = 0; index < given.length; ) {
    const next = wanted[at];
    if (next === "*") {
      star = at++;
      starEnd = index;
    } else if (next !== undefined && (next === "?" || next === given[index])) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++starEnd;
    } else return false;
  }
  while (wanted[at] === "*") at++;
  return at === wanted.length;
}

/** None: every version. */
export const supportsVersion = (patterns: readonly string[], version: string): boolean =>
  patterns.length === 0 || patterns.some((pattern) => matchesPattern(pattern, version));

/**
 * Is there a text that both match? Walks the pairs of places that some text can lead to, (length + 1)² at most; of
 * `budget`, if it is given, that many are taken, and `OverBudget` is thrown when it is used up.
 */
export function patternsOverlap(one: string, other: string, budget?: PatternBudget): boolean {
  const left = [...one];
  const right = [...other];
  const width = right.length + 1;
  const seen = new Set<number>([0]);
  const open = [0];
  const reach = (i: number, j: number) => {
    const key = i * width + j;
    if (seen.has(key)) return;
    seen.add(key);
    open.push(key);
  };
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (budget && --budget.left < 0) throw new OverBudget();
    const i = Math.floor(key / width);
    const j = key % width;
    if (i === left.length && j === right.length) return true;
    const a = left[i];
    const b = right[j];
    // A star may be over; else both have to take the same character.
    if (a === "*") reach(i + 1, j);
    if (b === "*") reach(i, j + 1);
    if (a === undefined || b === undefined || (a === "*" && b === "*")) continue;
    if (a === "*") reach(i, j + 1);
    else if (b === "*") reach(i + 1, j);
    else if (a === b || a === "?" || b === "?") reach(i + 1, j + 1);
  }
  return false;
}
export type PatternBudget = { left: number };
/** There are more patterns than can be compared in a reasonable time. */
export class OverBudget extends Error {
  override name = "OverBudget";
}

/** The first two of these that a version could have at once; a list without patterns is for every version. */
export function findOverlap(
  lists: readonly (readonly string[])[],
  budget?: PatternBudget,
): [number, number] | undefined {
  for (const [first, one] of lists.entries())
    for (const [second, other] of lists.entries()) {
      if (second <= first) continue;
      if (one.length === 0 || other.length === 0) return [first, second];
      if (one.some((a) => other.some((b) => patternsOverlap(a, b, budget)))) return [first, second];
    }
  return undefined;
}
