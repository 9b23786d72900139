/** JSON that keeps whole numbers of 64 bits exact in both directions. */
import { MalformedError } from "../malformed-error";
import { decodeUtf8 } from "./value";

export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

const WHOLE = /^-?\d+$/;

/** Whatever is wrong with it, depth included, is a `MalformedError`. */
export function parseJson(bytes: Uint8Array): Json {
  const text = decodeUtf8(bytes);
  try {
    return JSON.parse(text, keepExact);
  } catch {
    throw new MalformedError("not JSON"); // the engine's words would quote the payload
  }
}

function keepExact(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && WHOLE.test(source) && source.length <= MAX_DIGITS ? BigInt(source) : value;
}
const MAX_DIGITS = 20; // and a sign: a little more than 64 bits

export function renderJson(value: Json): string {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(renderJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${renderJson(item)}`)
    .join(",")}}`;
}

export function isJsonObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
