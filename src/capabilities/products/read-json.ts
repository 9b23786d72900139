import { DomainError } from "../../platform/domain-error";

/** A value of a model file and where it stands, so that every refusal can name both. */
export type JsonAt = { readonly file: string; readonly path: string; readonly value: unknown };

export function refuse({ file, path }: Pick<JsonAt, "file" | "path">, reason: string): never {
  throw new DomainError("PRODUCT_INVALID", { file, path, reason });
}

export function parseJson(file: string, bytes: Uint8Array): JsonAt {
  try {
    // A byte order mark is skipped by the decoder; editors on Windows write one.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { file, path: "$", value: JSON.parse(text) };
  } catch (error) {
    return refuse({ file, path: "$" }, `is not JSON: ${error instanceof Error ? error.message : "unreadable"}`);
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A member that may be missing (its value is then undefined). The holder must be an object. */
export function member(holder: JsonAt, key: string): JsonAt {
  if (!isObject(holder.value)) return refuse(holder, "is not an object");
  return {
    file: holder.file,
    path: `${holder.path}.${key}`,
    value: Object.hasOwn(holder.value, key) ? holder.value[key] : undefined,
  };
}

export const isAbsent = (at: JsonAt) => at.value === undefined || at.value === null;

export function items(at: JsonAt): JsonAt[] {
  if (isAbsent(at)) return refuse(at, "is missing");
  if (!Array.isArray(at.value)) return refuse(at, "is not a list");
  return at.value.map((value, index) => ({ file: at.file, path: `${at.path}[${index}]`, value }));
}

/** Empty when there is none (missing or null). */
export const optionalItems = (at: JsonAt) => (isAbsent(at) ? [] : items(at));

export function text(at: JsonAt, maxLength = 256): string {
  if (isAbsent(at)) return refuse(at, "is missing");
  if (typeof at.value !== "string") return refuse(at, "is not a string");
  if (at.value.trim() === "") return refuse(at, "is empty");
  if (at.value.length > maxLength) return refuse(at, `is longer than ${maxLength} characters`);
  if (hasControlCharacters(at.value)) return refuse(at, "has control characters");
  return at.value;
}

/** Undefined for missing, null and "". Line breaks are fine in here. */
export function optionalText(at: JsonAt, maxLength = 256): string | undefined {
  if (isAbsent(at) || at.value === "") return undefined;
  if (typeof at.value !== "string") return refuse(at, "is not a string");
  if (at.value.length > maxLength) return refuse(at, `is longer than ${maxLength} characters`);
  return at.value;
}

/** Missing and null mean false; `"true"` and `"false"` are found in fielded models. */
export function flag(at: JsonAt): boolean {
  if (isAbsent(at)) return false;
  if (typeof at.value === "boolean") return at.value;
  if (typeof at.value === "string" && /^(true|false)$/i.test(at.value)) return at.value.toLowerCase() === "true";
  return refuse(at, "is not a boolean");
}

const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** A number, or a string that spells one; undefined for missing, null and "". */
export function optionalNumber(at: JsonAt): number | undefined {
  const { value } = at;
  if (isAbsent(at) || value === "") return undefined;
  const number = typeof value === "string" && NUMBER.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return refuse(at, "is not a number");
  return number;
}

/** Refuses the second of two equal names, at its place. */
export function assertUnique<T>(
  entries: readonly T[],
  name: (entry: T) => string,
  at: (index: number) => JsonAt,
): void {
  const seen = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    if (seen.has(name(entry))) refuse(at(index), `${JSON.stringify(name(entry))} is there twice`);
    seen.add(name(entry));
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const hasControlCharacters = (value: string) => /[\u0000-\u001f\u007f]/.test(value);
