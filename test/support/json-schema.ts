/** The part of JSON Schema (2020-12) that our OpenAPI document uses. */
export type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly examples?: readonly unknown[];
  readonly [annotation: string]: unknown;
};
const KNOWN = new Set([
  ...["$ref", "type", "enum", "const", "minLength", "maxLength", "pattern", "minimum", "maximum", "properties"],
  ...["required", "additionalProperties", "items", "minItems", "anyOf", "allOf"],
  ...["description", "default", "examples", "deprecated"], // say nothing about a value
]);

/**
 * What is wrong with `value`, as `path: reason`; nothing when it fits. Stricter than JSON Schema: a property that is not
 * described is wrong, unless `additionalProperties` allows it. Throws an Error for a keyword it does not know.
 */
export function misfits(document: object, schema: Schema, value: unknown, path = "$"): string[] {
  const parts = partsOf(document, schema);
  const wrong = parts.flatMap((part) => misfitsOfOne(document, part, value, path));
  const isClosed = parts.some((it) => it.properties) && parts.every((it) => !it.additionalProperties);
  if (!isClosed || !isOf("object", value)) return wrong;
  const described = new Set(parts.flatMap(({ properties }) => Object.keys(properties ?? {})));
  const others = Object.keys(value as object).filter((name) => !described.has(name));
  return [...wrong, ...others.map((name) => `${path}: ${name} is not described`)];
}

function misfitsOfOne(document: object, schema: Schema, value: unknown, path: string): string[] {
  for (const key of Object.keys(schema)) if (!KNOWN.has(key)) throw new Error(`${path}: unknown keyword ${key}`);
  const wrong: string[] = [];
  const say = (isWrong: boolean, reason: string) => isWrong && wrong.push(`${path}: ${reason}`);
  if (schema.anyOf) {
    const all = schema.anyOf.map((it) => misfits(document, it, value, path));
    if (all.every((it) => it.length > 0)) wrong.push(...all.flat());
  }
  const types = schema.type === undefined ? [] : [schema.type].flat();
  say(types.length > 0 && !types.some((type) => isOf(type, value)), `is not ${types.join(" or ")}`);
  say(schema.enum !== undefined && !schema.enum.includes(value), `is none of ${schema.enum}`);
  say(schema.const !== undefined && schema.const !== value, `is not ${schema.const}`);
  if (typeof value === "string") {
    const length = [...value].length; // characters, not units of UTF-16
    say(length < (schema.minLength ?? 0), "is too short");
    say(length > (schema.maxLength ?? length), "is too long");
    say(schema.pattern !== undefined && !new RegExp(schema.pattern).test(value), `does not match ${schema.pattern}`);
  }
  if (typeof value === "number") {
    say(value < (schema.minimum ?? value), "is too small");
    say(value > (schema.maximum ?? value), "is too large");
  }
  if (Array.isArray(value)) {
    say(value.length < (schema.minItems ?? 0), "has too few items");
    const { items = {} } = schema;
    return [...wrong, ...value.flatMap((item, at) => misfits(document, items, item, `${path}[${at}]`))];
  }
  if (!isOf("object", value)) return wrong;
  const fields = value as Readonly<Record<string, unknown>>;
  for (const name of schema.required ?? []) say(fields[name] === undefined, `${name} is missing`);
  for (const [name, field] of Object.entries(schema.properties ?? {}))
    if (Object.hasOwn(fields, name)) wrong.push(...misfits(document, field, fields[name], `${path}.${name}`));
  return wrong;
}

/** The schema itself, and what it refers to or is put together from. */
export function partsOf(document: object, { $ref, allOf = [], ...own }: Schema): Schema[] {
  const others = [...($ref === undefined ? [] : [lookUp(document, $ref)]), ...allOf];
  return [own, ...others.flatMap((it) => partsOf(document, it))];
}

/** Throws an Error when it leads nowhere. */
export function lookUp(document: object, $ref: string): Schema {
  const found = $ref
    .replace(/^#\//, "")
    .split("/")
    .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], document);
  if (!$ref.startsWith("#/") || found === undefined) throw new Error(`${$ref} leads nowhere`);
  return found as Schema;
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
