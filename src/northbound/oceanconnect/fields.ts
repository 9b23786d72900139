import { z } from "zod";
import { DomainError } from "../../platform/domain-error";
import { parseUtcTime } from "../../platform/utc-time";

/** `String(min-max)` of the document. Lone surrogates are refused: they cannot be stored and given back as they were. */
export const text = (max: number, min = 0) =>
  z
    .string()
    .min(min)
    .max(max)
    .refine((value) => value.isWellFormed(), "is not well-formed Unicode");

/** Whole numbers; the examples of the document also write them as strings. */
export const integer = (min: number, max: number) =>
  z.preprocess(
    (value) => (typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value),
    z.number().int().min(min).max(max),
  );
export const MAX_INTEGER = 2_147_483_647;

export const boolean = () =>
  z.preprocess((value) => {
    if (typeof value !== "string") return value;
    const lower = value.toLowerCase();
    return lower === "true" ? true : lower === "false" ? false : value;
  }, z.boolean());

/** `yyyyMMdd'T'HHmmss'Z'`; becomes milliseconds. */
export const utcTime = () =>
  z
    .string()
    .meta({ examples: ["20260131T120000Z"], description: "UTC" })
    .transform((value, context) => {
      const ms = parseUtcTime(value);
      if (ms !== undefined) return ms;
      context.addIssue({ code: "custom", message: "is not a UTC time of the form yyyyMMdd'T'HHmmss'Z'" });
      return z.NEVER;
    });

/** Any JSON value that can be stored and given back as it was: no half of a surrogate pair, no infinite number. */
export const anyValue = () => z.unknown().refine(isStorable, "holds a text or a number that cannot be stored");

// The nesting of a body is bounded before it is parsed.
function isStorable(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isStorable(inner));
}

/** An object whose keys the product model defines; passed on as it came. */
export const anyObject = () =>
  z
    .custom<Readonly<Record<string, unknown>>>(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
      "is not an object",
    )
    .refine(isStorable, "holds a text or a number that cannot be stored")
    .meta({ type: "object", additionalProperties: true });

/** What the service, or the route, judges with an error of its own; `described`: what it should be, as JSON Schema. */
export const judgedLater = (described: Record<string, unknown>) => z.unknown().optional().meta(described);

/** null says the same as leaving a field out. */
export const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === null ? undefined : value), schema.optional());

/** With exactOptionalPropertyTypes, `undefined` is not the same as absent: capabilities expect the latter. */
export type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};
export function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}

/**
 * Both ends belong to the period. The texts have whole seconds, so the last one reaches to its end: what is shown with
 * the time `endTime` is found with it. Throws INPUT_INVALID when it ends before it starts.
 */
export function periodOf(
  startTime: number | undefined,
  endTime: number | undefined,
): { fromMs: number | undefined; toMs: number | undefined } {
  if (startTime !== undefined && endTime !== undefined && endTime < startTime) {
    throw new DomainError("INPUT_INVALID", { issues: [{ field: "endTime", reason: "is before startTime" }] });
  }
  return { fromMs: startTime, toMs: endTime === undefined ? undefined : endTime + 999 };
}
