/** Both ends belong to it. */
export type Range = { readonly from: number; readonly to: number };

const ONE_RANGE = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i;

/**
 * The `Range` header of a request for `size` bytes (RFC 9110 14.1, 14.2). Undefined: the whole is answered: no header,
 * one that is malformed, another unit, or several ranges, which a server may pass over.
 */
export function parseRange(header: string | null, size: number): Range | "unsatisfiable" | undefined {
  const [, first, last] = ONE_RANGE.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || first + last === "") return undefined;
  if (first === "")
    return Number(last) === 0 ? "unsatisfiable" : { from: Math.max(0, size - Number(last)), to: size - 1 };
  const from = Number(first);
  if (last !== "" && Number(last) < from) return undefined;
  if (from >= size) return "unsatisfiable";
  return { from, to: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
}
