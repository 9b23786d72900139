import type { DeviceStatus } from "./device";

/** What is shown of a device's reachability; `detail` is for display only (platform.md 12.1). */
export type Presence = { readonly status: DeviceStatus; readonly detail: string };

export type SilenceSettings = {
  /** ONLINE to ABNORMAL for devices without a long connection. */
  readonly abnormalAfterMs: number;
  /** To OFFLINE. When it is the shorter of the two, ABNORMAL comes last, as in the vendor's other document. */
  readonly offlineAfterMs: number;
};
const HOUR_MS = 3_600_000;
export const SILENCE_DEFAULTS: SilenceSettings = { abnormalAfterMs: 25 * HOUR_MS, offlineAfterMs: 49 * HOUR_MS };

export type PresenceEvent =
  /** A long connection began, or anything came from a device without one. */
  | { readonly kind: "contact" }
  /** The long connection has been gone for the grace time. */
  | { readonly kind: "connectionGone" }
  /** Nothing came for so long from a device without a long connection. */
  | { readonly kind: "silence"; readonly silentMs: number; readonly settings: SilenceSettings }
  /** What a gateway says of a device behind it. */
  | { readonly kind: "reported"; readonly status: "ONLINE" | "OFFLINE"; readonly detail: string | undefined }
  /** Credentials were refreshed: it must bind anew. */
  | { readonly kind: "unbound" };

export const NEW_DEVICE: Presence = { status: "INACTIVE", detail: "NOT_ACTIVE" };
/** A device behind a gateway is OFFLINE until the gateway says otherwise (platform.md 15). */
export const NEW_SUB_DEVICE: Presence = { status: "OFFLINE", detail: "NOT_ACTIVE" };

/** The same object when nothing changes. */
export function nextPresence(current: Presence, event: PresenceEvent): Presence {
  const next = transition(current, event);
  return next.status === current.status && next.detail === current.detail ? current : next;
}

function transition(current: Presence, event: PresenceEvent): Presence {
  switch (event.kind) {
    case "contact":
      return current.status === "ONLINE" ? current : { status: "ONLINE", detail: "NONE" };
    case "connectionGone":
      return current.status === "ONLINE" ? { status: "OFFLINE", detail: "NONE" } : current;
    case "silence":
      return afterSilence(current, event.silentMs, event.settings);
    case "reported":
      return { status: event.status, detail: event.detail ?? "NONE" };
    case "unbound":
      return { status: "OFFLINE", detail: "NOT_ACTIVE" };
    default:
      return event satisfies never;
  }
}

function afterSilence(current: Presence, silentMs: number, settings: SilenceSettings): Presence {
  if (current.status === "INACTIVE") return current; // never connected: there is no silence to measure
  const { abnormalAfterMs, offlineAfterMs } = settings;
  const isAbnormal = silentMs > abnormalAfterMs;
  const isOffline = silentMs > offlineAfterMs;
  const offlineWins = isOffline && (!isAbnormal || offlineAfterMs >= abnormalAfterMs);
  if (offlineWins) return current.status === "OFFLINE" ? current : { status: "OFFLINE", detail: "TIME_OUT" };
  return isAbnormal ? { status: "ABNORMAL", detail: "NONE" } : current;
}
