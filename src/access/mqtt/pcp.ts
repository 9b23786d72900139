import type { LiveDevice } from "../../capabilities/devices/device";
import type { PcpCarrier, PcpTaken } from "../../capabilities/upgrades/pcp/pcp-carrier";
import type { StepOutcome } from "../../capabilities/upgrades/upgrade-link";
import { encodeString, type PublishView } from "../../wire/mqtt";
import type { Connection } from "./connection";
import type { Hub } from "./hub";
import { acknowledgeAfter, passOn, ticketFor } from "./inbound";
import { sendDownlink } from "./outbound";
import { subscribedTopic } from "./subscribed-topic";

/** A frame of PCP that came by data/binary: acknowledged when what follows from it is on disk, in its place. */
export function takePcp(
  hub: Hub,
  connection: Connection,
  owner: LiveDevice,
  view: PublishView,
  taken: Exclude<PcpTaken, "business">,
): void {
  hub.counters.inbound[connection.protocol].upgrade.add();
  if (taken === "done") passOn(hub, connection, view, ticketFor(view));
  else void acknowledgeAfter(hub, connection, view, taken, lost(hub, owner));
}

const lost = (hub: Hub, owner: LiveDevice) => (error: unknown) =>
  hub.log.error("mqtt_upgrade_not_stored", { deviceId: owner.id, error });

/**
 * Frames go to `command/binary`, with QoS 0: what a device does not get it asks for again, and an order to install that
 * a session repeats when the device comes back could be carried out twice.
 */
export function pcpCarrier(hub: Hub): PcpCarrier {
  /** The connection of the device, or of the gateway that it is behind, and the topic that it hears. */
  function wayTo(deviceNo: number): { readonly connection: Connection; readonly topic: string } | undefined {
    const device = hub.isStopping ? undefined : hub.devices.acquire(deviceNo);
    if (!device) return undefined;
    const connection = hub.byDevice.get(device.gatewayNo ?? deviceNo);
    const topic =
      connection?.state === "open" ? subscribedTopic(hub, connection, device.id, "binary")?.topic : undefined;
    hub.devices.release(device);
    return connection && topic !== undefined ? { connection, topic } : undefined;
  }

  async function send(deviceNo: number, frame: Uint8Array): Promise<StepOutcome> {
    const way = wayTo(deviceNo);
    if (!way) return "unreachable";
    const message = { topic: encodeString(way.topic), payload: frame, mid: 0, delivered() {} };
    return sendDownlink(hub, way.connection, 0, message);
  }

  return { isReachable: (deviceNo) => wayTo(deviceNo) !== undefined, send };
}
