import type { Random } from "../../src/wire/testing/random";
import { partsOf, type Schema } from "./json-schema";
import { sampleOf } from "./right-calls";

type Path = readonly (string | number)[];
/** `fits`: whether the declared schema allows the value; undefined: other rules may say no. */
export type Mutation = {
  readonly name: string;
  readonly path: Path;
  readonly value: unknown;
  readonly fits: boolean | undefined;
};
const REMOVED = Symbol("removed");

const SURROGATE = "a\ud800";
const TEXTS = [
  "é中🙂",
  "\0",
  "a\0b",
  " ",
  "__proto__",
  "\u202e",
  "../..",
  "%00",
  "'; DROP TABLE device; --",
  "🙂".repeat(40),
];
const NOT_A: Readonly<Record<string, readonly unknown[]>> = {
  string: [7, true, [], {}, ["x"]],
  integer: ["x", "", 1.5, "1.5", [], {}, 1e308, "0x10", "1e1", " 1"],
  boolean: ["maybe", 2, [], {}, ""],
  array: ["x", 7, {}, true],
  object: ["x", 7, true, []],
};

/** Every way to be wrong, or just right, in one place of a body. */
export function* mutationsOf(document: object, schema: Schema, path: Path = []): Generator<Mutation> {
  const whole: Schema = Object.assign({}, ...partsOf(document, schema));
  for (const [name, property] of Object.entries(whole.properties ?? {})) {
    const isRequired = whole.required?.includes(name) ?? false;
    const at = [...path, name];
    const one = (what: string, value: unknown, fits?: boolean): Mutation => ({
      ...{ name: `${at.join(".")} ${what}`, path: at, value, fits },
    });
    const types = [property.type].flat();
    yield one("missing", REMOVED, isRequired ? false : undefined);
    yield one("null", null, isRequired && !types.includes("null") ? false : undefined);
    yield* valuesOf(document, property, one);
    yield* mutationsOf(document, property, at);
    if (property.items) yield* mutationsOf(document, property.items, [...at, 0]);
  }
}

type Make = (what: string, value: unknown, fits?: boolean) => Mutation;

function* valuesOf(document: object, schema: Schema, one: Make): Generator<Mutation> {
  const [type = ""] = [schema.type].flat();
  for (const value of NOT_A[type] ?? []) yield one(`as ${JSON.stringify(value)}`, value, false);
  switch (type) {
    case "string":
      yield* textsOf(schema, one);
      break;
    case "integer":
      yield* integersOf(schema, one);
      break;
    case "boolean":
      for (const value of [true, false, "true", "FALSE"]) yield one(`as ${JSON.stringify(value)}`, value);
      break;
    case "array": {
      yield one("empty", [], (schema.minItems ?? 0) > 0 ? false : undefined);
      yield one("of null", [null], false);
      const item = sampleOf(document, schema.items ?? {});
      yield one("of the same twice", [item, item]);
      yield one(
        "of very many",
        Array.from({ length: 1_001 }, () => item),
      );
      yield one("with a wrong one at the end", [item, [[]]], false);
      break;
    }
    case "object":
      if (!schema.additionalProperties) break;
      yield one("empty", {});
      yield one("with a key for JavaScript", JSON.parse('{"__proto__":{"x":1},"constructor":1,"toString":null}'));
      yield one("with half a surrogate pair", { a: [SURROGATE] }, false);
      yield one("with such a key", { [SURROGATE]: 1 }, false);
      yield one("with much", Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`k${at}`, at / 3])));
  }
}

function* textsOf({ minLength = 0, maxLength, pattern, enum: values }: Schema, one: Make): Generator<Mutation> {
  for (const value of values ?? []) yield one(`as ${value}`, value);
  if (values)
    for (const value of ["", "x", `${values[0]} `])
      yield one(`as ${JSON.stringify(value)}`, value, values.includes(value) ? undefined : false);
  yield one("empty", "", minLength > 0 ? false : undefined);
  yield one("with half a surrogate pair", SURROGATE, false);
  if (maxLength !== undefined) {
    yield one("as long as may be", "x".repeat(maxLength));
    yield one("too long", "x".repeat(maxLength + 1), false);
    // What counts are characters, as JSON Schema has it, and not the units of UTF-16.
    yield one("as long as may be, of wide characters", "🙂".repeat(maxLength));
    yield one("too long, of wide characters", "🙂".repeat(maxLength + 1), false);
  }
  const digits = /\{(\d+)(?:,(\d+))?\}/.exec(pattern ?? "");
  if (digits) {
    const [, least, most = least] = digits;
    for (const length of [Number(least) - 1, Number(most) + 1]) {
      // An empty one counts as a missing one at some.
      if (length > 0) yield one(`of ${length} digits`, "0".repeat(length), false);
    }
    yield one("of the most digits", "0".repeat(Number(most)));
    yield one("of a wrong character", "+".repeat(Number(least)), false);
  }
  for (const value of TEXTS) yield one(`as ${JSON.stringify(value)}`, value);
}

function* integersOf({ minimum, maximum }: Schema, one: Make): Generator<Mutation> {
  if (minimum !== undefined) {
    for (const value of [minimum, `${minimum}`]) yield one(`as the least, ${typeof value}`, value);
    for (const value of [minimum - 1, `${minimum - 1}`]) yield one(`below the least, ${typeof value}`, value, false);
  }
  if (maximum !== undefined) {
    for (const value of [maximum, `${maximum}`]) yield one(`as the most, ${typeof value}`, value);
    for (const value of [maximum + 1, `${maximum + 1}`]) yield one(`over the most, ${typeof value}`, value, false);
  }
}

/** The body with one place changed; parts that are not there yet are made. */
export function mutate(document: object, schema: Schema, body: unknown, { path, value }: Mutation): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const whole: Schema = Object.assign({}, ...partsOf(document, schema));
  const inner = typeof key === "number" ? whole.items : whole.properties?.[key];
  const before =
    (body as Record<string | number, unknown> | null | undefined)?.[key] ?? sampleOf(document, inner ?? {});
  const after =
    rest.length === 0
      ? value
      : mutate(document, inner ?? {}, before, { ...{ name: "", fits: undefined }, path: rest, value });
  if (typeof key === "number") return [after, ...(Array.isArray(body) ? body.slice(1) : [])];
  const { [key]: _, ...others } = { ...(body as Record<string, unknown> | undefined) };
  return after === REMOVED ? others : { ...others, [key]: after };
}

/** Query parameters, as `mutationsOf` has fields of a body. */
export function* queryMutations(name: string, schema: Schema, isRequired: boolean): Generator<Mutation> {
  const one: Make = (what, value, fits) => ({ name: `?${name} ${what}`, path: [name], value, fits });
  yield one("missing", REMOVED, isRequired ? false : undefined);
  yield one("empty", "", isRequired ? false : undefined);
  const made = [...(schema.type === "integer" ? integersOf(schema, one) : textsOf(schema, one))];
  for (const it of made) {
    // A query has texts only, which are UTF-8; an empty one is as good as none.
    if (typeof it.value === "string" && it.value.isWellFormed() && it.value !== "") yield it;
  }
  if (schema.type === "integer")
    for (const value of ["x", "1.5", "0x1", "-", "1e3", "٣"]) yield one(`as ${value}`, value, false);
  if (schema.type === "boolean") for (const value of ["maybe", "1", "yes"]) yield one(`as ${value}`, value, false);
  if (schema.examples)
    for (const value of ["20261301T000000Z", "2026-01-01", "0"]) yield one(`as ${value}`, value, false);
}

export function mutateQuery(query: Readonly<Record<string, string>>, { path: [name = ""], value }: Mutation) {
  const { [String(name)]: _, ...others } = query;
  return value === REMOVED ? others : { ...others, [String(name)]: String(value) };
}

const KEYS = ["__proto__", "constructor", "toString", "", "deviceId", "nodeId", "appId", "body", "header", "tags", "é"];
const SCALARS = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  "",
  "0",
  "TRUE",
  "\0",
  SURROGATE,
  "20260101T000000Z",
  "🙂".repeat(200),
];

/** Any JSON at all, with keys of `names` among others. */
export function anything(random: Random, names: readonly string[], depth = 0): unknown {
  const kind = random.below(depth > 4 ? 1 : 4);
  if (kind === 0) return random.oneOf(SCALARS);
  const inner = () => anything(random, names, depth + 1);
  if (kind === 1) return Array.from({ length: random.below(4) }, inner);
  const pairs = Array.from({ length: random.below(6) }, () => [random.oneOf([...KEYS, ...names]), inner()]);
  return JSON.parse(`{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`);
}
