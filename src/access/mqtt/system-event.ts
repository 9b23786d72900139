/** Payload of `$oc/devices/{id}/sys/events/…`: events of the device or for it (iotda-device.md 7). */
import { isUtf8 } from "node:buffer";
import type { SystemEvent } from "../../capabilities/devices/event-link";
import { renderUtcTime } from "../../platform/utc-time";

export type ReadEvents =
  | { readonly kind: "events"; readonly events: readonly SystemEvent[] }
  /** Nothing of it is taken; `reason` says what is wrong, and where. */
  | { readonly kind: "refused"; readonly reason: string };

const MAX_NAME_CHARS = 256;

/** At most `maxEvents` in one message. Never throws. */
export function readSystemEvents(payload: Uint8Array, maxEvents: number): ReadEvents {
  if (!isUtf8(payload)) return refused("the payload is not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return refused("the payload is not JSON");
  }
  const services = isObject(value) ? value.services : undefined;
  if (!Array.isArray(services)) return refused("services is no list");
  if (services.length > maxEvents) return refused(`services has over ${maxEvents} entries`);
  const events: SystemEvent[] = [];
  for (const [at, service] of services.entries()) {
    const { service_id: serviceId, event_type: eventType, paras } = isObject(service) ? service : {};
    if (!isName(serviceId)) return refused(`services[${at}].service_id is no name`);
    if (!isName(eventType)) return refused(`services[${at}].event_type is no name`);
    if (paras !== undefined && paras !== null && !isObject(paras)) return refused(`services[${at}].paras is no object`);
    events.push({ serviceId, eventType, paras: isObject(paras) ? paras : {} });
  }
  return { kind: "events", events };
}

export const renderSystemEvent = (
  objectDeviceId: string,
  { serviceId, eventType, paras }: SystemEvent,
  { nowMs, eventId }: { readonly nowMs: number; readonly eventId: string },
): string =>
  JSON.stringify({
    object_device_id: objectDeviceId,
    services: [
      {
        ...{ service_id: serviceId, event_type: eventType, event_time: renderUtcTime(nowMs), event_id: eventId },
        paras,
      },
    ],
  });

const refused = (reason: string): ReadEvents => ({ kind: "refused", reason });
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isName = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= MAX_NAME_CHARS;
