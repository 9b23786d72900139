import { DomainError } from "../../platform/domain-error";
import type { Device } from "../devices/device";
import type { CompiledProduct } from "../products/product";
import type { ServiceDesired, Values } from "./desired";

/** Devices of these products sleep, and have a shadow that applications can write (platform.md 9). */
const WITH_SHADOW: ReadonlySet<string> = new Set(["CoAP", "LWM2M"]);

/**
 * Does the model know the properties, may they be written, do the values fit? Gives the wishes by service, merged in
 * their order. Throws what `DesiredShadow.want` throws.
 */
export function checkDesired(
  product: CompiledProduct | undefined,
  { id: deviceId, gatewayNo }: Pick<Device, "id" | "gatewayNo">,
  services: readonly ServiceDesired[],
): ReadonlyMap<string, Values> {
  if (!product) throw new DomainError("SHADOW_MODEL_MISSING", { deviceId });
  const { protocolType } = product.product;
  if (!WITH_SHADOW.has(protocolType) || gatewayNo !== undefined) {
    const reason = gatewayNo === undefined ? `its protocol is ${protocolType}` : "it is behind a gateway";
    throw new DomainError("PROPERTY_NOT_WRITABLE", {
      deviceId,
      reason: `the device has no writable shadow: ${reason}`,
    });
  }
  if (product.passThrough)
    throw new DomainError("SHADOW_MODEL_MISSING", { deviceId, reason: "the product has no model" });
  const merged = new Map<string, Values>();
  for (const [index, { serviceId, desired }] of services.entries()) {
    checkService(product, serviceId, desired, `serviceDesireds[${index}]`);
    merged.set(serviceId, { ...merged.get(serviceId), ...desired });
  }
  return merged;
}

function checkService(product: CompiledProduct, serviceId: string, desired: Values, field: string): void {
  const service = product.product.services.find((it) => it.serviceId === serviceId);
  if (!service) throw new DomainError("SERVICE_NOT_FOUND", { serviceId });
  if (service.properties.length === 0) throw new DomainError("SHADOW_PROPERTIES_EMPTY", { serviceId });
  const names = Object.keys(desired);
  if (names.length === 0) throw inputInvalid(`${field}.desired`, "names no property");
  for (const name of names) {
    const property = service.properties.find((it) => it.name === name);
    if (!property) throw new DomainError("SHADOW_PROPERTIES_UNKNOWN", { serviceId, property: clip(name) });
    if (!property.method.includes("W")) throw new DomainError("PROPERTY_NOT_WRITABLE", { serviceId, property: name });
  }
  const misfit = product.services.get(serviceId)?.checkReport(desired);
  if (misfit !== undefined) throw inputInvalid(`${field}.desired`, misfit);
}

const inputInvalid = (field: string, reason: string) =>
  new DomainError("INPUT_INVALID", { issues: [{ field, reason }] });
const clip = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);
