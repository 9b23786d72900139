import type { DeviceLink, DownlinkCommand } from "../../capabilities/devices/device-link";
import { encodeString } from "../../wire/mqtt";
import type { Connection } from "./connection";
import { endConnection } from "./end-connection";
import type { Hub } from "./hub";
import { sendDownlink } from "./outbound";
import { ownDevice } from "./own-device";
import { subscribedTopic } from "./subscribed-topic";

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
      // JSON first: a device that hears both, by a wildcard say, needs no codec.
      const json = subscribedTopic(hub, connection, command.deviceId, "json");
      const target = json ?? subscribedTopic(hub, connection, command.deviceId, "binary");
      if (!target) {
        hub.counters.outbound(connection.protocol, "not_subscribed");
        hub.trace.record({ deviceNo, kind: "command", outcome: "failed", reason: "not_subscribed" });
        return "unreachable";
      }
      const { topic, qos } = target;
      const payload = json
        ? new TextEncoder().encode(JSON.stringify(toCloudReq(command)))
        : await encodeCommand(hub, connection, command);
      if (!payload || connection.state !== "open") return "unreachable"; // it may have left while a script ran
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
const toCloudReq = ({ serviceId, mid, method, paras }: DownlinkCommand) => ({
  ...({ msgType: "cloudReq", serviceId, mid, cmd: method, paras } as const),
});

/** Undefined: the codec has no bytes for it, and the trace says why. */
async function encodeCommand(
  hub: Hub,
  connection: Connection,
  command: DownlinkCommand,
): Promise<Uint8Array | undefined> {
  const owner = ownDevice(hub, connection, command.deviceId);
  const encoded = owner?.product
    ? await hub.codecs.encode(owner.product.product.no, { ...toCloudReq(command), hasMore: 0 })
    : NO_CODEC;
  if (encoded.kind === "bytes") return encoded.bytes;
  const { reason, detail } = encoded.kind === "failed" ? encoded : NOTHING_SAID;
  hub.counters.outbound(connection.protocol, "not_encoded");
  const deviceNo = (owner ?? connection.device)?.no;
  hub.trace.record({ ...(deviceNo !== undefined && { deviceNo }), kind: "command", outcome: "failed", reason, detail });
  return undefined;
}
const NO_CODEC = { kind: "failed", reason: "codec_missing", detail: "the product has no codec" } as const;
const NOTHING_SAID = { reason: "nothing_encoded", detail: "the codec gave no bytes for the command" };
