import { type Command, DATA_TYPES, type DataType, type Parameter, type Property, type Service } from "./product";
import {
  assertUnique,
  flag,
  isAbsent,
  items,
  type JsonAt,
  member,
  optionalItems,
  optionalNumber,
  optionalText,
  refuse,
  text,
} from "./read-json";

/** What a servicetype-capability.json says; one service type may serve several service ids. */
export type ServiceType = Pick<Service, "serviceType" | "description" | "properties" | "commands">;

const MAX_DESCRIPTION = 10_240;

/** `{"services":[S]}` with exactly one S. */
export function parseServiceType(file: JsonAt): ServiceType {
  const services = items(member(file, "services"));
  const [service] = services;
  if (!service || services.length !== 1) return refuse(member(file, "services"), "must hold exactly one service");
  return {
    serviceType: text(member(service, "serviceType")),
    description: optionalText(member(service, "description"), MAX_DESCRIPTION),
    properties: parseProperties(member(service, "properties")),
    commands: parseCommands(member(service, "commands")),
  };
}

function parseProperties(at: JsonAt): Property[] {
  const entries = optionalItems(at);
  const properties = entries.map((entry) => ({
    ...parseParameter(entry, "propertyName"),
    method: parseMethod(member(entry, "method")),
  }));
  assertUnique(properties, nameOf, (index) => member(entries[index] as JsonAt, "propertyName"));
  return properties;
}

function parseCommands(at: JsonAt): Command[] {
  const entries = optionalItems(at);
  const commands = entries.map((entry) => ({
    name: text(member(entry, "commandName")),
    paras: parseParas(member(entry, "paras")),
    responses: parseResponses(member(entry, "responses")),
  }));
  assertUnique(commands, nameOf, (index) => member(entries[index] as JsonAt, "commandName"));
  return commands;
}

function parseResponses(at: JsonAt): Command["responses"] {
  const entries = optionalItems(at);
  const responses = entries.map((entry) => ({
    name: text(member(entry, "responseName")),
    paras: parseParas(member(entry, "paras")),
  }));
  assertUnique(responses, nameOf, (index) => member(entries[index] as JsonAt, "responseName"));
  return responses;
}

function parseParas(at: JsonAt): Parameter[] {
  const entries = optionalItems(at);
  const paras = entries.map((entry) => parseParameter(entry, "paraName"));
  assertUnique(paras, nameOf, (index) => member(entries[index] as JsonAt, "paraName"));
  return paras;
}

const nameOf = ({ name }: { readonly name: string }) => name;

function parseParameter(at: JsonAt, nameKey: "propertyName" | "paraName"): Parameter {
  const name = text(member(at, nameKey));
  const dataType = parseDataType(member(at, "dataType"));
  return {
    name,
    dataType,
    required: flag(member(at, "required")),
    ...parseBounds(at, dataType),
    step: optionalNumber(member(at, "step")),
    maxLength: parseMaxLength(member(at, "maxLength")),
    unit: optionalText(member(at, "unit")),
    enumList: parseEnumList(member(at, "enumList")),
  };
}

/** `datetime` in any spelling; the others as written. */
function parseDataType(at: JsonAt): DataType {
  const spelled = text(at);
  const found = DATA_TYPES.find((it) => it.toLowerCase() === spelled.trim().toLowerCase());
  return found ?? refuse(at, `${JSON.stringify(spelled)} is not a data type: ${DATA_TYPES.join(", ")}`);
}

const NUMERIC = new Set<DataType>(["int", "long", "decimal", "float", "double"]);
export const isNumeric = (dataType: DataType) => NUMERIC.has(dataType);

/** Bounds hold for numbers only; other types carry them as decoration, often "0" and "0". */
function parseBounds(at: JsonAt, dataType: DataType): Pick<Parameter, "min" | "max" | "minText" | "maxText"> {
  const minAt = member(at, "min");
  const maxAt = member(at, "max");
  const texts = { minText: spelling(minAt), maxText: spelling(maxAt) };
  if (!isNumeric(dataType)) return { min: undefined, max: undefined, ...texts };
  const min = optionalNumber(minAt);
  const max = optionalNumber(maxAt);
  if (min === 0 && max === 0) return { min: undefined, max: undefined, ...texts };
  if (min !== undefined && max !== undefined && min > max) refuse(minAt, `${min} is over the maximum ${max}`);
  return { min, max, ...texts };
}

function spelling(at: JsonAt): string | undefined {
  if (isAbsent(at)) return undefined;
  if (typeof at.value === "number") return String(at.value);
  if (typeof at.value === "string" && at.value.length <= 64) return at.value;
  return refuse(at, "is neither a number nor a short string");
}

/** 0 means no limit, as it does in the models that the vendor's editor writes. */
function parseMaxLength(at: JsonAt): number | undefined {
  const length = optionalNumber(at);
  if (length === undefined || length === 0) return undefined;
  return Number.isInteger(length) && length > 0 ? length : refuse(at, "is not a length");
}

function parseEnumList(at: JsonAt): readonly string[] | undefined {
  const values = optionalItems(at).map((entry) => {
    if (typeof entry.value === "number") return String(entry.value);
    return typeof entry.value === "string" ? entry.value : refuse(entry, "is not a string");
  });
  return values.length === 0 ? undefined : values;
}

function parseMethod(at: JsonAt): string {
  const method = (optionalText(at) ?? "").toUpperCase();
  if (!/^[RWE]*$/.test(method) || new Set(method).size !== method.length)
    refuse(at, `${JSON.stringify(at.value)} is not a combination of R, W and E`);
  return method;
}
