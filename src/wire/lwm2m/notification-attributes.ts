/** When a device notifies (OMA LwM2M TS 1.0.2 §5.1.2): written with queries, read back in the links of a discovery. */
import { MalformedError } from "../malformed-error";
import { quote } from "./path";

export type NotificationAttributes = {
  /** Seconds that lie at least between two notifications. */
  pmin?: number;
  /** Seconds after which one comes at the latest. */
  pmax?: number;
  /** Notify when the value rises above. */
  gt?: number;
  /** Notify when the value falls below. */
  lt?: number;
  /** Notify when the value has changed by so much. */
  st?: number;
  /** 1.1: seconds between two evaluations of the conditions, at least and at most. */
  epmin?: number;
  epmax?: number;
};

const KINDS: Record<keyof NotificationAttributes, "seconds" | "number" | "step"> = {
  pmin: "seconds",
  pmax: "seconds",
  gt: "number",
  lt: "number",
  st: "step",
  epmin: "seconds",
  epmax: "seconds",
};
const NAMES = Object.keys(KINDS) as (keyof NotificationAttributes)[];
const NUMBER = /^[+-]?(?:\d{1,20}(?:\.\d*)?|\.\d+)$/; // §5.1.2 writes no exponents
const MAX_SECONDS = 0xffff_ffff;

/** Other attributes of the link are skipped; an attribute of LwM2M's with a value that it cannot have is malformed. */
export function parseNotificationAttributes(attributes: ReadonlyMap<string, string | true>): NotificationAttributes {
  const found: NotificationAttributes = {};
  for (const name of NAMES) {
    const text = attributes.get(name);
    if (text === undefined || text === true) continue; // a bare name means that the attribute is not set
    const value = NUMBER.test(text) ? Number(text) : Number.NaN;
    if (!fits(KINDS[name], value)) throw new MalformedError(`${name}=${quote(text)}`);
    found[name] = value;
  }
  return found;
}

/**
 * What is wrong with attributes that somebody wants to write, or nothing. A device that gets a `pmax` below `pmin`
 * would ignore it, one that gets crossing thresholds would answer 4.00.
 */
export function attributesProblem(attributes: NotificationAttributes): string | undefined {
  for (const name of NAMES) {
    const value = attributes[name];
    if (value !== undefined && !fits(KINDS[name], value)) return `${name} cannot be ${value}`;
  }
  const { pmin, pmax, epmin, epmax, gt, lt, st } = attributes;
  if (pmin !== undefined && pmax !== undefined && pmax < pmin) return "pmax is below pmin";
  if (epmin !== undefined && epmax !== undefined && epmax <= epmin) return "epmax is not above epmin";
  if (lt !== undefined && gt !== undefined && lt + 2 * (st ?? 0) >= gt) return "lt and two steps reach gt";
  return undefined;
}

/** The Uri-Query options of a Write-Attributes. */
export function attributeQueries(attributes: NotificationAttributes): string[] {
  return NAMES.flatMap((name) => {
    const value = attributes[name];
    return value === undefined ? [] : [`${name}=${plain(value)}`];
  });
}

function fits(kind: (typeof KINDS)[keyof NotificationAttributes], value: number): boolean {
  if (kind === "number") return Number.isFinite(value);
  if (kind === "step") return Number.isFinite(value) && value > 0;
  return Number.isInteger(value) && value >= 0 && value <= MAX_SECONDS;
}

const MAX_DECIMALS = 20;

/** Without an exponent, which §5.1.2 does not know. */
function plain(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  return Math.abs(value) < 1 ? value.toFixed(MAX_DECIMALS).replace(/\.?0+$/, "") : BigInt(value).toString();
}
