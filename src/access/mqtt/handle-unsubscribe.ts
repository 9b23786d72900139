import { encodePacket, type UnsubscribePacket } from "../../wire/mqtt";
import type { Connection } from "./connection";
import { endConnection } from "./end-connection";
import type { Hub } from "./hub";
import type { Session } from "./session";

/** [MQTT-3.10.4-1, 3.10.4-5] Filters are compared character by character; UNSUBACK comes whether one was there or not. */
export function handleUnsubscribe(hub: Hub, connection: Connection, { packetId, filters }: UnsubscribePacket): void {
  const answer = () => {
    if (connection.state === "open") connection.send(encodePacket({ type: "unsuback", packetId }));
  };
  const stored = hub.sessions.unsubscribe(connection.session as Session, filters);
  if (!stored) {
    answer();
    return;
  }
  stored.then(answer, (error: unknown) => {
    hub.log.error("mqtt_subscription_not_stored", { deviceId: connection.device?.id, error });
    endConnection(hub, connection, { kind: "store_failed" });
  });
}
