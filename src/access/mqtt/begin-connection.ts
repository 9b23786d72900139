/** How a CONNECT ends, of devices and applications alike. */
import { type ConnackCode, type ConnectPacket, encodePacket } from "../../wire/mqtt";
import type { Connection } from "./connection";
import { endConnection } from "./end-connection";
import type { Hub } from "./hub";

const KEEP_ALIVE_FACTOR = 1.5; // [MQTT-3.1.2-24]
const TCP_KEEP_ALIVE_MS = 60_000;

/** Tells why not, and closes [MQTT-3.2.2-5]. */
export function refuse(hub: Hub, connection: Connection, returnCode: ConnackCode, reason: string): void {
  hub.counters.login(connection.protocol, reason);
  connection.send(encodePacket({ type: "connack", sessionPresent: false, returnCode })); // [MQTT-3.2.2-4]
  endConnection(hub, connection, { kind: "refused" });
}

/** Its login is accepted and its session there. */
export function beginOpen(hub: Hub, connection: Connection, packet: ConnectPacket): void {
  connection.state = "open";
  connection.reader.maxPacketBytes = hub.settings.maxPacketBytes;
  connection.keepAliveMs = packet.keepAliveSeconds * KEEP_ALIVE_FACTOR * 1_000;
  connection.lastPacketTick = hub.deadlines.tick;
  if (connection.keepAliveMs > 0) {
    hub.deadlines.set(connection, connection.keepAliveMs);
  } else {
    hub.deadlines.clear(connection);
    connection.socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS); // nothing of MQTT's would notice that the client is gone
  }
  hub.counters.login(connection.protocol, "accepted");
}
