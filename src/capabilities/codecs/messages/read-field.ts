import { isUtf8 } from "node:buffer";
import type { DataType } from "../../products/product";
import type { CodecFailure } from "../codec";
import type { FieldDefinition } from "./definition";
import { conversionOf, fixedLength, INTEGERS, isText } from "./field-types";

/** What decoding one message leaves behind; one object for all messages of a codec, so that fields cost no garbage. */
export type ReadState = {
  value: unknown;
  /** Values of the length fields, by their position in the message. */
  readonly lengths: number[];
  reason: CodecFailure;
  detail: string;
};
/** Reads at `at`, puts the value into the state and returns where the next field begins; -1 with reason and detail. */
export type ReadField = (bytes: Uint8Array, at: number, state: ReadState) => number;

const { latin1Slice, utf8Slice, base64Slice } = Buffer.prototype;

const fail = (state: ReadState, reason: CodecFailure, detail: string): number => {
  state.reason = reason;
  state.detail = detail;
  return -1;
};
const missing = (state: ReadState, wanted: number, bytes: Uint8Array, at: number) =>
  fail(state, "bytes_missing", `needs ${wanted} bytes at ${at}, there are ${Math.max(0, bytes.length - at)}`);

/**
 * `lengthSlot`: position of this field as the length of a later one. `lengthFrom`: position of the field that holds the
 * length of this one. `target`: type of the property or parameter that takes the value.
 */
export function compileReader(
  field: FieldDefinition,
  target: DataType | undefined,
  lengthSlot: number | undefined,
  lengthFrom: number | undefined,
): ReadField {
  const integer = INTEGERS[field.dataType];
  if (integer) {
    const read = integerReader(integer.bytes, integer.signed);
    if (lengthSlot !== undefined)
      return (bytes, at, state) => {
        const next = read(bytes, at, state);
        if (next >= 0) state.lengths[lengthSlot] = state.value as number;
        return next;
      };
    if (target !== "boolean") return read;
    return (bytes, at, state) => {
      const next = read(bytes, at, state);
      state.value = state.value !== 0;
      return next;
    };
  }
  const length = fixedLength(field);
  const take = isText(field.dataType) ? textTaker(length !== undefined, target) : arrayTaker(target);
  return (bytes, at, state) => {
    const end = at + (length ?? (state.lengths[lengthFrom as number] as number));
    if (end > bytes.length) return missing(state, end - at, bytes, at);
    return take(bytes, at, end, state) ? end : -1;
  };
}

function integerReader(width: number, signed: boolean): ReadField {
  const shift = signed ? 32 - width * 8 : 0;
  switch (width) {
    case 1:
      return (bytes, at, state) => {
        if (at >= bytes.length) return missing(state, 1, bytes, at);
        const value = bytes[at] as number;
        state.value = signed ? (value << shift) >> shift : value;
        return at + 1;
      };
    case 2:
      return (bytes, at, state) => {
        if (at + 2 > bytes.length) return missing(state, 2, bytes, at);
        const value = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
        state.value = signed ? (value << shift) >> shift : value;
        return at + 2;
      };
    case 3:
      return (bytes, at, state) => {
        if (at + 3 > bytes.length) return missing(state, 3, bytes, at);
        state.value = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
        return at + 3;
      };
    default:
      return (bytes, at, state) => {
        if (at + 4 > bytes.length) return missing(state, 4, bytes, at);
        const value =
          ((bytes[at] as number) << 24) |
          ((bytes[at + 1] as number) << 16) |
          ((bytes[at + 2] as number) << 8) |
          (bytes[at + 3] as number);
        state.value = signed ? value : value >>> 0;
        return at + 4;
      };
  }
}

type Take = (bytes: Uint8Array, at: number, end: number, state: ReadState) => boolean;

/** ASCII; a field of fixed length loses the zeros behind its text (codec.md 3.3). */
function textTaker(isPadded: boolean, target: DataType | undefined): Take {
  const convert = target === undefined ? undefined : textConversion(target);
  return (bytes, at, end, state) => {
    let last = end;
    if (isPadded) while (last > at && bytes[last - 1] === 0) last--;
    for (let index = at; index < last; index++)
      if ((bytes[index] as number) >= 0x80) {
        fail(state, "value_invalid", `0x${(bytes[index] as number).toString(16)} is not ASCII`);
        return false;
      }
    const text: string = latin1Slice.call(bytes, at, last);
    if (!convert) {
      state.value = text;
      return true;
    }
    return convert(text, state);
  };
}

type ConvertText = (text: string, state: ReadState) => boolean;

function textConversion(target: DataType): ConvertText | undefined {
  switch (conversionOf(target)) {
    case "number":
      return (text, state) => {
        const trimmed = text.trim();
        const value = Number(trimmed);
        state.value = value;
        if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) && Number.isFinite(value)) return true;
        fail(state, "value_invalid", "is not the text of a number");
        return false;
      };
    case "json":
      return takeJson;
    default:
      return undefined;
  }
}

function takeJson(text: string, state: ReadState): boolean {
  try {
    state.value = JSON.parse(text);
    return true;
  } catch {
    fail(state, "value_invalid", "is not JSON");
    return false;
  }
}

/** base64 of the bytes; where the model has no text, what the bytes spell (README.md, "Arrays"). */
function arrayTaker(target: DataType | undefined): Take {
  const conversion = target === undefined ? "text" : conversionOf(target);
  if (conversion === "number" || conversion === "boolean") return takeBigEndian;
  if (conversion === "json")
    return (bytes, at, end, state) => {
      if (isUtf8(bytes.subarray(at, end))) return takeJson(utf8Slice.call(bytes, at, end), state);
      fail(state, "value_invalid", "is not UTF-8");
      return false;
    };
  if (target === "DateTime")
    return (bytes, at, end, state) => {
      state.value = latin1Slice.call(bytes, at, end);
      return true;
    };
  return (bytes, at, end, state) => {
    state.value = base64Slice.call(bytes, at, end);
    return true;
  };
}

const takeBigEndian: Take = (bytes, at, end, state) => {
  let value = 0;
  for (let index = at; index < end; index++) value = value * 256 + (bytes[index] as number);
  state.value = value;
  if (end > at && Number.isSafeInteger(value)) return true;
  fail(state, "value_invalid", end > at ? "is too large for a number" : "holds no number");
  return false;
};
