/** LwM2M JSON (OMA LwM2M TS 1.0.2 §6.4.4), content format 11543: `{"bn":…,"bt":…,"e":[{"n":…,"t":…,"v":…}]}`. */
import { MalformedError } from "../malformed-error";
import { isJsonObject, type Json, parseJson, renderJson } from "./json-text";
import { type LwM2mNode, type LwM2mSample, samplesOf, type TypeOf } from "./node";
import { type LwM2mPath, parsePathUnder, renderPath } from "./path";
import { numberValue, only } from "./senml-nodes";
import { decodeBase64, encodeUtf8, type LwM2mType, type LwM2mValue, parseObjectLink, renderObjectLink } from "./value";
import { finite } from "./value-text";

const MAX_ENTRIES = 4_096;
const VALUE_FIELDS = ["v", "bv", "sv", "ov"] as const;

/** `path` is what was asked for: names are relative to it where no base name stands. */
export function samplesOfJson(path: LwM2mPath, bytes: Uint8Array, typeOf: TypeOf, root: string): LwM2mSample[] {
  const message = parseJson(bytes);
  const entries = isJsonObject(message) ? message.e : undefined;
  if (!isJsonObject(message) || !Array.isArray(entries)) throw new MalformedError("LwM2M JSON: no array e");
  if (entries.length > MAX_ENTRIES) throw new MalformedError(`LwM2M JSON: ${entries.length} entries are too many`);
  const baseName = text(message.bn) ?? renderPath(path);
  const baseTime = seconds(message.bt);
  return entries.map((entry) => {
    if (!isJsonObject(entry)) throw new MalformedError("LwM2M JSON: an entry is an object");
    const path = parsePathUnder(root, join(baseName, text(entry.n) ?? ""));
    if (path.length < 3) throw new MalformedError(`${renderPath(path)} is no resource`);
    const time = seconds(entry.t);
    const hasTime = baseTime !== undefined || time !== undefined;
    return {
      path,
      value: readValue(entry, typeOf(path)),
      ...(hasTime ? { timeSeconds: (baseTime ?? 0) + (time ?? 0) } : {}),
    };
  });
}

/** Devices differ on who writes the slash between. */
function join(base: string, name: string): string {
  if (name === "") return base.length > 1 && base.endsWith("/") ? base.slice(0, -1) : base;
  if (base.endsWith("/")) return base + (name.startsWith("/") ? name.slice(1) : name);
  return name.startsWith("/") ? base + name : `${base}/${name}`;
}

function readValue(entry: { [key: string]: Json }, declared: LwM2mType | undefined): LwM2mValue {
  const [field, ...others] = VALUE_FIELDS.filter((field) => entry[field] !== undefined);
  if (!field || others.length > 0) throw new MalformedError("LwM2M JSON: an entry has one value");
  const value = entry[field];
  if (field === "v" && (typeof value === "bigint" || typeof value === "number") && Math.abs(Number(value)) < Infinity) {
    return numberValue(value, declared);
  }
  if (field === "bv" && typeof value === "boolean") return { type: only(declared, ["boolean"]), value };
  if (field === "ov" && typeof value === "string") {
    return { type: only(declared, ["objlnk"]), value: parseObjectLink(value) };
  }
  if (field === "sv" && typeof value === "string") {
    const type = only(declared, ["string", "corelnk", "opaque"]);
    return type === "opaque" ? { type, value: decodeBase64(value, "base64") } : { type, value };
  }
  throw new MalformedError(`LwM2M JSON: ${field} has a value of the wrong type`);
}

function text(value: Json | undefined): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw new MalformedError("LwM2M JSON: a name is text");
}

function seconds(value: Json | undefined): number | undefined {
  if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return value;
  throw new MalformedError("LwM2M JSON: a time is a number");
}

export function encodeJsonNode(path: LwM2mPath, node: LwM2mNode, root: string): Uint8Array {
  const samples = samplesOf(path, node);
  const isOne = samples[0]?.path.length === path.length;
  const e = samples.map(({ path: at, value }) => ({
    ...(isOne ? {} : { n: at.slice(path.length).join("/") }),
    ...writeValue(value),
  }));
  return encodeUtf8(renderJson({ bn: `${renderPath(path, root)}${isOne ? "" : "/"}`, e }));
}

function writeValue(value: LwM2mValue): { [key: string]: Json } {
  switch (value.type) {
    case "string":
    case "corelnk":
      return { sv: value.value };
    case "integer":
    case "unsigned":
    case "time":
      return { v: value.value };
    case "float":
      return { v: finite(value.value) };
    case "boolean":
      return { bv: value.value };
    case "opaque":
      return { sv: value.value.toBase64() };
    case "objlnk":
      return { ov: renderObjectLink(value.value) };
    default:
      return value satisfies never;
  }
}
