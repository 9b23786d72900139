import type { Device } from "../../capabilities/devices/device";
import type { ProductService } from "../../capabilities/products/product";
import type { ReportedService, ReportedShadow } from "../../capabilities/shadow/reported-shadow";
import { renderUtcTime } from "../../platform/utc-time";

export type ReportedPorts = {
  readonly products: Pick<ProductService, "compiled">;
  readonly shadow: ReportedShadow;
};

export type NamedService = {
  readonly serviceId: string;
  readonly serviceType: string;
  readonly reported: Readonly<Record<string, unknown>>;
  readonly eventTime: string;
};

/** What a device last said, with the service types of its model. A pass-through service is its own type. */
export function nameServices(
  { productNo }: Device,
  reported: readonly ReportedService[],
  products: ReportedPorts["products"],
): NamedService[] {
  const model = productNo === undefined ? undefined : products.compiled(productNo);
  return reported.map((it) => ({
    serviceId: it.serviceId,
    serviceType: model?.services.get(it.serviceId)?.serviceType ?? it.serviceId,
    reported: it.reported,
    eventTime: renderUtcTime(it.eventTimeMs),
  }));
}
