/** Values as text/plain (OMA LwM2M TS 1.0.2 §6.4.1 and appendix C). */
import { MalformedError } from "../malformed-error";
import { quote } from "./path";
import {
  decodeBase64,
  integerValue,
  type LwM2mType,
  type LwM2mValue,
  parseObjectLink,
  renderObjectLink,
} from "./value";

const INTEGER = /^[+-]?\d{1,20}$/; // 64 bits have twenty digits at most
const FLOAT = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/;

export function parseValueText(type: LwM2mType, text: string): LwM2mValue {
  switch (type) {
    case "string":
    case "corelnk":
      return { type, value: text };
    case "integer":
    case "unsigned":
    case "time":
      if (!INTEGER.test(text)) throw new MalformedError(`no whole number: ${quote(text)}`);
      return integerValue(type, BigInt(text.replace("+", "")));
    case "float": {
      const value = FLOAT.test(text) ? Number(text) : Number.NaN;
      if (!Number.isFinite(value)) throw new MalformedError(`no number: ${quote(text)}`);
      return { type, value };
    }
    case "boolean":
      if (text !== "0" && text !== "1") throw new MalformedError(`a boolean is 0 or 1, not ${quote(text)}`);
      return { type, value: text === "1" };
    case "opaque":
      return { type, value: decodeBase64(text, "base64") };
    case "objlnk":
      return { type, value: parseObjectLink(text) };
    default:
      return type satisfies never;
  }
}

export function renderValueText(value: LwM2mValue): string {
  switch (value.type) {
    case "string":
    case "corelnk":
      return value.value;
    case "integer":
    case "unsigned":
    case "time":
      return value.value.toString();
    case "float":
      return finite(value.value).toString();
    case "boolean":
      return value.value ? "1" : "0";
    case "opaque":
      return value.value.toBase64();
    case "objlnk":
      return renderObjectLink(value.value);
    default:
      return value satisfies never;
  }
}

/** Only TLV can carry NaN and the infinities. */
export function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new RangeError(`${value} cannot be written as text, JSON or SenML`);
}
