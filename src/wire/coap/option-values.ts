/** Option values (RFC 7252 §3.2) and the options a URI becomes (§6.4, §6.5). */
import type { CoapOption } from "./message";
import { OPTIONS, type OptionName } from "./options";

const MAX_UINT = 0xffff_ffff;
const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Leading zeros are allowed when received. The caller has checked the length: four bytes at most. */
export function decodeUint(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let value = 0;
  for (let at = start; at < end; at++) value = value * 256 + (bytes[at] as number);
  return value;
}

/** As short as possible: zero is no byte at all. */
export function encodeUint(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > MAX_UINT) throw new RangeError(`${value} is no option value`);
  const length = value === 0 ? 0 : value < 0x100 ? 1 : value < 0x1_0000 ? 2 : value < 0x100_0000 ? 3 : 4;
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = value >>> (8 * (length - 1 - at));
  return bytes;
}

/** Undefined if it is not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return strictText.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Throws RangeError for a value of the wrong kind or length: a fault of the caller. */
export function option(name: OptionName, value: number | string | Uint8Array = new Uint8Array(0)): CoapOption {
  const { number, format, minLength, maxLength } = OPTIONS[name];
  const given = typeof value === "number" ? "uint" : typeof value === "string" ? "string" : "opaque";
  const wanted = format === "empty" ? "opaque" : format;
  if (given !== wanted) throw new RangeError(`${name} is ${format}, not ${given}`);
  const bytes =
    typeof value === "number" ? encodeUint(value) : typeof value === "string" ? encoder.encode(value) : value;
  if (bytes.length < minLength || bytes.length > maxLength) throw new RangeError(`${name} of ${bytes.length} bytes`);
  return { number, value: bytes };
}

/** The options of "/rd/5a3f" or "rd/5a3f"; the root has none. Segments are text as it is, without percent encoding. */
export function pathOptions(path: string, name: "uriPath" | "locationPath" = "uriPath"): CoapOption[] {
  const relative = path.startsWith("/") ? path.slice(1) : path;
  return relative === "" ? [] : relative.split("/").map((segment) => option(name, segment));
}

/** The options of "ep=a&lt=60". */
export function queryOptions(query: string, name: "uriQuery" | "locationQuery" = "uriQuery"): CoapOption[] {
  return query === "" ? [] : query.split("&").map((argument) => option(name, argument));
}

/** Segments to one text with percent encoding where a segment itself contains a slash or the like (RFC 7252 §6.5). */
export const renderPath = (segments: readonly string[]): string =>
  `/${segments.map((segment) => escapeUri(segment, PATH_SAFE)).join("/")}`;
export const renderQuery = (queryArguments: readonly string[]): string =>
  queryArguments.map((argument) => escapeUri(argument, QUERY_SAFE)).join("&");

const PATH_SAFE = /[A-Za-z0-9\-._~!$&'()*+,;=:@]/;
const QUERY_SAFE = /[A-Za-z0-9\-._~!$'()*+,;=:@/?]/;
const escapeUri = (text: string, safe: RegExp): string => {
  let escaped = "";
  for (const character of text.toWellFormed()) {
    escaped += safe.test(character) ? character : percent(encoder.encode(character));
  }
  return escaped;
};
const percent = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");

/** "ep=a" to ["ep", "a"], "b" to ["b", undefined]; what follows the first "=" is the value. */
export function splitArgument(argument: string): [name: string, value: string | undefined] {
  const at = argument.indexOf("=");
  return at < 0 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)];
}
