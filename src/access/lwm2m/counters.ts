import type { Metrics } from "../../platform/metrics";

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
export const UPLINK_OUTCOMES = ["report", "answer", "failed", "value", "empty", "unknown_token", "congested"] as const;
export type UplinkOutcome = (typeof UPLINK_OUTCOMES)[number];

/** Closed sets of labels; children are taken once. */
export function lwm2mCounters(metrics: Metrics, registrations: () => { stored: number; active: number }) {
  const registration = metrics.counter("islet_lwm2m_registrations_total", "Registrations and updates by outcome");
  const uplink = metrics.counter("islet_lwm2m_notifications_total", "Notifications of devices by what became of them");
  const downlink = metrics.counter("islet_lwm2m_requests_total", "Requests to devices by outcome");
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
    downlink: of(["response", "reset", "noAcknowledgement", "noResponse", "cancelled", "failed"], downlink),
  };
}
export type LwM2mCounters = ReturnType<typeof lwm2mCounters>;
