import type { LiveDevice } from "../../capabilities/devices/device";
import { CONNACK, type ConnectPacket, encodePacket, type Will } from "../../wire/mqtt";
import { handleApplicationConnect } from "./applications/handle-application-connect";
import { parseApplicationLogin } from "./applications/login";
import { authenticate, type Login } from "./authenticate";
import { beginOpen, refuse } from "./begin-connection";
import { type Connection, PAUSE } from "./connection";
import { takeOver, tellConnectionLost } from "./end-connection";
import { tellListening } from "./events";
import type { Hub } from "./hub";
import { resendOutbound } from "./outbound";
import { ownDevice } from "./own-device";
import type { OpenedSession } from "./sessions";
import { parsePublishTopic } from "./topics";

/** First packet of a connection. The return codes and their reasons are in authenticate.ts. */
export function handleConnect(hub: Hub, connection: Connection, packet: ConnectPacket): void {
  const application = hub.applications && parseApplicationLogin(packet);
  if (hub.applications && application) {
    handleApplicationConnect(hub, connection, application, packet, hub.applications);
    return;
  }
  const login = authenticate(packet, connection.remoteAddress, hub);
  if (login.kind === "refused") {
    hub.trace.record({
      ...(login.deviceNo === undefined ? { claimedId: login.claimedId } : { deviceNo: login.deviceNo }),
      kind: "login",
      outcome: "failed",
      reason: login.reason,
      ...(login.detail !== undefined && { detail: login.detail }),
    });
    refuseAfter(hub, connection, login);
    return;
  }
  if (hub.byDevice.size + hub.subscribers.size >= hub.settings.maxConnections && !hub.byDevice.has(login.deviceNo)) {
    refuse(hub, connection, CONNACK.serverUnavailable, "too_many_connections");
    return;
  }
  const device = hub.devices.acquire(login.deviceNo);
  if (!device) {
    refuse(hub, connection, CONNACK.notAuthorized, "device_deleted");
    return;
  }
  enter(hub, connection, device, login.loginId, packet);
}

function refuseAfter(hub: Hub, connection: Connection, login: Extract<Login, { kind: "refused" }>): void {
  const { returnCode, reason, delayMs } = login;
  if (delayMs === 0) {
    refuse(hub, connection, returnCode, reason);
    return;
  }
  connection.state = "refusing";
  connection.pause(PAUSE.connecting);
  hub.clock.after(delayMs, () => {
    if (connection.state === "refusing") refuse(hub, connection, returnCode, reason);
  });
}

function enter(hub: Hub, connection: Connection, device: LiveDevice, loginId: string, packet: ConnectPacket): void {
  connection.device = device;
  connection.loginId = loginId;
  connection.state = "connecting";
  const earlier = hub.byDevice.get(device.no);
  hub.byDevice.set(device.no, connection);
  if (earlier) takeOver(hub, earlier, connection);
  connection.will = packet.will && permittedWill(hub, connection, packet.will);
  const opened = hub.sessions.open(device.no, packet.cleanSession);
  if (!(opened instanceof Promise)) {
    accept(hub, connection, opened, packet);
    return;
  }
  connection.pause(PAUSE.connecting); // what a hasty client has sent behind CONNECT waits
  opened.then(
    (session) => {
      if (connection.isAlive) accept(hub, connection, session, packet);
      else hub.sessions.close(session.session);
      connection.resume(PAUSE.connecting);
    },
    (error: unknown) => {
      hub.log.error("mqtt_session_not_opened", { deviceId: device.id, error });
      if (connection.isAlive) refuse(hub, connection, CONNACK.serverUnavailable, "store_failed");
    },
  );
}

/** A will to a topic that the device may not use is dropped: the device itself is welcome. */
function permittedWill(hub: Hub, connection: Connection, will: Will): Will | undefined {
  const target = parsePublishTopic(will.topic);
  if (target?.kind === "data" && ownDevice(hub, connection, target.id))
    return { ...will, payload: will.payload.slice() }; // a copy: the view would keep the whole received chunk
  hub.trace.record({
    deviceNo: (connection.device as LiveDevice).no,
    kind: "publish",
    outcome: "failed",
    reason: "will_topic_not_allowed",
    detail: will.topic.slice(0, 200),
  });
  return undefined;
}

function accept(hub: Hub, connection: Connection, opened: OpenedSession, packet: ConnectPacket): void {
  const device = connection.device as LiveDevice;
  connection.session = opened.session;
  // Commands that an earlier connection or a discarded session had under way; before this one gets any.
  if (!opened.present) tellConnectionLost(hub, device);
  beginOpen(hub, connection, packet);
  if (!connection.announced) {
    connection.announced = true;
    hub.devices
      .connected(device.no)
      .catch((error: unknown) => hub.log.error("mqtt_status_not_stored", { deviceId: device.id, error }));
  }
  hub.trace.record({ deviceNo: device.no, kind: "login", outcome: "succeeded", reason: "connected" });
  // [MQTT-3.2.0-1] before anything else
  connection.send(encodePacket({ type: "connack", sessionPresent: opened.present, returnCode: CONNACK.accepted }));
  resendOutbound(hub, connection);
  tellListening(hub, connection);
}
