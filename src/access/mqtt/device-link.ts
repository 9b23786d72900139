import type { DeviceLink, DownlinkCommand } from "../../capabilities/devices/device-link";
import { encodeString, isTopicName, matches, type QoS } from "../../wire/mqtt";
import type { Connection } from "./connection";
import { endConnection } from "./end-connection";
import type { Hub } from "./hub";
import { sendDownlink } from "./outbound";
import { ownDevice } from "./own-device";
import { commandTopic } from "./topics";

/** How commands reach devices that are connected by MQTT. */
export function mqttDeviceLink(hub: Hub): DeviceLink {
  const openOne = (deviceNo: number): Connection | undefined => {
    const connection = hub.byDevice.get(deviceNo);
    return connection?.state === "open" ? connection : undefined;
  };

  return {
    isConnected: (deviceNo) => openOne(deviceNo) !== undefined,

    async sendCommand(deviceNo, command, delivered) {
      const connection = openOne(deviceNo);
      if (!connection || hub.isStopping) return "unreachable";
      const target = subscribedTopic(hub, connection, command.deviceId);
      if (!target) {
        hub.counters.outbound(connection.protocol, "not_subscribed");
        hub.trace.record({ deviceNo, kind: "command", outcome: "failed", reason: "not_subscribed" });
        return "unreachable";
      }
      const { topic, qos } = target;
      const payload = new TextEncoder().encode(renderCommand(command));
      return sendDownlink(hub, connection, command.atMostOnce ? 0 : qos, {
        topic: encodeString(topic),
        payload,
        mid: command.mid,
        delivered,
      });
    },

    holdsCommand: (deviceNo, mid) => hub.sessions.holdsCommand(deviceNo, mid),

    disconnect(deviceNo, detail) {
      const connection = hub.byDevice.get(deviceNo);
      if (connection) endConnection(hub, connection, { kind: "platform", detail });
    },
  };
}

/** cloudReq, device-mqtt.json 2.4. */
const renderCommand = ({ serviceId, mid, method, paras }: DownlinkCommand): string =>
  JSON.stringify({ msgType: "cloudReq", serviceId, mid, cmd: method, paras });

/** The command topic of the addressed device that is subscribed to, as the device calls itself first. */
function subscribedTopic(hub: Hub, connection: Connection, deviceId: string): { topic: string; qos: QoS } | undefined {
  const owner = ownDevice(hub, connection, deviceId);
  if (!owner) return undefined;
  const ids = owner === connection.device ? [connection.loginId, owner.id, owner.nodeId] : [owner.id, owner.nodeId];
  for (const id of ids) {
    const topic = commandTopic(id);
    const qos = isTopicName(topic) ? grantedQoS(connection, topic) : undefined; // an id may hold a wildcard
    if (qos !== undefined) return { topic, qos };
  }
  return undefined;
}

/** [MQTT-3.3.5-1] The highest of all filters that match; undefined when none does. */
function grantedQoS({ session }: Connection, topic: string): QoS | undefined {
  let highest: QoS | undefined;
  for (const [filter, qos] of session?.subscriptions ?? [])
    if ((highest === undefined || qos > highest) && matches(filter, topic)) highest = qos;
  return highest;
}
