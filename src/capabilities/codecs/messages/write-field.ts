import type { Parameter } from "../../products/product";
import type { CodecFailure } from "../codec";
import type { FieldDefinition } from "./definition";
import { conversionOf, fixedLength, hexBytes, hexDigits, hexValue, INTEGERS, isText } from "./field-types";

/** A value that a field cannot carry; `encode` turns it into a failure. */
export class Unwritable extends Error {
  readonly reason: CodecFailure;
  constructor(reason: CodecFailure, detail: string) {
    super(detail);
    this.reason = reason;
  }
}
const refuse = (detail: string): never => {
  throw new Unwritable("value_invalid", detail);
};

type Paras = Readonly<Record<string, unknown>>;
/** The bytes of the field for these parameters. Throws Unwritable. */
export type FieldBytes = (paras: Paras, mid: number) => Uint8Array;

/** Every kind of field but length fields, which are known when the bytes of their field are. */
export function compileWriter(field: FieldDefinition, para: Parameter | undefined): FieldBytes {
  const preset = defaultBytes(field);
  if (field.mark === "mid") return (_paras, mid) => integerBytes(mid, 2, false);
  if (!para) return () => preset;
  const { name } = para;
  const toBytes = converter(field, para);
  return (paras) => {
    const value = Object.hasOwn(paras, name) ? paras[name] : undefined;
    if (value !== undefined) return toBytes(value);
    if (para.required) throw new Unwritable("parameter_missing", `${name} is missing`);
    return preset;
  };
}

export const lengthBytes = (field: FieldDefinition, length: number): Uint8Array =>
  integerBytes(length, INTEGERS[field.dataType]?.bytes ?? 1, false);

/** Without a default: zeros, or nothing where the length varies. */
function defaultBytes(field: FieldDefinition): Uint8Array {
  const digits = field.default === undefined ? undefined : hexDigits(field.default);
  const integer = INTEGERS[field.dataType];
  if (integer) {
    const value = digits === undefined ? 0 : (hexValue(digits, integer.bytes) ?? 0);
    return integerBytes(value, integer.bytes, false); // a default is bytes, also of a signed type
  }
  const bytes = (digits === undefined ? undefined : hexBytes(digits)) ?? new Uint8Array();
  return padded(bytes, fixedLength(field));
}

function padded(bytes: Uint8Array, length: number | undefined): Uint8Array {
  if (length === undefined || bytes.length === length) return bytes;
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
}

function integerBytes(value: number, width: number, signed: boolean): Uint8Array {
  const span = 256 ** width;
  const low = signed ? -span / 2 : 0;
  const high = signed ? span / 2 - 1 : span - 1;
  if (value < low || value > high) refuse(`${value} is out of range, ${low} to ${high}`);
  const bytes = new Uint8Array(width);
  let rest = value < 0 ? value + span : value;
  for (let at = width - 1; at >= 0; at--) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

function converter(field: FieldDefinition, { dataType }: Parameter): (value: unknown) => Uint8Array {
  const integer = INTEGERS[field.dataType];
  const conversion = conversionOf(dataType);
  if (integer)
    return (value) => {
      const number = conversion === "boolean" && typeof value === "boolean" ? Number(value) : value;
      if (!Number.isSafeInteger(number)) return refuse("is not a whole number");
      return integerBytes(number as number, integer.bytes, integer.signed);
    };
  const length = fixedLength(field);
  if (isText(field.dataType)) {
    return (value) => {
      const bytes = asciiBytes(conversion === "json" ? JSON.stringify(value) : textOf(value));
      if (length !== undefined && bytes.length > length) refuse(`is longer than ${length} bytes`);
      return padded(bytes, length);
    };
  }
  if (conversion === "number")
    return (value) => {
      if (!Number.isSafeInteger(value) || (value as number) < 0) return refuse("is not a whole number from 0");
      return integerBytes(value as number, length ?? bytesNeeded(value as number), false);
    };
  return (value) => {
    const bytes = conversion === "json" ? utf8(JSON.stringify(value)) : arrayBytes(textOf(value), dataType);
    if (length !== undefined && bytes.length !== length) refuse(`has ${bytes.length} bytes, not ${length}`);
    return bytes;
  };
}

const bytesNeeded = (value: number): number => Math.max(1, Math.ceil(value.toString(16).length / 2));
const textOf = (value: unknown): string => {
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : refuse("is neither text nor a number");
};
const utf8 = (text: string) => new TextEncoder().encode(text);

function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) refuse(`character ${at + 1} is not ASCII`);
    bytes[at] = code;
  }
  return bytes;
}

function arrayBytes(text: string, dataType: Parameter["dataType"]): Uint8Array {
  if (dataType === "DateTime") return asciiBytes(text);
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  return isBase64 ? Uint8Array.from(Buffer.from(text, "base64")) : refuse("is not base64");
}
