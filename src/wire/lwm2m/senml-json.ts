/** SenML packs as JSON (RFC 8428 §5), content format 110. */
import { MalformedError } from "../malformed-error";
import { isJsonObject, type Json, parseJson, renderJson } from "./json-text";
import { type SenmlRecord, senmlRecord } from "./senml";
import { decodeBase64, encodeUtf8 } from "./value";

export function decodeSenmlJson(bytes: Uint8Array): SenmlRecord[] {
  const pack = parseJson(bytes);
  if (!Array.isArray(pack)) throw new MalformedError("SenML: a pack is an array");
  return pack.map((record) => {
    if (!isJsonObject(record)) throw new MalformedError("SenML: a record is an object");
    return senmlRecord(Object.entries(record), (value) =>
      typeof value === "string" ? decodeBase64(value, "base64url") : undefined,
    );
  });
}

export function encodeSenmlJson(records: readonly SenmlRecord[]): Uint8Array {
  const pack = records.map((record): Json => {
    const fields: { [name: string]: Json } = {};
    for (const [name, value] of Object.entries(record)) {
      if (value === undefined) continue;
      fields[name] = value instanceof Uint8Array ? value.toBase64({ alphabet: "base64url", omitPadding: true }) : value;
    }
    return fields;
  });
  return encodeUtf8(renderJson(pack));
}
