import type { Application } from "../../../capabilities/applications/application";
import { DomainError } from "../../../platform/domain-error";
import { CONNACK, type ConnectPacket, encodePacket } from "../../../wire/mqtt";
import { beginOpen, refuse } from "../begin-connection";
import { type Connection, PAUSE } from "../connection";
import { endConnection } from "../end-connection";
import type { Hub } from "../hub";
import type { MqttApplications } from "../ports";
import {
  APPLICATION_RETURN_CODES,
  type ApplicationLogin,
  type ApplicationRefusal,
  readSecret,
  refusalOf,
} from "./login";
import type { OpenedApplicationSession } from "./sessions";
import type { Subscriber } from "./subscriber";

/** CONNECT of an application. The secret is checked slowly, so the connection waits and is not read meanwhile. */
export function handleApplicationConnect(
  hub: Hub,
  connection: Connection,
  login: ApplicationLogin,
  packet: ConnectPacket,
  applications: MqttApplications,
): void {
  const read = readSecret(login, connection.protocol, applications.allowsPlain);
  if ("refusal" in read) {
    refuseApplication(hub, connection, login.appId, read.refusal);
    return;
  }
  connection.state = "connecting";
  connection.pause(PAUSE.connecting); // what a hasty client has sent behind CONNECT waits
  enter(hub, connection, login, packet, applications.checkSecret(login.appId, read.secret)).then(
    () => connection.resume(PAUSE.connecting),
    (error: unknown) => {
      hub.log.error("mqtt_application_not_admitted", { appId: login.appId, error });
      if (connection.isAlive) refuseApplication(hub, connection, login.appId, "store_failed");
    },
  );
}

function refuseApplication(hub: Hub, connection: Connection, appId: string, refusal: ApplicationRefusal): void {
  hub.trace.record({ claimedId: appId, kind: "login", outcome: "failed", reason: refusal });
  refuse(hub, connection, APPLICATION_RETURN_CODES[refusal], refusal);
}

async function enter(
  hub: Hub,
  connection: Connection,
  { appId, clientId }: ApplicationLogin,
  packet: ConnectPacket,
  checked: Promise<Application>,
): Promise<void> {
  let application: Application;
  try {
    application = await checked;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    if (connection.isAlive) refuseApplication(hub, connection, appId, refusal);
    return;
  }
  if (!connection.isAlive) return;
  const { no: appNo } = application;
  const others = hub.subscribers.of(appNo);
  const earlier = others.find((other) => other.clientId === clientId);
  const isFull =
    others.length >= hub.settings.maxConnectionsPerApplication ||
    hub.byDevice.size + hub.subscribers.size >= hub.settings.maxConnections;
  if (isFull && !earlier) {
    refuseApplication(hub, connection, appId, "too_many_connections");
    return;
  }
  // [MQTT-3.1.4-2] The same client id: the earlier connection goes. Another one: they share the messages.
  if (earlier) endConnection(hub, earlier.connection, { kind: "taken_over" });
  const subscriber: Subscriber = {
    ...{ connection, appNo, appId, clientId, sessionNo: undefined },
    ...{ filters: new Set<string>(), inFlight: new Map() },
  };
  connection.subscriber = subscriber;
  hub.subscribers.add(subscriber);
  await openSession(hub, subscriber, packet);
}

async function openSession(hub: Hub, subscriber: Subscriber, packet: ConnectPacket): Promise<void> {
  const { connection, appNo, appId, clientId } = subscriber;
  let opened: OpenedApplicationSession;
  try {
    opened = await hub.applicationSessions.open(appNo, clientId, packet.cleanSession);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    if (connection.isAlive) refuseApplication(hub, connection, appId, "too_many_sessions");
    return;
  }
  if (!connection.isAlive) {
    hub.applicationSessions.close(opened.no);
    return;
  }
  subscriber.sessionNo = opened.no;
  for (const filter of opened.filters) subscriber.filters.add(filter);
  // An application publishes nothing, so there is no will either; it may come in all the same.
  if (packet.will)
    hub.trace.record({ claimedId: appId, kind: "publish", outcome: "failed", reason: "will_topic_not_allowed" });
  beginOpen(hub, connection, packet);
  connection.maxOutputBytes = Number.POSITIVE_INFINITY; // at most one message waits, however large it is
  hub.trace.record({ claimedId: appId, kind: "login", outcome: "succeeded", reason: "connected" });
  hub.log.debug("mqtt_application_connected", { appId, clientId, protocol: connection.protocol });
  // [MQTT-3.2.0-1] before anything else
  connection.send(encodePacket({ type: "connack", sessionPresent: opened.present, returnCode: CONNACK.accepted }));
  hub.subscribers.changed(subscriber);
}
