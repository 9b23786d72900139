import type { CounterChild, Metrics } from "../../platform/metrics";
import type { Protocol } from "./connection";

/** Why a message of a device was dealt with as it was; labels of `islet_messages_total`. */
export type InboundOutcome =
  | "report"
  | "answer"
  | "upgrade"
  | "custom"
  | "refused"
  | "duplicate"
  | "not_allowed"
  | "will"
  | "sub_devices"
  | "event";

const PROTOCOLS: readonly Protocol[] = ["mqtt", "mqtts"];

/** Counters of the listener. Children of the hot path are taken once; reasons are closed sets, so that labels are few. */
export function mqttCounters(metrics: Metrics, connections: () => Record<Protocol, number>, halfOpen: () => number) {
  const messages = metrics.counter("islet_messages_total", "Messages from and to devices by what became of them");
  const bytes = metrics.counter("islet_device_bytes_total", "Bytes from and to devices");
  const acks = metrics.counter("islet_mqtt_acks_sent_total", "PUBACK, PUBREC and PUBCOMP packets sent");
  const logins = metrics.counter("islet_mqtt_logins_total", "CONNECT packets by outcome");
  const ended = metrics.counter("islet_mqtt_connections_ended_total", "MQTT connections that ended, by reason");
  const violations = metrics.counter("islet_mqtt_violations_total", "MQTT protocol violations, by reason");
  const turnedAway = metrics.counter(
    "islet_mqtt_connections_refused_total",
    "Connections closed when accepted, by reason",
  );
  metrics.gauge("islet_connections", "Devices connected now", () =>
    Object.entries(connections()).map(([protocol, value]) => ({ labels: { protocol }, value })),
  );
  metrics.gauge("islet_mqtt_half_open_connections", "Connections that have not finished CONNECT", halfOpen);

  const perProtocol = <T>(make: (protocol: Protocol) => T) =>
    Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, make(protocol)])) as Record<Protocol, T>;
  const inbound = perProtocol((protocol) => {
    const of = (outcome: InboundOutcome) => messages.with({ protocol, direction: "in", outcome });
    return {
      report: of("report"),
      answer: of("answer"),
      upgrade: of("upgrade"),
      custom: of("custom"),
      refused: of("refused"),
      duplicate: of("duplicate"),
      not_allowed: of("not_allowed"),
      will: of("will"),
      sub_devices: of("sub_devices"),
      event: of("event"),
    } satisfies Record<InboundOutcome, CounterChild>;
  });

  return {
    inbound,
    bytesIn: perProtocol((protocol) => bytes.with({ protocol, direction: "in" })),
    bytesOut: perProtocol((protocol) => bytes.with({ protocol, direction: "out" })),
    acks: perProtocol((protocol) => acks.with({ protocol })),
    outbound: (protocol: Protocol, outcome: string) => messages.with({ protocol, direction: "out", outcome }).add(),
    login: (protocol: Protocol, outcome: string) => logins.with({ protocol, outcome }).add(),
    ended: (protocol: Protocol, reason: string) => ended.with({ protocol, reason }).add(),
    violation: (protocol: Protocol, reason: string) => violations.with({ protocol, reason }).add(),
    turnedAway: (protocol: Protocol, reason: string) => turnedAway.with({ protocol, reason }).add(),
  };
}
export type MqttCounters = ReturnType<typeof mqttCounters>;
