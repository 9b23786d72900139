/** The topics of a device (device-mqtt.json `topics`, platform.md 3) as text; who may use them is decided elsewhere. */
import { hasWildcard, matches } from "../../wire/mqtt";

const DEVICES = "/huawei/v1/devices/";
const OWN_DEVICES = "/islet/v1/devices/";
const SUB_DEVICE_REQUEST = "/sub-devices/request";
const CUSTOM = "$oc/devices/";
const EVENTS_UP = "/sys/events/up";
const EVENTS_DOWN = "/sys/events/down";
const CUSTOM_MIDDLE = "/user/";

export const dataTopic = (id: string) => `${DEVICES}${id}/data/json`;
export type CodecMode = "json" | "binary";
export const commandTopic = (id: string, mode: CodecMode) => `${DEVICES}${id}/command/${mode}`;

export const eventTopic = (id: string) => `${CUSTOM}${id}${EVENTS_DOWN}`;

/** Ours, since the document has none: what a gateway wants of the devices behind it, and what became of it. */
export const subDeviceAnswerTopic = (id: string) => `${OWN_DEVICES}${id}/sub-devices/response`;

export type PublishTopic =
  | { readonly kind: "data"; readonly id: string; readonly codecMode: CodecMode }
  | { readonly kind: "custom"; readonly id: string; readonly name: string }
  | { readonly kind: "subDevices"; readonly id: string }
  | { readonly kind: "event"; readonly id: string };

/** What a device may publish to at all; undefined for every other topic. */
export function parsePublishTopic(topic: string): PublishTopic | undefined {
  if (topic.startsWith(DEVICES)) {
    for (const codecMode of ["json", "binary"] as const) {
      const tail = `/data/${codecMode}`;
      const id = topic.slice(DEVICES.length, -tail.length);
      if (topic.endsWith(tail) && id.length > 0) return { kind: "data", id, codecMode };
    }
    return undefined;
  }
  if (topic.startsWith(OWN_DEVICES) && topic.endsWith(SUB_DEVICE_REQUEST)) {
    const id = topic.slice(OWN_DEVICES.length, -SUB_DEVICE_REQUEST.length);
    return id.length > 0 ? { kind: "subDevices", id } : undefined;
  }
  if (topic.startsWith(CUSTOM) && topic.endsWith(EVENTS_UP)) {
    const id = topic.slice(CUSTOM.length, -EVENTS_UP.length);
    return id.length > 0 ? { kind: "event", id } : undefined;
  }
  return parseCustom(topic);
}

function parseCustom(topic: string): Extract<PublishTopic, { kind: "custom" }> | undefined {
  if (!topic.startsWith(CUSTOM)) return undefined;
  const middle = topic.indexOf(CUSTOM_MIDDLE, CUSTOM.length);
  if (middle <= CUSTOM.length) return undefined;
  return { kind: "custom", id: topic.slice(CUSTOM.length, middle), name: topic.slice(middle + CUSTOM_MIDDLE.length) };
}

/**
 * Whose topics a filter reaches: only filters that name one device literally and hold wildcards, if any, behind it.
 * Undefined: it would reach topics of several devices, or none that exist.
 */
export type FilterScope =
  | { readonly kind: "device"; readonly id: string }
  | { readonly kind: "custom"; readonly id: string; readonly name: string };

export function parseFilter(filter: string): FilterScope | undefined {
  const custom = parseCustom(filter);
  if (custom) return hasWildcard(custom.id) ? undefined : custom;
  if (filter.startsWith(CUSTOM)) return parseSystem(filter);
  const prefix = [DEVICES, OWN_DEVICES].find((it) => filter.startsWith(it));
  if (prefix === undefined) return undefined;
  const rest = filter.slice(prefix.length);
  // A node id may have slashes in it, so the known endings are looked for first.
  const end = firstFound(rest, [...(prefix === DEVICES ? ["/command/", "/data/"] : ["/sub-devices/"]), "/#", "/+"]);
  if (end === undefined || end === 0) return undefined;
  const id = rest.slice(0, end);
  return hasWildcard(id) ? undefined : { kind: "device", id };
}

/** `$oc/devices/{id}/sys/…`; without wildcards before it, since custom topics have rules of their own. */
function parseSystem(filter: string): FilterScope | undefined {
  const end = filter.indexOf("/sys/", CUSTOM.length);
  const id = filter.slice(CUSTOM.length, end);
  return end <= CUSTOM.length || hasWildcard(id) ? undefined : { kind: "device", id };
}

function firstFound(text: string, parts: readonly string[]): number | undefined {
  for (const part of parts) {
    const at = text.indexOf(part);
    if (at !== -1) return at;
  }
  return undefined;
}

/** Whether a filter behind `user/` stays within the custom topics that may be subscribed to. */
export function reachesCustomTopic(name: string, allowed: readonly string[]): boolean {
  return allowed.some((defined) => defined === name || matches(name, defined) || matches(defined, name));
}
