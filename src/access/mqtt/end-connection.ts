import type { LiveDevice } from "../../capabilities/devices/device";
import type { Subscriber } from "./applications/subscriber";
import type { Connection } from "./connection";
import { publishWill } from "./handle-publish";
import type { EndReason, Hub } from "./hub";
import { releaseSubDevices } from "./own-device";

/** Ends one connection, and nothing else; can be called again. What was acknowledged before still goes out. */
export function endConnection(hub: Hub, connection: Connection, reason: EndReason): void {
  if (connection.state === "closed") return;
  connection.flushAcks();
  if (!connection.isAlive) return; // flushing found a slow reader
  connection.state = "closed";
  forget(hub, connection);
  count(hub, connection, reason);
  if (reason.kind === "slow_reader" || reason.kind === "stalled") connection.socket.terminate();
  else connection.socket.end();
  leaveDevice(hub, connection, reason);
  if (connection.subscriber) leaveApplication(hub, connection.subscriber, reason);
}

function leaveApplication(hub: Hub, subscriber: Subscriber, reason: EndReason): void {
  const { appId, clientId, sessionNo } = subscriber;
  hub.log.debug("mqtt_application_gone", { appId, clientId, reason: reason.kind });
  hub.subscribers.remove(subscriber);
  hub.applicationSessions.close(sessionNo);
}

/** [MQTT-3.1.4-2] The device has connected anew: the earlier connection goes, the device stays connected. */
export function takeOver(hub: Hub, earlier: Connection, later: Connection): void {
  later.announced = earlier.announced;
  earlier.announced = false;
  endConnection(hub, earlier, { kind: "taken_over" });
}

function forget(hub: Hub, connection: Connection): void {
  hub.connections.delete(connection);
  hub.congested.delete(connection);
  hub.stalled.delete(connection);
  hub.deadlines.clear(connection);
}

function leaveDevice(hub: Hub, connection: Connection, reason: EndReason): void {
  const { device, session } = connection;
  if (!device) return;
  if (hub.byDevice.get(device.no) === connection) hub.byDevice.delete(device.no);
  if (connection.announced) {
    connection.announced = false;
    hub.devices.disconnected(device.no);
    tellConnectionLost(hub, device);
  }
  const { will } = connection;
  connection.will = undefined;
  // [MQTT-3.1.2-8, 3.14.4-3]; a stopping server may keep them (§3.1.2.5), and does.
  if (will && reason.kind !== "disconnect" && reason.kind !== "server_stop" && !device.deleted)
    publishWill(hub, connection, will);
  releaseSubDevices(hub, connection);
  hub.devices.release(device);
  // Its session waits for messages that are still on their way to the disk.
  if (session && connection.uncommitted === 0) hub.settled(connection);
}

export function tellConnectionLost(hub: Hub, { no, id }: LiveDevice): void {
  hub.commands
    .connectionLost(no)
    .catch((error: unknown) => hub.log.error("mqtt_loss_not_stored", { deviceId: id, error }));
}

function count(hub: Hub, connection: Connection, reason: EndReason): void {
  const { protocol, device } = connection;
  hub.counters.ended(protocol, reason.kind);
  if (reason.kind === "violation") {
    hub.counters.violation(protocol, reason.violation);
    if (device)
      hub.trace.record({
        deviceNo: device.no,
        kind: "connection",
        outcome: "failed",
        reason: reason.violation,
        ...(reason.detail !== undefined && { detail: reason.detail }),
      });
  } else if (device && reason.kind !== "disconnect" && reason.kind !== "server_stop") {
    hub.trace.record({
      deviceNo: device.no,
      kind: "connection",
      outcome: "failed",
      reason: reason.kind,
      ...(reason.kind === "platform" && { detail: reason.detail }),
    });
  }
}
