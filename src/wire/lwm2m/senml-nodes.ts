/** Values of resources in SenML (OMA LwM2M TS-Core 1.1 §7.4.4, §7.4.5): the names are paths. */
import { MalformedError } from "../malformed-error";
import { type LwM2mNode, type LwM2mSample, samplesOf, type TypeOf } from "./node";
import { type LwM2mPath, parsePathUnder, renderPath } from "./path";
import { resolveSenml, type SenmlRecord, type SenmlValue } from "./senml";
import { integerValue, type LwM2mType, type LwM2mValue, parseObjectLink, renderObjectLink } from "./value";
import { finite } from "./value-text";

export function samplesOfSenml(records: readonly SenmlRecord[], typeOf: TypeOf, root: string): LwM2mSample[] {
  return resolveSenml(records).map(({ name, value, timeSeconds }) => {
    if (!value) throw new MalformedError("SenML: a sum is no value of a resource");
    const path = parsePathUnder(root, name);
    if (path.length < 3) throw new MalformedError(`${renderPath(path)} is no resource`);
    return {
      path,
      value: fromSenml(value, typeOf(path)),
      ...(timeSeconds === undefined ? {} : { timeSeconds }),
    };
  });
}

/** Without a declared type, the field tells; a number is an integer when it is whole. */
function fromSenml(value: SenmlValue, declared: LwM2mType | undefined): LwM2mValue {
  switch (value.field) {
    case "v":
      return numberValue(value.value, declared);
    case "vs":
      return { type: only(declared, ["string", "corelnk"]), value: value.value };
    case "vb":
      return { type: only(declared, ["boolean"]), value: value.value };
    case "vd":
      return { type: only(declared, ["opaque"]), value: value.value };
    case "vlo":
      return { type: only(declared, ["objlnk"]), value: parseObjectLink(value.value) };
    default:
      return value satisfies never;
  }
}

/** A JSON or CBOR number as the declared type; also what LwM2M JSON needs. */
export function numberValue(value: number | bigint, declared: LwM2mType | undefined): LwM2mValue {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
  const type = declared ?? (isWhole ? "integer" : "float");
  if (type === "float") return { type, value: Number(value) };
  return integerValue(only(type, ["integer", "unsigned", "time"]), value);
}

/** The declared type where the field can hold it, the first that it can hold where nothing is declared. */
export function only<T extends LwM2mType>(declared: LwM2mType | undefined, possible: readonly [T, ...T[]]): T {
  const type = declared === undefined ? possible[0] : possible.find((type) => type === declared);
  if (!type) throw new MalformedError(`a ${declared} is not written that way`);
  return type;
}

/** The names share their beginning in the first record's base name; a resource's own name is all base. */
export function senmlOf(path: LwM2mPath, node: LwM2mNode, root: string): SenmlRecord[] {
  const samples = samplesOf(path, node);
  const bn = `${renderPath(path, root)}${samples[0]?.path.length === path.length ? "" : "/"}`;
  return samples.map((sample, at) => {
    const n = sample.path.slice(path.length).join("/");
    return { ...(at === 0 ? { bn } : {}), ...(n === "" ? {} : { n }), ...toSenml(sample.value) };
  });
}

function toSenml(value: LwM2mValue): SenmlRecord {
  switch (value.type) {
    case "string":
    case "corelnk":
      return { vs: value.value };
    case "integer":
    case "unsigned":
    case "time":
      return { v: value.value };
    case "float":
      return { v: finite(value.value) };
    case "boolean":
      return { vb: value.value };
    case "opaque":
      return { vd: value.value };
    case "objlnk":
      return { vlo: renderObjectLink(value.value) };
    default:
      return value satisfies never;
  }
}
