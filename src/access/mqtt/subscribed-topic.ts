import { isTopicName, matches, type QoS } from "../../wire/mqtt";
import type { Connection } from "./connection";
import type { Hub } from "./hub";
import { ownDevice } from "./own-device";
import { type CodecMode, commandTopic } from "./topics";

/** The command topic of the addressed device that is subscribed to, as the device calls itself first. */
export function subscribedTopic(
  hub: Hub,
  connection: Connection,
  deviceId: string,
  mode: CodecMode,
): { topic: string; qos: QoS } | undefined {
  const owner = ownDevice(hub, connection, deviceId);
  if (!owner) return undefined;
  const ids = owner === connection.device ? [connection.loginId, owner.id, owner.nodeId] : [owner.id, owner.nodeId];
  return firstSubscribed(
    connection,
    ids.map((id) => commandTopic(id, mode)),
  );
}

/** The first of these names of one topic that is subscribed to. */
export function firstSubscribed(
  connection: Connection,
  topics: readonly string[],
): { topic: string; qos: QoS } | undefined {
  for (const topic of topics) {
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
