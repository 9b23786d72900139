import type { Database } from "bun:sqlite";
import type { Codecs } from "../../capabilities/codecs/codec";
import type { DeviceEvents } from "../../capabilities/devices/device";
import type { DeviceLink } from "../../capabilities/devices/device-link";
import type { EventLink, EventSink } from "../../capabilities/devices/event-link";
import type { SubDevices } from "../../capabilities/devices/sub-devices";
import type { TraceSink } from "../../capabilities/devices/trace-sink";
import type { SubscriberLink } from "../../capabilities/subscriptions/subscriber-link";
import type { Ingest } from "../../capabilities/telemetry/report";
import type { PcpCarrier, PcpUplink } from "../../capabilities/upgrades/pcp/pcp-carrier";
import type { Clock } from "../../platform/clock";
import type { Listenable } from "../../platform/events";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import { CONNACK, MqttProtocolError } from "../../wire/mqtt";
import { tokenBuckets } from "../datagram/token-buckets";
import { refuse } from "./begin-connection";
import { Connection, PAUSE, type Protocol } from "./connection";
import { createHub } from "./create-hub";
import { mqttDeviceLink } from "./device-link";
import { endConnection } from "./end-connection";
import { mqttEventLink } from "./events";
import { handlePackets } from "./handle-packets";
import type { Hub } from "./hub";
import { pcpCarrier } from "./pcp";
import type { MqttApplications, MqttCommands, MqttDevices } from "./ports";
import type { MqttSettings } from "./settings";
import { listenTcp, type SocketEvents, type TlsFiles, type TransportListener } from "./transport";

export type MqttAddress = { readonly hostname: string; readonly port: number };
export type MqttListenerOptions = {
  /** At least one of the two. */
  readonly mqtt?: MqttAddress | undefined;
  readonly mqtts?: (MqttAddress & TlsFiles) | undefined;
  readonly devices: MqttDevices;
  readonly subDevices: SubDevices;
  readonly events: EventSink;
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly ingest: Ingest;
  readonly commands: MqttCommands;
  readonly codecs: Codecs;
  /** Undefined: applications cannot log in. */
  readonly applications?: MqttApplications | undefined;
  /** Left out: devices are not upgraded by PCP. */
  readonly upgrades?: { readonly pcp: PcpUplink } | undefined;
  readonly trace: TraceSink;
  /** registry.db, and telemetry.db for reading. */
  readonly registry: Database;
  readonly telemetry: Database;
  readonly transactor: Transactor;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: MqttSettings;
};

export type MqttAddresses = { readonly mqtt: MqttAddress | undefined; readonly mqtts: MqttAddress | undefined };
export type MqttListener = {
  /** Can be asked before the sockets are open: `commands.recover` wants to know what kept sessions hold. */
  readonly deviceLink: DeviceLink;
  /** How events reach devices that are connected. */
  readonly eventLink: EventLink;
  readonly pcpCarrier: PcpCarrier;
  /** How notifications reach applications that are connected. */
  readonly subscriberLink: SubscriberLink;
  /** Opens the sockets and tells their addresses; throws when one is taken. */
  listen(): Promise<MqttAddresses>;
  /**
   * Accepts no more, lets what is on its way to the disk be acknowledged, then closes all connections. Also for one that
   * does not listen (yet).
   */
  stop(): Promise<void>;
};

/** MQTT 3.1.1 for devices (device-mqtt.json), and for applications that take their notifications by it. */
export function createMqttListener(options: MqttListenerOptions): MqttListener {
  const { clock, settings, ingest, deviceEvents } = options;
  const hub = createHub(options, readable);
  const carrier = pcpCarrier(hub);
  if (options.upgrades) hub.pcp = { uplink: options.upgrades.pcp, carrier };
  const throttle = tokenBuckets(clock, settings.connectsPerSecondPerAddress, settings.connectBurstPerAddress);
  deviceEvents.on("deviceDeleted", ({ device }) => hub.sessions.forgetDevice(device.no));
  ingest.onDrain(() => resumeCongested(hub));
  if (options.applications) endWithApplications(hub, options.applications.events, options.transactor);

  function eventsFor(protocol: Protocol): SocketEvents<Connection> {
    return {
      accepted(socket) {
        const { remoteAddress } = socket;
        const reason = reasonToTurnAway(remoteAddress);
        if (reason !== undefined) {
          hub.counters.turnedAway(protocol, reason);
          return undefined;
        }
        const connection = new Connection(socket, protocol, hub);
        connection.remoteAddress = remoteAddress;
        hub.connections.add(connection);
        hub.deadlines.set(connection, settings.connectTimeoutMs);
        return connection;
      },
      data(connection, chunk) {
        hub.counters.bytesIn[protocol].add(chunk.length);
        connection.reader.push(chunk);
        readable(connection);
      },
      drained: (connection) => connection.drained(),
      closed: (connection) => endConnection(hub, connection, { kind: "client_closed" }),
    };
  }

  function reasonToTurnAway(address: string): string | undefined {
    if (hub.isStopping) return "stopping";
    if (hub.connections.size - hub.byDevice.size - hub.subscribers.size >= settings.maxHalfOpen)
      return "half_open_limit";
    return throttle.admit(address) ? undefined : "rate_limit";
  }

  function readable(connection: Connection): void {
    try {
      const end = handlePackets(hub, connection);
      if (end) endConnection(hub, connection, end);
    } catch (error) {
      endBroken(connection, error);
    }
  }

  function endBroken(connection: Connection, error: unknown): void {
    if (!(error instanceof MqttProtocolError)) {
      hub.log.error("mqtt_fault", { deviceId: connection.device?.id, error });
      endConnection(hub, connection, { kind: "fault" });
      return;
    }
    // [MQTT-3.1.2-2] The one violation with an answer: MQTT 5 clients fall back when they hear it.
    if (error.reason === "protocol_level" && connection.state === "handshake") {
      hub.counters.violation(connection.protocol, error.reason);
      refuse(hub, connection, CONNACK.unacceptableProtocolVersion, error.reason);
      return;
    }
    endConnection(hub, connection, { kind: "violation", violation: error.reason, detail: error.message });
  }

  const opened: TransportListener[] = [];
  const listen = (protocol: Protocol, address: (MqttAddress & Partial<TlsFiles>) | undefined) => {
    if (!address) return undefined;
    const { hostname, port, key, cert } = address;
    const tls = key !== undefined && cert !== undefined ? { key, cert } : undefined;
    const listener = listenTcp({ hostname, port, tls, events: eventsFor(protocol) });
    opened.push(listener);
    return { hostname: listener.hostname, port: listener.port };
  };

  return {
    deviceLink: mqttDeviceLink(hub),
    eventLink: mqttEventLink(hub),
    pcpCarrier: carrier,
    subscriberLink: hub.subscribers.link,
    async listen() {
      await Promise.all([hub.sessions.start(), hub.applicationSessions.start()]);
      return { mqtt: listen("mqtt", options.mqtt), mqtts: listen("mqtts", options.mqtts) };
    },
    async stop() {
      hub.isStopping = true;
      for (const listener of opened) listener.stop();
      for (const connection of hub.connections) connection.pause(PAUSE.stopping);
      await committed(hub);
      hub.sessions.stop();
      hub.applicationSessions.stop();
      for (const connection of [...hub.connections]) endConnection(hub, connection, { kind: "server_stop" });
      hub.deadlines.stop();
    },
  };
}

/** Whose secret is void, who is frozen or deleted has no connections any more. */
function endWithApplications(hub: Hub, events: MqttApplications["events"], transactor: Transactor): void {
  const end = (appNo: number, detail: string) =>
    transactor.afterCommit(() => {
      for (const { connection } of hub.subscribers.of(appNo))
        endConnection(hub, connection, { kind: "platform", detail });
    });
  events.on("applicationDeleted", ({ application }) => end(application.no, "the application was deleted"));
  events.on("applicationSecretReset", ({ application }) => end(application.no, "the secret was reset"));
  events.on("applicationChanged", ({ application }) => {
    if (application.frozen) end(application.no, "the application was frozen");
  });
}

/** The store has caught up: those that were held back go on, unless the first of them fill it again. */
function resumeCongested(hub: Hub): void {
  for (const connection of [...hub.congested]) {
    if (hub.ingest.congested) return;
    hub.congested.delete(connection);
    connection.resume(PAUSE.congested);
  }
}

/** Resolves when every message that was received is answered, or the grace time is over. */
async function committed(hub: Hub): Promise<void> {
  const { clock, settings } = hub;
  const deadline = clock.monotonic() + settings.stopGraceMs;
  const never = new AbortController().signal;
  const isBusy = () => [...hub.connections].some(({ uncommitted, decoding }) => uncommitted > 0 || decoding > 0);
  while (isBusy() && clock.monotonic() < deadline) await clock.sleep(STOP_POLL_MS, never);
}
const STOP_POLL_MS = 10;

/** `createMqttListener` and `listen` in one. */
export async function startMqttListener(options: MqttListenerOptions): Promise<MqttListener & MqttAddresses> {
  const listener = createMqttListener(options);
  try {
    return { ...listener, ...(await listener.listen()) };
  } catch (error) {
    await listener.stop();
    throw error;
  }
}
