import type { Codecs } from "../../capabilities/codecs/codec";
import type { EventSink } from "../../capabilities/devices/event-link";
import type { SubDevices } from "../../capabilities/devices/sub-devices";
import type { TraceSink } from "../../capabilities/devices/trace-sink";
import type { Ingest } from "../../capabilities/telemetry/report";
import type { PcpCarrier, PcpUplink } from "../../capabilities/upgrades/pcp/pcp-carrier";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { MqttFault, PublishView } from "../../wire/mqtt";
import type { ApplicationSessions } from "./applications/sessions";
import type { SubscriberGroups } from "./applications/subscribers";
import type { Connection, ConnectionHost } from "./connection";
import type { MqttCounters } from "./counters";
import type { Deadlines } from "./deadlines";
import type { LoginThrottle } from "./login-throttle";
import type { MqttApplications, MqttCommands, MqttDevices } from "./ports";
import type { MqttSessions } from "./sessions";

/** Our own rules of MQTT's that a connection can break, beside those of the codec. */
export type Violation =
  | MqttFault
  | "not_connect_first" // [MQTT-3.1.0-1]
  | "second_connect" // [MQTT-3.1.0-2]
  | "client_sent_server_packet";

/** Why a connection ended: a closed set, so that it can be a label. */
export type EndReason =
  | { readonly kind: "disconnect" | "client_closed" | "refused" | "taken_over" | "server_stop" }
  | { readonly kind: "connect_timeout" | "keep_alive" | "slow_reader" | "stalled" | "store_failed" | "fault" }
  | { readonly kind: "topic_not_allowed" }
  | { readonly kind: "violation"; readonly violation: Violation; readonly detail?: string }
  | { readonly kind: "platform"; readonly detail: string };

/** What packet handlers work with; one for all connections of all MQTT listeners. */
export type Hub = ConnectionHost & {
  readonly clock: Clock;
  readonly log: Log;
  readonly devices: MqttDevices;
  readonly subDevices: SubDevices;
  readonly events: EventSink;
  readonly ingest: Ingest;
  readonly commands: MqttCommands;
  readonly codecs: Codecs;
  /** Undefined: applications cannot log in. */
  readonly applications: MqttApplications | undefined;
  /** Connections of applications, from their accepted login on. */
  readonly subscribers: SubscriberGroups;
  readonly applicationSessions: ApplicationSessions;
  readonly trace: TraceSink;
  readonly counters: MqttCounters;
  readonly sessions: MqttSessions;
  readonly deadlines: Deadlines<Connection>;
  readonly loginThrottle: LoginThrottle;
  /** All that have a socket. */
  readonly connections: Set<Connection>;
  /** The one connection of each device, from its accepted login on. */
  readonly byDevice: Map<number, Connection>;
  /** Not read because the store is behind. */
  readonly congested: Set<Connection>;
  /** Their socket is full, and since which tick it has taken nothing. */
  readonly stalled: Map<Connection, number>;
  /** Reused for every PUBLISH. */
  readonly view: PublishView;
  /** Tells messages apart whose acknowledgement waits for more than the store. */
  nextAnswer(): number;
  /** Where binary payloads go before the codec, and how the answers come back. */
  pcp: { readonly uplink: PcpUplink; readonly carrier: PcpCarrier } | undefined;
  isStopping: boolean;
};
