import type { DataType } from "../../products/product";
import type { FieldDefinition, FieldType } from "./definition";

/** Bytes and sign of the integer types (codec.md 3.3); all are big-endian. */
export const INTEGERS: Readonly<Partial<Record<FieldType, { readonly bytes: number; readonly signed: boolean }>>> = {
  int8u: { bytes: 1, signed: false },
  int16u: { bytes: 2, signed: false },
  int24u: { bytes: 3, signed: false },
  int32u: { bytes: 4, signed: false },
  int8s: { bytes: 1, signed: true },
  int16s: { bytes: 2, signed: true },
  int32s: { bytes: 4, signed: true },
};
export const isText = (type: FieldType) => type === "string" || type === "varstring";
export const isArray = (type: FieldType) => type === "array" || type === "variant";
export const isVariable = (type: FieldType) => type === "varstring" || type === "variant";

/** Bytes of a field; undefined when they are only known from its length field (or were not given). */
export const fixedLength = ({ dataType, length }: FieldDefinition): number | undefined =>
  INTEGERS[dataType]?.bytes ?? (isVariable(dataType) ? undefined : length);

export type Conversion = "number" | "boolean" | "text" | "json";

/** What a value of the model is on its way through a field; `enum` is text, a `string list` is JSON. */
export function conversionOf(type: DataType): Conversion {
  switch (type) {
    case "int":
    case "long":
    case "decimal":
    case "float":
    case "double":
      return "number";
    case "boolean":
      return "boolean";
    case "string":
    case "enum":
    case "DateTime":
      return "text";
    case "jsonObject":
    case "string list":
      return "json";
    default:
      return type satisfies never;
  }
}

/** The table of codec.md 3.3: which field carries which property. Booleans of later models travel as integers. */
export function fits(field: FieldType, type: DataType): boolean {
  const conversion = conversionOf(type);
  if (conversion === "boolean") return INTEGERS[field] !== undefined;
  if (isArray(field)) return true;
  if (conversion !== "number") return isText(field);
  return INTEGERS[field] !== undefined || (isText(field) && type !== "int" && type !== "long");
}

/** `0x0`, `AAAA0000`; undefined when it is not hexadecimal. Upper case, without the prefix. */
export function hexDigits(text: string): string | undefined {
  return /^(?:0x)?([0-9a-f]+)$/i.exec(text)?.[1]?.toUpperCase();
}

/** The value of hexadecimal digits if it has no more than `bytes` bytes. */
export function hexValue(digits: string, bytes: number): number | undefined {
  const significant = digits.replace(/^0+/, "");
  return significant.length > bytes * 2 ? undefined : Number.parseInt(`0${significant}`, 16);
}

export const hexBytes = (digits: string): Uint8Array | undefined =>
  digits.length % 2 === 0 ? Uint8Array.from(Buffer.from(digits, "hex")) : undefined;
