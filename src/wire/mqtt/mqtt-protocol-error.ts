import { MalformedError } from "../malformed-error";

/** Closed, short and stable: they are the labels of the metric that counts why connections were ended. */
export const MQTT_FAULTS = [
  "packet_type",
  "fixed_header_flags",
  "remaining_length",
  "packet_too_large",
  "truncated",
  "trailing_bytes",
  "utf8",
  "protocol_name",
  "protocol_level",
  "connect_flags",
  "will_flags",
  "password_without_username",
  "connack_flags",
  "return_code",
  "qos",
  "dup",
  "packet_id",
  "topic_name",
  "topic_filter",
  "no_topic_filter",
] as const;
export type MqttFault = (typeof MQTT_FAULTS)[number];

/**
 * The connection broke MQTT 3.1.1 and has to be closed [MQTT-4.8.0-1], without an answer but in one case:
 * `protocol_level` is a CONNECT of another version of MQTT, which is told CONNACK 1 first [MQTT-3.1.2-2].
 */
export class MqttProtocolError extends MalformedError {
  override name = "MqttProtocolError";
  readonly reason: MqttFault;
  constructor(reason: MqttFault, detail?: string) {
    super(detail === undefined ? reason : `${reason}: ${detail}`);
    this.reason = reason;
  }
}
