import { DomainError } from "../../platform/domain-error";
import type { CompiledProduct, Property } from "../products/product";
import type { ServiceDesired } from "../shadow/desired";

type Values = Readonly<Record<string, unknown>>;

/**
 * The values of a configuration file for the devices of one product. platform.md 8 has properties without their services
 * and numbers as texts (`{"sensitivity":"0"}`): the model says which service has the property, and what the text means.
 * `{"<serviceId>": {"<property>": value}}` is understood too, and needed for a name that several services have.
 * Throws SHADOW_MODEL_MISSING, SHADOW_PROPERTIES_UNKNOWN, INPUT_INVALID (several services have it).
 */
export function toServiceDesired(product: CompiledProduct | undefined, values: Values): ServiceDesired[] {
  if (!product || product.passThrough) throw new DomainError("SHADOW_MODEL_MISSING", { reason: "there is no model" });
  const { services } = product.product;
  const desired = new Map<string, Record<string, unknown>>();
  const want = (serviceId: string, property: Property | undefined, name: string, value: unknown) => {
    const named = desired.get(serviceId) ?? {};
    desired.set(serviceId, { ...named, [name]: property ? toTyped(property, value) : value });
  };
  for (const [name, value] of Object.entries(values)) {
    const service = services.find((it) => it.serviceId === name);
    const holders = services.filter((it) => it.properties.some((property) => property.name === name));
    if (service && isObject(value)) {
      for (const [inner, innerValue] of Object.entries(value))
        want(
          name,
          service.properties.find((it) => it.name === inner),
          inner,
          innerValue,
        );
      continue;
    }
    const [holder, ...others] = holders;
    if (!holder) throw new DomainError("SHADOW_PROPERTIES_UNKNOWN", { property: name.slice(0, 64) });
    if (others.length > 0) {
      const reason = `several services have it: ${holders.map(({ serviceId }) => serviceId).join(", ")}`;
      throw new DomainError("INPUT_INVALID", { issues: [{ field: name.slice(0, 64), reason }] });
    }
    want(
      holder.serviceId,
      holder.properties.find((it) => it.name === name),
      name,
      value,
    );
  }
  return [...desired].map(([serviceId, wanted]) => ({ serviceId, desired: wanted }));
}

const isObject = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const NUMBER = /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/;

/** A text that spells what the model wants; anything else stays as it is, for the check of the model to refuse. */
function toTyped({ dataType }: Property, value: unknown): unknown {
  if (typeof value !== "string") return value;
  switch (dataType) {
    case "int":
    case "long":
    case "decimal":
    case "float":
    case "double":
      return NUMBER.test(value) ? Number(value) : value;
    case "boolean":
      return value === "true" ? true : value === "false" ? false : value;
    case "jsonObject":
    case "string list":
      return parsed(value);
    case "string":
    case "enum":
    case "DateTime":
      return value;
    default:
      return dataType satisfies never;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
