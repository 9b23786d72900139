/** SenML packs as CBOR (RFC 8428 §6), content format 112. */
import { MalformedError } from "../malformed-error";
import { type CborValue, decodeCbor } from "./cbor-decode";
import { encodeCbor } from "./cbor-encode";
import { SENML_LABELS, type SenmlField, type SenmlRecord, senmlRecord } from "./senml";

const NAMES = new Map(Object.entries(SENML_LABELS).map(([name, label]) => [label, name]));

export function decodeSenmlCbor(bytes: Uint8Array): SenmlRecord[] {
  const pack = decodeCbor(bytes);
  if (!Array.isArray(pack)) throw new MalformedError("SenML: a pack is an array");
  return pack.map((record) => {
    if (!(record instanceof Map)) throw new MalformedError("SenML: a record is a map");
    return senmlRecord(namedFields(record), (value) => (value instanceof Uint8Array ? value : undefined));
  });
}

function* namedFields(record: Map<string | number, CborValue>): Generator<[string, CborValue]> {
  for (const [label, value] of record) {
    // A text that is the JSON name of a numbered field is unknown here (§6), not a second spelling of it.
    const name = NAMES.get(label);
    if (name !== undefined) yield [name, value];
    else if (typeof label === "string" && label.endsWith("_")) yield [label, value];
  }
}

export function encodeSenmlCbor(records: readonly SenmlRecord[]): Uint8Array {
  return encodeCbor(
    records.map((record) => {
      const fields = Object.entries(record).filter(([, value]) => value !== undefined) as [SenmlField, CborValue][];
      return new Map(fields.map(([name, value]) => [SENML_LABELS[name], value]));
    }),
  );
}
