const PATTERN = /^[\x20-\x7e]{1,256}$/;
const LIST_SIGN = ";";

/**
 * Patterns of the versions that a package is for (ota.md 3.2): a list whose items may hold several with `;` between, or
 * a text of such. Missing, null and empty say the same: every version. Gives the reason when it cannot be read.
 */
export function parseSourceVersions(value: unknown, max: number): { patterns: string[] } | { reason: string } {
  if (value === undefined || value === null || value === "") return { patterns: [] };
  const items = typeof value === "string" ? [value] : value;
  if (!Array.isArray(items)) return { reason: "is not a list" };
  const patterns = new Set<string>();
  for (const [index, item] of items.entries()) {
    if (typeof item !== "string") return { reason: `[${index}] is not a string` };
    for (const part of item.split(LIST_SIGN)) {
      const pattern = part.trim();
      if (pattern === "") continue; // a sign at the end
      if (!PATTERN.test(pattern)) return { reason: `[${index}] is not up to 256 printable ASCII characters` };
      patterns.add(pattern);
    }
  }
  if (patterns.size > max) return { reason: `has more than ${max} versions` };
  return { patterns: [...patterns] };
}
