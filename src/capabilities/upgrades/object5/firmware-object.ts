import type { LwM2mNode, LwM2mPath } from "../../../wire/lwm2m";
import { numberOf, resourcesOf, valuesOf } from "../objects/read-resource";

/** Object 5 (OMA LwM2M TS 1.0.2 E.6, registry object 5). */
export const FIRMWARE_VERSION: LwM2mPath = [3, 0, 3];
export const FIRMWARE: LwM2mPath = [5, 0];
export const PACKAGE: LwM2mPath = [5, 0, 0];
export const PACKAGE_URI: LwM2mPath = [5, 0, 1];
export const UPDATE: LwM2mPath = [5, 0, 2];
export const STATE: LwM2mPath = [5, 0, 3];
export const RESULT: LwM2mPath = [5, 0, 5];
const PROTOCOLS = 8;
const DELIVERY = 9;

/** Values of /5/0/3. */
export const IDLE = 0;
export const DOWNLOADING = 1;
export const DOWNLOADED = 2;
export const UPDATING = 3;

/** Values of /5/0/8. */
export const PROTOCOL = { coap: 0, coaps: 1, http: 2, https: 3 } as const;

export type FirmwareObject = {
  readonly state: number | undefined;
  readonly result: number | undefined;
  readonly uri: string | undefined;
  /** Undefined: not told. */
  readonly protocols: readonly number[] | undefined;
  readonly delivery: "pull" | "push" | "both" | undefined;
};
export const UNKNOWN_FIRMWARE: FirmwareObject = {
  ...{ state: undefined, result: undefined, uri: undefined, protocols: undefined, delivery: undefined },
};

const DELIVERIES = ["pull", "push", "both"] as const;

/** What /5/0 says, as far as it does. */
export function firmwareObjectOf(node: LwM2mNode): FirmwareObject {
  const resources = resourcesOf(node);
  const numbers = (id: number) => valuesOf(resources, id).flatMap((value) => numberOf(value) ?? []);
  const uri = valuesOf(resources, 1)[0];
  const [delivery] = numbers(DELIVERY);
  const eight = resources.find(({ id }) => id === PROTOCOLS);
  // The LiteOS client gives its delivery method the number 8, and has no list of protocols (nb-iot.md 9).
  const isDelivery = delivery === undefined && eight?.kind === "resource";
  const method = isDelivery ? numbers(PROTOCOLS)[0] : delivery;
  return {
    state: numbers(3)[0],
    result: numbers(5)[0],
    uri: uri?.type === "string" ? uri.value : undefined,
    protocols: eight && !isDelivery ? numbers(PROTOCOLS) : undefined,
    delivery: method === undefined ? undefined : DELIVERIES[method],
  };
}
