import type { LiveDevice } from "../../capabilities/devices/device";
import {
  encodePacket,
  SUBACK_FAILURE,
  type SubackCode,
  type SubscribePacket,
  type Subscription,
} from "../../wire/mqtt";
import type { Connection } from "./connection";
import { endConnection } from "./end-connection";
import { tellListening } from "./events";
import type { Hub } from "./hub";
import { ownDevice } from "./own-device";
import type { Session } from "./session";
import { parseFilter, reachesCustomTopic } from "./topics";

/** One return code for each filter, in their order [MQTT-3.8.4-5]; SUBACK follows what it promises to the disk. */
export function handleSubscribe(hub: Hub, connection: Connection, packet: SubscribePacket): void {
  const session = connection.session as Session;
  const granted: Subscription[] = [];
  const filters = new Set(session.subscriptions.keys());
  const returnCodes = packet.subscriptions.map((subscription, index): SubackCode => {
    // More than a session can hold are not even looked up: each could cost a query.
    const refusal =
      index < hub.settings.maxSubscriptions || filters.has(subscription.filter)
        ? refusalOf(hub, connection, filters, subscription.filter)
        : "too_many_subscriptions";
    if (refusal === undefined) {
      filters.add(subscription.filter);
      granted.push(subscription);
      return subscription.qos;
    }
    hub.trace.record({
      deviceNo: (connection.device as LiveDevice).no,
      kind: "subscribe",
      outcome: "failed",
      reason: refusal,
      detail: subscription.filter.slice(0, 200),
    });
    return SUBACK_FAILURE;
  });
  const answer = () => {
    if (connection.state === "open")
      connection.send(encodePacket({ type: "suback", packetId: packet.packetId, returnCodes }));
    if (granted.length > 0) tellListening(hub, connection);
  };
  const stored = granted.length > 0 ? hub.sessions.subscribe(session, granted) : undefined;
  if (!stored) {
    answer();
    return;
  }
  stored.then(answer, (error: unknown) => {
    hub.log.error("mqtt_subscription_not_stored", { deviceId: connection.device?.id, error });
    endConnection(hub, connection, { kind: "store_failed" });
  });
}

type SubscribeRefusal = "filter_not_allowed" | "filter_too_long" | "too_many_subscriptions";

function refusalOf(
  hub: Hub,
  connection: Connection,
  filters: ReadonlySet<string>,
  filter: string,
): SubscribeRefusal | undefined {
  const { maxFilterBytes, maxSubscriptions } = hub.settings;
  if (Buffer.byteLength(filter) > maxFilterBytes) return "filter_too_long";
  if (!maySubscribe(hub, connection, filter)) return "filter_not_allowed";
  return filters.size >= maxSubscriptions && !filters.has(filter) ? "too_many_subscriptions" : undefined;
}

/** Only what can match nothing but topics of this device, its sub-devices, and custom topics of their products. */
function maySubscribe(hub: Hub, connection: Connection, filter: string): boolean {
  const scope = parseFilter(filter);
  const owner = scope && ownDevice(hub, connection, scope.id);
  if (!scope || !owner) return false;
  if (scope.kind === "device") return true;
  const names = (owner.product?.product.topics ?? [])
    .filter(({ permission }) => permission !== "publish")
    .map(({ name }) => name);
  return reachesCustomTopic(scope.name, names);
}
