/** SenML records and how they resolve (RFC 8428 §4); JSON and CBOR only write them differently. */
import { MalformedError } from "../malformed-error";

/** One record as it stands in the pack, before base values apply. */
export type SenmlRecord = {
  bver?: number;
  bn?: string;
  bt?: number;
  bu?: string;
  bv?: number | bigint;
  bs?: number | bigint;
  n?: string;
  u?: string;
  v?: number | bigint;
  vs?: string;
  vb?: boolean;
  vd?: Uint8Array;
  /** LwM2M 1.1's own: an object link, `10:3`. */
  vlo?: string;
  s?: number | bigint;
  t?: number;
  ut?: number;
};
export type SenmlField = keyof SenmlRecord;

/** CBOR writes most names as numbers (§6). */
export const SENML_LABELS: Record<SenmlField, number | string> = {
  bver: -1,
  bn: -2,
  bt: -3,
  bu: -4,
  bv: -5,
  bs: -6,
  n: 0,
  u: 1,
  v: 2,
  vs: 3,
  vb: 4,
  s: 5,
  t: 6,
  ut: 7,
  vd: 8,
  vlo: "vlo",
};

export type SenmlValue =
  | { field: "v"; value: number | bigint }
  | { field: "vs" | "vlo"; value: string }
  | { field: "vb"; value: boolean }
  | { field: "vd"; value: Uint8Array };

/** A record that stands alone. A time below 2^28 is relative to now; none is now. */
export type SenmlEntry = {
  name: string;
  unit?: string;
  timeSeconds?: number;
  value?: SenmlValue;
  sum?: number | bigint;
};

const MAX_RECORDS = 4_096;
const MAX_NAME_LENGTH = 255;
const HIGHEST_VERSION = 10;
const DEFAULT_VERSION = 10;

/** Base values hold from their record on; names join, times and numbers add up. */
export function resolveSenml(records: readonly SenmlRecord[]): SenmlEntry[] {
  if (records.length > MAX_RECORDS) throw new MalformedError(`SenML: ${records.length} records are too many`);
  const version = records[0]?.bver ?? DEFAULT_VERSION;
  let base: Pick<SenmlRecord, "bn" | "bt" | "bu" | "bv" | "bs"> = {};
  return records.flatMap((record) => {
    const { bver, bn, bt, bu, bv, bs } = record;
    if ((bver ?? version) !== version) throw new MalformedError("SenML: two versions in one pack");
    if (version > HIGHEST_VERSION || version < 1) throw new MalformedError(`SenML: the version ${version}`);
    base = { ...base, ...defined({ bn, bt, bu, bv, bs }) };
    const value = recordValue(record, base.bv);
    const sum = record.s === undefined && base.bs === undefined ? undefined : plus(record.s ?? 0, base.bs ?? 0);
    if (value === undefined && sum === undefined) {
      // A record of base fields alone is allowed to set the stage for the others.
      if (record.n === undefined) return [];
      throw new MalformedError("SenML: a record without a value");
    }
    const name = (base.bn ?? "") + (record.n ?? "");
    if (name === "" || name.length > MAX_NAME_LENGTH) throw new MalformedError("SenML: no usable name");
    const hasTime = base.bt !== undefined || record.t !== undefined;
    const unit = record.u ?? base.bu;
    return [
      { name, ...defined({ unit, timeSeconds: hasTime ? (base.bt ?? 0) + (record.t ?? 0) : undefined, value, sum }) },
    ];
  });
}

function recordValue(
  { v, vs, vb, vd, vlo, s }: SenmlRecord,
  base: number | bigint | undefined,
): SenmlValue | undefined {
  const values: SenmlValue[] = [];
  if (v !== undefined) values.push({ field: "v", value: plus(v, base ?? 0) });
  if (vs !== undefined) values.push({ field: "vs", value: vs });
  if (vb !== undefined) values.push({ field: "vb", value: vb });
  if (vd !== undefined) values.push({ field: "vd", value: vd });
  if (vlo !== undefined) values.push({ field: "vlo", value: vlo });
  if (values.length > 1) throw new MalformedError("SenML: two values in one record");
  // With a base value alone, the record's own counts as zero.
  if (values.length === 0 && base !== undefined && s === undefined) return { field: "v", value: base };
  return values[0];
}

/** Exact for whole numbers of 64 bits. */
function plus(one: number | bigint, other: number | bigint): number | bigint {
  if (other === 0) return one;
  const isExact = [one, other].every((part) => typeof part === "bigint" || Number.isSafeInteger(part));
  const sum = Number(one) + Number(other);
  return !isExact || Number.isSafeInteger(sum) ? sum : BigInt(one) + BigInt(other);
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the keys that hold nothing. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** The kinds of the fields; `data` is where JSON and CBOR differ. */
const FIELD_TYPES: Record<SenmlField, "text" | "number" | "real" | "boolean" | "data"> = {
  bver: "real",
  bn: "text",
  bt: "real",
  bu: "text",
  bv: "number",
  bs: "number",
  n: "text",
  u: "text",
  v: "number",
  vs: "text",
  vb: "boolean",
  vd: "data",
  vlo: "text",
  s: "number",
  t: "real",
  ut: "real",
};

/** A record from its names and raw values. Unknown names are skipped, unless they end in `_` (§4.4: must understand). */
export function senmlRecord(
  fields: Iterable<readonly [name: string, value: unknown]>,
  data: (value: unknown) => Uint8Array | undefined,
): SenmlRecord {
  const record: Record<string, unknown> = {};
  for (const [name, raw] of fields) {
    if (!Object.hasOwn(FIELD_TYPES, name)) {
      if (name.endsWith("_")) throw new MalformedError("SenML: a field that must be understood and is not known");
      continue;
    }
    const value = readField(FIELD_TYPES[name as SenmlField], raw, data);
    if (value === undefined) throw new MalformedError(`SenML: the field ${name} has a value of the wrong type`);
    record[name] = value;
  }
  return record as SenmlRecord; // each value was read as its field's type
}

function readField(
  type: (typeof FIELD_TYPES)[SenmlField],
  raw: unknown,
  data: (value: unknown) => Uint8Array | undefined,
): unknown {
  switch (type) {
    case "text":
      return typeof raw === "string" ? raw : undefined;
    case "boolean":
      return typeof raw === "boolean" ? raw : undefined;
    case "number":
      return typeof raw === "bigint" || Number.isFinite(raw) ? raw : undefined;
    case "real":
      return Number.isFinite(raw) ? raw : undefined;
    case "data":
      return data(raw);
    default:
      return type satisfies never;
  }
}
