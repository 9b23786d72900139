/** Typed values of resources (OMA LwM2M TS 1.0.2 appendix C, 1.1 adds unsigned integers and core links). */
import { MalformedError } from "../malformed-error";

export const LWM2M_TYPES = [
  "string",
  "integer",
  "unsigned",
  "float",
  "boolean",
  "opaque",
  "time",
  "objlnk",
  "corelnk",
] as const;
export type LwM2mType = (typeof LWM2M_TYPES)[number];
export type IntegerType = "integer" | "unsigned" | "time";

/** 65535 in both is the null link. */
export type ObjectLink = { objectId: number; instanceId: number };

/** Whole numbers are `number` where that is exact, else `bigint`; a time is seconds since 1970. */
export type LwM2mValue =
  | { type: "string" | "corelnk"; value: string }
  | { type: IntegerType; value: number | bigint }
  | { type: "float"; value: number }
  | { type: "boolean"; value: boolean }
  | { type: "opaque"; value: Uint8Array }
  | { type: "objlnk"; value: ObjectLink };

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const MAX_LINK_ID = 0xffff;

/** In 64 bits, and in its one form: a `bigint` only where a `number` would not be exact. */
export function integerValue(type: IntegerType, value: number | bigint): LwM2mValue {
  if (typeof value === "number" && !Number.isInteger(value)) throw new MalformedError(`${value} is no whole number`);
  const exact = BigInt(value);
  const [least, most] = type === "unsigned" ? [0n, MAX_UINT64] : [MIN_INT64, MAX_INT64];
  if (exact < least || exact > most) throw new MalformedError(`${exact} is out of the range of ${type}`);
  const small = Number(exact);
  return { type, value: Number.isSafeInteger(small) ? small : exact };
}

const LINK = /^(\d{1,5}):(\d{1,5})$/;

/** `10:3`, the form of every text format. */
export function parseObjectLink(text: string): ObjectLink {
  const [, objectId, instanceId] = LINK.exec(text) ?? [];
  return checkObjectLink({ objectId: Number(objectId), instanceId: Number(instanceId) });
}

export function renderObjectLink({ objectId, instanceId }: ObjectLink): string {
  return `${objectId}:${instanceId}`;
}

function checkObjectLink(link: ObjectLink): ObjectLink {
  if (link.objectId <= MAX_LINK_ID && link.instanceId <= MAX_LINK_ID) return link; // false for NaN too
  throw new MalformedError("no object link");
}

/** Ill-formed UTF-8 is malformed; U+FEFF at the start stays a character. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new MalformedError("not well-formed UTF-8");
  }
}
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodeUtf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new RangeError("UTF-8 cannot carry this string");
  return utf8.encode(text);
}
const utf8 = new TextEncoder();

/** With or without padding, as devices differ; anything else is malformed. */
export function decodeBase64(text: string, alphabet: "base64" | "base64url"): Uint8Array {
  try {
    // Ours, not the engine's: it would skip white space.
    if (/\s/.test(text)) throw new SyntaxError("white space");
    return Uint8Array.fromBase64(text, { alphabet });
  } catch {
    throw new MalformedError(`not ${alphabet}`);
  }
}
