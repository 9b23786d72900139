import { PublishView } from "../../wire/mqtt";
import { applicationSessionRepository } from "./applications/session-repository";
import { applicationSessions } from "./applications/sessions";
import { subscriberGroups } from "./applications/subscribers";
import type { Connection, Protocol } from "./connection";
import { mqttCounters } from "./counters";
import { Deadlines } from "./deadlines";
import { endConnection } from "./end-connection";
import type { Hub } from "./hub";
import { forgetPacketId } from "./inbound";
import type { MqttListenerOptions } from "./listener";
import { loginThrottle } from "./login-throttle";
import { sessionRepository } from "./session-repository";
import { mqttSessions } from "./sessions";
import { ACK_KIND, kindOf, packetIdOf } from "./ticket";

/** Puts together what all connections share. `readable` takes the packets that wait in a connection's reader. */
export function createHub(options: MqttListenerOptions, readable: (connection: Connection) => void): Hub {
  const { registry, telemetry, transactor, ingest, clock, log, settings, metrics } = options;
  const { devices, subDevices, events, commands, codecs, applications, trace } = options;
  let answers = 0;
  const hub: Hub = {
    clock,
    log,
    devices,
    subDevices,
    events,
    ingest,
    commands,
    codecs,
    applications,
    subscribers: subscriberGroups({
      maxInflight: settings.maxApplicationInflight,
      isStopping: () => hub.isStopping,
      count: (protocol, outcome) => hub.counters.outbound(protocol, outcome),
    }),
    applicationSessions: applicationSessions({
      ...{ repository: applicationSessionRepository(registry), transactor, clock, log },
      ...{ sessionExpiryMs: settings.sessionExpiryMs, maxSessions: settings.maxApplicationSessions },
    }),
    trace,
    settings,
    counters: mqttCounters(
      metrics,
      () => countByProtocol(hub.byDevice.values()),
      () => hub.connections.size - hub.byDevice.size - hub.subscribers.size,
    ),
    sessions: mqttSessions({
      repository: sessionRepository(registry, telemetry),
      transactor,
      ingest,
      clock,
      log,
      sessionExpiryMs: settings.sessionExpiryMs,
    }),
    deadlines: new Deadlines(
      clock,
      (connection) => deadlinePassed(hub, connection),
      () => endStalled(hub),
    ),
    loginThrottle: loginThrottle(clock, settings),
    connections: new Set(),
    byDevice: new Map(),
    congested: new Set(),
    stalled: new Map(),
    view: new PublishView(),
    ackBuffers: [],
    pcp: undefined,
    isStopping: false,
    nextAnswer: () => ++answers,
    countOutput: (protocol, bytes) => hub.counters.bytesOut[protocol].add(bytes),
    countAcks: (protocol, packets) => hub.counters.acks[protocol].add(packets),
    readable,
    abandoned: (connection, ticket) => abandoned(hub, connection, ticket),
    settled: (connection) => settled(hub, connection),
    outputMoved(connection, waiting) {
      if (waiting === 0) {
        hub.stalled.delete(connection);
        if (connection.subscriber) hub.subscribers.drained(connection.subscriber);
      } else hub.stalled.set(connection, hub.deadlines.tick);
    },
    slowReader: (connection) => endConnection(hub, connection, { kind: "slow_reader" }),
  };
  metrics.gauge("islet_mqtt_application_connections", "Connections of applications", () => hub.subscribers.size);
  return hub;
}

function countByProtocol(connections: Iterable<Connection>): Record<Protocol, number> {
  const counts: Record<Protocol, number> = { mqtt: 0, mqtts: 0 };
  for (const { protocol } of connections) counts[protocol]++;
  return counts;
}

/** The time of CONNECT or of the keep-alive is over, or a packet has come since and it begins anew. */
function deadlinePassed(hub: Hub, connection: Connection): void {
  if (connection.state !== "open") {
    endConnection(hub, connection, { kind: "connect_timeout" });
    return;
  }
  const silentMs = (hub.deadlines.tick - connection.lastPacketTick - 1) * 1_000;
  const leftMs = connection.keepAliveMs - silentMs;
  // While it is not read because of us, its PINGREQs lie in the socket.
  if (leftMs > 0 || connection.pauses !== 0) hub.deadlines.set(connection, Math.max(leftMs, 1_000));
  else endConnection(hub, connection, { kind: "keep_alive" }); // [MQTT-3.1.2-24]
}

function endStalled(hub: Hub): void {
  const { tick } = hub.deadlines;
  for (const [connection, sinceTick] of hub.stalled)
    if ((tick - sinceTick) * 1_000 > hub.settings.stallTimeoutMs) endConnection(hub, connection, { kind: "stalled" });
}

/** The device has not been told of the message, so it sends it again when it comes back: it must not look like a duplicate. */
function abandoned(hub: Hub, connection: Connection, ticket: number): void {
  const kind = kindOf(ticket);
  if (kind === ACK_KIND.pubrec) forgetPacketId(connection, ticket);
  // Its row is still there, and would swallow the next message with this identifier after a restart.
  if (kind === ACK_KIND.pubcomp) connection.session?.inbound?.add(packetIdOf(ticket));
  if (kind !== ACK_KIND.none) endConnection(hub, connection, { kind: "store_failed" });
}

function settled(hub: Hub, connection: Connection): void {
  if (connection.isAlive || !connection.session) return;
  const { session } = connection;
  connection.session = undefined;
  hub.sessions.close(session);
}
