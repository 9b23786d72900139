/** The device acknowledges our messages (PUBACK, PUBREC, PUBCOMP) or releases its own (PUBREL). */
import { encodePacket } from "../../wire/mqtt";
import type { Connection } from "./connection";
import type { Hub } from "./hub";
import type { OutboundMessage, Session } from "./session";
import { INBOUND_RELEASED } from "./session-repository";
import { ACK_KIND, ticketOf } from "./ticket";

export function handlePuback(hub: Hub, connection: Connection, packetId: number): void {
  const session = connection.session as Session;
  const message = session.outbound.get(packetId);
  if (message?.qos !== 1) return; // late, or for nothing of ours: it changes nothing
  hub.sessions.removeOutbound(session, packetId);
  tellDelivered(hub, session, message);
}

/** [MQTT-4.3.3-1] PUBREL goes out when it is on disk that the message must not be sent again. */
export function handlePubrec(hub: Hub, connection: Connection, packetId: number): void {
  const session = connection.session as Session;
  const message = session.outbound.get(packetId);
  const sendPubrel = () => {
    if (connection.state === "open") connection.send(encodePacket({ type: "pubrel", packetId }));
  };
  // Also for one that is unknown here: the device would wait for ever.
  if (message?.qos !== 2 || message.state === "pubrel") {
    sendPubrel();
    return;
  }
  message.state = "pubrel";
  tellDelivered(hub, session, message);
  const stored = hub.sessions.releaseOutbound(session, packetId);
  if (!stored) {
    sendPubrel();
    return;
  }
  stored.then(sendPubrel, (error: unknown) => {
    message.state = "publish";
    hub.log.error("mqtt_release_not_stored", { deviceId: connection.device?.id, error });
  });
}

export function handlePubcomp(hub: Hub, connection: Connection, packetId: number): void {
  const session = connection.session as Session;
  if (session.outbound.get(packetId)?.state === "pubrel") hub.sessions.removeOutbound(session, packetId);
}

/** [MQTT-4.3.3-2] PUBCOMP always, also for an identifier that is not known any more; after it is forgotten on disk. */
export function handlePubrel(hub: Hub, connection: Connection, packetId: number): void {
  const session = connection.session as Session;
  const wasKnown = session.inbound?.delete(packetId) ?? false;
  const row =
    wasKnown && session.no !== undefined ? { sql: INBOUND_RELEASED, values: [session.no, packetId] } : undefined;
  connection.submitted(0);
  hub.ingest.pass(connection, ticketOf(ACK_KIND.pubcomp, packetId), row);
}

/** Whom `sendCommand` promised it, or after a restart whoever has the command now. */
function tellDelivered(hub: Hub, { deviceNo }: Session, message: OutboundMessage): void {
  const { delivered, mid } = message;
  message.delivered = undefined;
  const fault = (error: unknown) => hub.log.error("mqtt_delivery_not_told", { deviceNo, mid, error });
  if (!delivered) {
    hub.commands.delivered(deviceNo, mid).catch(fault);
    return;
  }
  try {
    delivered();
  } catch (error) {
    fault(error);
  }
}
