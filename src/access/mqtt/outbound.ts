import type { LiveDevice } from "../../capabilities/devices/device";
import { encodePacket, encodePublish, publishLength, type QoS } from "../../wire/mqtt";
import type { Connection } from "./connection";
import type { Hub } from "./hub";
import type { OutboundMessage, Session } from "./session";

export type Downlink = {
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
  readonly mid: number;
  readonly delivered: () => void;
};

/**
 * Sends one message to a connected device with the QoS that it subscribed with. Resolves when the bytes are with the
 * socket; a persistent session has it on disk by then.
 */
export async function sendDownlink(
  hub: Hub,
  connection: Connection,
  qos: QoS,
  { topic, payload, mid, delivered }: Downlink,
): Promise<"sent" | "unreachable"> {
  const session = connection.session as Session;
  if (qos === 0) {
    sendPublish(hub, connection, { topic, payload, qos, packetId: 0 }, false);
    return connection.isAlive ? "sent" : "unreachable";
  }
  const packetId = session.outbound.size < hub.settings.maxInflight ? session.takePacketId() : undefined;
  if (packetId === undefined) {
    hub.counters.outbound(connection.protocol, "window_full");
    const deviceNo = (connection.device as LiveDevice).no;
    hub.trace.record({ deviceNo, kind: "command", outcome: "failed", reason: "window_full" });
    return "unreachable";
  }
  const message: OutboundMessage = { packetId, topic, payload, qos, mid, state: "publish", delivered };
  const stored = hub.sessions.addOutbound(session, message);
  if (stored) {
    try {
      await stored;
    } catch (error) {
      session.releasePacketId(packetId);
      throw error;
    }
  }
  session.addOutbound(message);
  // The device may have left, or come back on another connection, while the message was stored.
  const current = hub.byDevice.get(session.deviceNo);
  if (current?.session !== session || current.state !== "open") {
    hub.sessions.removeOutbound(session, packetId);
    return "unreachable";
  }
  sendPublish(hub, current, message, false);
  return "sent";
}

/** [MQTT-4.4.0-1] What the device has not acknowledged comes again, in the order in which it was sent first. */
export function resendOutbound(hub: Hub, connection: Connection): void {
  for (const message of connection.session?.outbound.values() ?? []) {
    if (message.state === "publish")
      sendPublish(hub, connection, message, true); // [MQTT-3.3.1-1]
    else connection.send(encodePacket({ type: "pubrel", packetId: message.packetId }));
  }
}

type Message = Pick<OutboundMessage, "topic" | "payload" | "packetId"> & { readonly qos: QoS };

function sendPublish(hub: Hub, connection: Connection, message: Message, dup: boolean): void {
  const publish = { ...message, retain: false, dup };
  const bytes = new Uint8Array(publishLength(publish));
  encodePublish(publish, bytes, 0);
  hub.counters.outbound(connection.protocol, dup ? "repeated" : "sent");
  connection.send(bytes);
}
