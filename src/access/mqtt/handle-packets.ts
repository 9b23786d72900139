import { decodePacket, MqttProtocolError, type Packet } from "../../wire/mqtt";
import { handleApplicationPacket, refusePublish } from "./applications/handle-application-packet";
import type { Connection } from "./connection";
import { handlePuback, handlePubcomp, handlePubrec, handlePubrel } from "./handle-acks";
import { handleConnect } from "./handle-connect";
import { handlePublish } from "./handle-publish";
import { handleSubscribe } from "./handle-subscribe";
import { handleUnsubscribe } from "./handle-unsubscribe";
import type { EndReason, Hub } from "./hub";

const PUBLISH = 0x30;
const CONNECT = 0x10;
const PINGREQ = 0xc0;
/** Of every packet but PUBLISH: a list of a hundred thousand filters would keep all others waiting. */
const MAX_CONTROL_BYTES = 64 * 1024;
const PINGRESP_BYTES = Uint8Array.of(0xd0, 0);

/**
 * Takes the packets that have arrived, until there are no more or reading has to pause. Returns why the connection has
 * to end, if it has to; throws MqttProtocolError.
 */
export function handlePackets(hub: Hub, connection: Connection): EndReason | undefined {
  const { reader } = connection;
  while (connection.pauses === 0 && connection.isAlive && reader.next()) {
    connection.lastPacketTick = hub.deadlines.tick;
    const { firstByte } = reader;
    let end: EndReason | undefined;
    if (connection.state !== "open") end = handleFirst(hub, connection, firstByte);
    else if ((firstByte & 0xf0) === PUBLISH)
      end = connection.subscriber ? refusePublish(hub, connection.subscriber) : handlePublish(hub, connection);
    else if (firstByte === PINGREQ && reader.start === reader.end)
      connection.send(PINGRESP_BYTES); // [MQTT-3.12.4-1]
    else end = handlePacket(hub, connection, decodeControl(firstByte, reader.body()));
    if (end) return end;
  }
  return undefined;
}

function decodeControl(firstByte: number, body: Uint8Array): Packet {
  if (body.length > MAX_CONTROL_BYTES) throw new MqttProtocolError("packet_too_large", `${body.length} bytes`);
  return decodePacket(firstByte, body);
}

/** [MQTT-3.1.0-1] Nothing but CONNECT comes first; what is no CONNECT is not even decoded. */
function handleFirst(hub: Hub, connection: Connection, firstByte: number): EndReason | undefined {
  if (firstByte !== CONNECT) return { kind: "violation", violation: "not_connect_first" };
  const packet = decodePacket(firstByte, connection.reader.body());
  if (packet.type === "connect") handleConnect(hub, connection, packet);
  return undefined;
}

function handlePacket(hub: Hub, connection: Connection, packet: Packet): EndReason | undefined {
  if (connection.subscriber) return handleApplicationPacket(hub, connection.subscriber, packet);
  switch (packet.type) {
    case "subscribe":
      handleSubscribe(hub, connection, packet);
      return undefined;
    case "unsubscribe":
      handleUnsubscribe(hub, connection, packet);
      return undefined;
    case "puback":
      handlePuback(hub, connection, packet.packetId);
      return undefined;
    case "pubrec":
      handlePubrec(hub, connection, packet.packetId);
      return undefined;
    case "pubrel":
      handlePubrel(hub, connection, packet.packetId);
      return undefined;
    case "pubcomp":
      handlePubcomp(hub, connection, packet.packetId);
      return undefined;
    case "disconnect":
      connection.will = undefined; // [MQTT-3.14.4-3]
      return { kind: "disconnect" };
    case "connect":
      return { kind: "violation", violation: "second_connect" }; // [MQTT-3.1.0-2]
    case "connack":
    case "suback":
    case "unsuback":
    case "pingreq":
    case "pingresp":
      return { kind: "violation", violation: "client_sent_server_packet" };
    case "publish":
      return undefined; // has its own way
    default:
      return packet satisfies never;
  }
}
