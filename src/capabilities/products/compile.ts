import { parseUtcTime } from "../../platform/utc-time";
import type { Command, CompiledProduct, CompiledService, Misfit, Parameter, Product, Service } from "./product";

/**
 * The model as closures, one per property, for a path that runs some hundred thousand times a second: a value that fits
 * allocates nothing.
 *
 * Types must match the model: a number is a JSON number, not a string that spells one, and the other way round. A string
 * property that holds digits ("565656") is common and fits; a number sent as a string would be stored as something else
 * than the model promises to applications. `null` fits nothing. `step` is not checked: 0.1 has no exact double.
 */
export function compileProduct(product: Product): CompiledProduct {
  const services = new Map<string, CompiledService>();
  for (const service of product.services) services.set(service.serviceId, compileService(service));
  return { product, passThrough: product.services.length === 0, services };
}

function compileService({ serviceId, serviceType, properties, commands }: Service): CompiledService {
  const checks = new Map<string, Check>();
  for (const property of properties) checks.set(property.name, compileValue(property));
  return {
    serviceId,
    serviceType,
    checkReport(data) {
      for (const name in data) {
        const check = checks.get(name);
        if (check === undefined) return `${clip(name)}: is not a property of ${serviceId}`;
        const misfit = check(data[name]);
        if (misfit !== undefined) return misfit;
      }
      return undefined;
    },
    commands: new Map(commands.map((command) => [command.name, compileCommand(command)])),
  };
}

function compileCommand({ name, paras }: Command): { check(given: Readonly<Record<string, unknown>>): Misfit } {
  const checks = new Map(paras.map((para) => [para.name, compileValue(para)]));
  const required = paras.filter((para) => para.required).map((para) => para.name);
  return {
    check(given) {
      for (const para in given) {
        const check = checks.get(para);
        if (check === undefined) return `${clip(para)}: is not a parameter of ${name}`;
        const misfit = check(given[para]);
        if (misfit !== undefined) return misfit;
      }
      for (const para of required) if (!Object.hasOwn(given, para)) return `${para}: is missing`;
      return undefined;
    },
  };
}

type Check = (value: unknown) => Misfit;

function compileValue(parameter: Parameter): Check {
  switch (parameter.dataType) {
    case "int":
    case "long":
      return numberCheck(parameter, Number.isSafeInteger, "is not a whole number");
    case "decimal":
    case "float":
    case "double":
      return numberCheck(parameter, Number.isFinite, "is not a number");
    case "string":
    case "enum":
      return textCheck(parameter);
    case "DateTime":
      return dateTimeCheck(parameter);
    case "boolean":
      return booleanCheck(parameter);
    case "jsonObject":
      return objectCheck(parameter);
    case "string list":
      return listCheck(parameter);
    default:
      return parameter.dataType satisfies never;
  }
}

function numberCheck(
  { name, min = -Infinity, max = Infinity, enumList }: Parameter,
  isRight: (value: unknown) => boolean,
  wrong: string,
): Check {
  const members = enumList && new Set(enumList);
  return (value) => {
    if (!isRight(value)) return `${name}: ${wrong}`;
    if ((value as number) < min) return `${name}: ${value} is under the minimum ${min}`;
    if ((value as number) > max) return `${name}: ${value} is over the maximum ${max}`;
    if (members !== undefined && !members.has(String(value))) return `${name}: ${value} is not in the list of values`;
    return undefined;
  };
}

function textCheck({ name, maxLength = Infinity, enumList }: Parameter): Check {
  const members = enumList && new Set(enumList);
  return (value) => {
    if (typeof value !== "string") return `${name}: is not a string`;
    if (isLonger(value, maxLength)) return `${name}: is longer than ${maxLength} characters`;
    if (members !== undefined && !members.has(value)) return `${name}: ${quote(value)} is not in the list of values`;
    return undefined;
  };
}

function dateTimeCheck({ name }: Parameter): Check {
  return (value) =>
    typeof value === "string" && parseUtcTime(value) !== undefined
      ? undefined
      : `${name}: is not a time like 20151212T121212Z`;
}

function booleanCheck({ name }: Parameter): Check {
  return (value) => (typeof value === "boolean" ? undefined : `${name}: is not a boolean`);
}

/** `maxLength` counts the characters of the JSON. */
function objectCheck({ name, maxLength }: Parameter): Check {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return `${name}: is not an object`;
    if (maxLength !== undefined && isLonger(JSON.stringify(value), maxLength))
      return `${name}: is longer than ${maxLength} characters`;
    return undefined;
  };
}

/** Length and list of values hold for each of the strings. */
function listCheck(parameter: Parameter): Check {
  const { name } = parameter;
  const check = textCheck(parameter);
  return (value) => {
    if (!Array.isArray(value)) return `${name}: is not a list of strings`;
    for (const entry of value) {
      const misfit = check(entry);
      if (misfit !== undefined) return misfit;
    }
    return undefined;
  };
}

/** Characters are code points; a string never has more of them than UTF-16 units, so most need no counting. */
function isLonger(value: string, maxLength: number): boolean {
  if (value.length <= maxLength) return false;
  let characters = 0;
  for (const _ of value) if (++characters > maxLength) return true;
  return false;
}

/** Senders choose these texts; a reason must stay short whatever they send. */
const clip = (value: string) => (value.length > 40 ? `${value.slice(0, 40)}…` : value);
const quote = (value: string) => JSON.stringify(clip(value));
