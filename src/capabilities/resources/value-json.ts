import { integerValue, type LwM2mType, type LwM2mValue, parseValueText, renderObjectLink } from "../../wire/lwm2m";
import { MalformedError } from "../../wire/malformed-error";
import { inputInvalid } from "../devices/device-core";

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;
const WHOLE = /^-?\d{1,20}$/;
const MAX_DATE_S = 8_640_000_000_000;

export function valueToJson(value: LwM2mValue): string | number | boolean {
  switch (value.type) {
    case "integer":
    case "unsigned":
      return typeof value.value === "bigint" ? value.value.toString() : value.value;
    case "time":
      return isoTime(Number(value.value)) ?? value.value.toString();
    case "float":
      return Number.isFinite(value.value) ? value.value : String(value.value);
    case "opaque":
      return value.value.toBase64();
    case "objlnk":
      return renderObjectLink(value.value);
    case "string":
    case "corelnk":
    case "boolean":
      return value.value;
    default:
      return value satisfies never;
  }
}

function isoTime(seconds: number): string | undefined {
  return Math.abs(seconds) <= MAX_DATE_S ? new Date(seconds * 1_000).toISOString() : undefined;
}

/** `field` names the value in the error: INPUT_INVALID {field, reason}. Without a type the JSON tells it. */
export function valueFromJson(type: LwM2mType | undefined, json: unknown, field: string): LwM2mValue {
  const known = type ?? typeOf(json);
  if (!known) throw inputInvalid(field, "is neither text, number nor boolean");
  try {
    return convert(known, json);
  } catch (error) {
    if (error instanceof MalformedError) throw inputInvalid(field, error.message);
    throw error;
  }
}

function typeOf(json: unknown): LwM2mType | undefined {
  switch (typeof json) {
    case "string":
      return "string";
    case "boolean":
      return "boolean";
    case "number":
      return Number.isSafeInteger(json) ? "integer" : "float";
    default:
      return undefined;
  }
}

function convert(type: LwM2mType, json: unknown): LwM2mValue {
  switch (type) {
    case "string":
    case "corelnk":
      if (typeof json !== "string" || !json.isWellFormed()) throw new MalformedError("is not text");
      return { type, value: json };
    case "boolean":
      if (typeof json !== "boolean") throw new MalformedError("is not true or false");
      return { type, value: json };
    case "float":
      if (typeof json !== "number" || !Number.isFinite(json)) throw new MalformedError("is not a number");
      return { type, value: json };
    case "integer":
    case "unsigned":
      return integerValue(type, wholeNumber(json));
    case "time":
      return integerValue(type, isTime(json) ? secondsOf(json) : wholeNumber(json));
    case "opaque":
      if (typeof json !== "string") throw new MalformedError("is not base64");
      return parseValueText(type, json);
    case "objlnk":
      if (typeof json !== "string") throw new MalformedError("is not a link like 3:0");
      return parseValueText(type, json);
    default:
      return type satisfies never;
  }
}

/** A number only where JSON keeps it exactly; larger ones are text. */
function wholeNumber(json: unknown): number | bigint {
  if (typeof json === "number" && Number.isSafeInteger(json)) return json;
  if (typeof json === "string" && WHOLE.test(json)) return BigInt(json);
  throw new MalformedError("is not a whole number (beyond 2^53 as text)");
}

const isTime = (json: unknown): json is string => typeof json === "string" && ISO_TIME.test(json);

/** What is finer than a second is dropped: the devices know none. */
function secondsOf(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new MalformedError("is not a time");
  return Math.floor(ms / 1_000);
}
