import {
  encodePacket,
  type Packet,
  SUBACK_FAILURE,
  type SubackCode,
  type SubscribePacket,
  type UnsubscribePacket,
} from "../../../wire/mqtt";
import { endConnection } from "../end-connection";
import type { EndReason, Hub } from "../hub";
import { isOwnFilter } from "./filters";
import type { Subscriber } from "./subscriber";

/** An application publishes nothing. MQTT 3.1.1 cannot say so, therefore the connection ends [MQTT-3.3.5-2]. */
export function refusePublish(hub: Hub, { connection, appId }: Subscriber): EndReason {
  hub.counters.inbound[connection.protocol].not_allowed.add();
  hub.trace.record({ claimedId: appId, kind: "publish", outcome: "failed", reason: "topic_not_allowed" });
  return { kind: "topic_not_allowed" };
}

/** Every packet behind CONNECT but PUBLISH and PINGREQ. Returns why the connection has to end, if it has to. */
export function handleApplicationPacket(hub: Hub, subscriber: Subscriber, packet: Packet): EndReason | undefined {
  const { connection } = subscriber;
  switch (packet.type) {
    case "subscribe":
      subscribe(hub, subscriber, packet);
      return undefined;
    case "unsubscribe":
      unsubscribe(hub, subscriber, packet);
      return undefined;
    case "puback":
      hub.subscribers.acknowledged(subscriber, packet.packetId);
      return undefined;
    case "pubrec": // nothing goes out with QoS 2; a client that thinks so shall not wait for ever
      connection.send(encodePacket({ type: "pubrel", packetId: packet.packetId }));
      return undefined;
    case "pubrel": // [MQTT-4.3.3-2]
      connection.send(encodePacket({ type: "pubcomp", packetId: packet.packetId }));
      return undefined;
    case "pubcomp":
      return undefined;
    case "disconnect":
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
      return refusePublish(hub, subscriber);
    default:
      return packet satisfies never;
  }
}

/**
 * One return code for each filter, in their order [MQTT-3.8.4-5]; SUBACK follows what it promises to the disk. QoS 1 is
 * granted for 1 and 2. QoS 0 is refused: nothing would tell what has arrived, and the outbox waits for just that.
 */
function subscribe(hub: Hub, subscriber: Subscriber, { packetId, subscriptions }: SubscribePacket): void {
  const { connection, appId } = subscriber;
  const granted: string[] = [];
  const returnCodes = subscriptions.map(({ filter, qos }): SubackCode => {
    const reason = isOwnFilter(appId, filter) ? (qos === 0 ? "qos_0" : undefined) : "filter_not_allowed";
    if (reason === undefined) {
      granted.push(filter);
      return 1;
    }
    const detail = filter.slice(0, 200);
    hub.trace.record({ claimedId: appId, kind: "subscribe", outcome: "failed", reason, detail });
    return SUBACK_FAILURE;
  });
  hub.applicationSessions.subscribe(subscriber, granted).then(
    () => {
      if (connection.state !== "open") return;
      connection.send(encodePacket({ type: "suback", packetId, returnCodes }));
      if (granted.length > 0) hub.subscribers.changed(subscriber);
    },
    (error: unknown) => notStored(hub, subscriber, error),
  );
}

/** [MQTT-3.10.4-3] What is under way is still acknowledged; nothing new is sent. */
function unsubscribe(hub: Hub, subscriber: Subscriber, { packetId, filters }: UnsubscribePacket): void {
  const { connection } = subscriber;
  hub.applicationSessions.unsubscribe(subscriber, filters).then(
    () => {
      if (connection.state === "open") connection.send(encodePacket({ type: "unsuback", packetId }));
    },
    (error: unknown) => notStored(hub, subscriber, error),
  );
  hub.subscribers.changed(subscriber);
}

function notStored(hub: Hub, { connection, appId }: Subscriber, error: unknown): void {
  hub.log.error("mqtt_subscription_not_stored", { appId, error });
  endConnection(hub, connection, { kind: "store_failed" });
}
