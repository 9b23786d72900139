import type { CounterChild, Metrics } from "../../platform/metrics";
import { DATAGRAM_DROPS, type DatagramDrop } from "../datagram/datagram-socket";

export const REGISTRATION_OUTCOMES = [
  "registered",
  "updated",
  "deregistered",
  "expired",
  "revived",
  "refused",
  "malformed",
  "not_found",
] as const;
export type RegistrationOutcome = (typeof REGISTRATION_OUTCOMES)[number];
/** What became of notifications. */
export const UPLINK_OUTCOMES = [
  "report",
  "answer",
  "upgrade",
  "failed",
  "value",
  "empty",
  "unknown_token",
  "congested",
] as const;
export type UplinkOutcome = (typeof UPLINK_OUTCOMES)[number];

/** Closed sets of labels; children are taken once. */
export function lwm2mCounters(metrics: Metrics, registrations: () => { stored: number; active: number }) {
  const registration = metrics.counter("islet_lwm2m_registrations_total", "Registrations and updates by outcome");
  const uplink = metrics.counter("islet_lwm2m_notifications_total", "Notifications of devices by what became of them");
  const downlink = metrics.counter("islet_lwm2m_requests_total", "Requests to devices by outcome");
  const packages = metrics.counter("islet_coap_package_requests_total", "Requests for blocks of upgrade packages");
  metrics.gauge("islet_lwm2m_registrations", "Registrations, and those of them in memory", () => {
    const { stored, active } = registrations();
    return [
      { labels: { state: "stored" }, value: stored },
      { labels: { state: "active" }, value: active },
    ];
  });
  const of = <const T extends string>(names: readonly T[], counter: typeof registration) =>
    Object.fromEntries(names.map((outcome) => [outcome, counter.with({ outcome })])) as Record<
      T,
      ReturnType<typeof counter.with>
    >;
  return {
    registration: of(REGISTRATION_OUTCOMES, registration),
    uplink: of(UPLINK_OUTCOMES, uplink),
    packages: of(["served", "not_found"], packages),
    downlink: of(["response", "reset", "noAcknowledgement", "noResponse", "cancelled", "failed"], downlink),
  };
}
export type LwM2mCounters = ReturnType<typeof lwm2mCounters>;

/** Datagrams of the plain port; those of the secure one are among `islet_dtls_drops_total`. */
export function dropCounters(metrics: Metrics): Readonly<Record<DatagramDrop, CounterChild>> {
  const drops = metrics.counter("islet_coap_drops_total", "Datagrams of the plain port dropped, by reason");
  return Object.fromEntries(DATAGRAM_DROPS.map((reason) => [reason, drops.with({ reason })])) as Record<
    DatagramDrop,
    CounterChild
  >;
}
