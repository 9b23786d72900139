import { randomUUID } from "node:crypto";
import type { LiveDevice } from "../../capabilities/devices/device";
import type { EventLink, SystemEvent } from "../../capabilities/devices/event-link";
import { encodeString, type PublishView, type QoS } from "../../wire/mqtt";
import { type Connection, PAUSE } from "./connection";
import type { Hub } from "./hub";
import { acknowledgeAfter, isDuplicate, refuse } from "./inbound";
import { sendDownlink } from "./outbound";
import { firstSubscribed } from "./subscribed-topic";
import { readSystemEvents, renderSystemEvent } from "./system-event";
import { eventTopic } from "./topics";

/**
 * Events of the device itself; acknowledged when what follows from all of them is on disk. Nothing more is read of it until
 * then, so that a flood goes at the speed of the disk.
 */
export function takeEvents(hub: Hub, connection: Connection, device: LiveDevice, view: PublishView): void {
  const read = readSystemEvents(view.payload(), hub.settings.maxEventsPerMessage);
  if (read.kind === "refused") {
    refuse(hub, connection, device, view, "event_invalid", read.reason);
    return;
  }
  if (isDuplicate(hub, connection, view)) return;
  hub.counters.inbound[connection.protocol].event.add();
  connection.pause(PAUSE.events);
  void acknowledgeAfter(hub, connection, view, inOrder(hub, device, read.events), (error) =>
    hub.log.error("mqtt_event_not_stored", { deviceId: device.id, error }),
  ).finally(() => connection.resume(PAUSE.events));
}

async function inOrder(hub: Hub, { no }: LiveDevice, events: readonly SystemEvent[]): Promise<void> {
  for (const event of events) await hub.events.received(no, event);
}

/** After CONNACK and SUBACK: does the device hear events (now, too)? Who waits for it may send. */
export function tellListening(hub: Hub, connection: Connection): void {
  const { device } = connection;
  if (!device || !listeningTopic(connection)) return;
  try {
    hub.events.listening(device.no);
  } catch (error) {
    hub.log.error("mqtt_event_fault", { deviceId: device.id, error });
  }
}

/** As the device calls itself first. */
function listeningTopic(connection: Connection): { topic: string; qos: QoS } | undefined {
  const { device, loginId, state } = connection;
  if (state !== "open" || !device) return undefined;
  return firstSubscribed(connection, [loginId, device.id, device.nodeId].map(eventTopic));
}

export function mqttEventLink(hub: Hub): EventLink {
  return {
    isListening(deviceNo) {
      const connection = hub.byDevice.get(deviceNo);
      return connection !== undefined && listeningTopic(connection) !== undefined;
    },
    async send(deviceNo, event) {
      const connection = hub.byDevice.get(deviceNo);
      const target = connection && listeningTopic(connection);
      if (!connection?.device || !target || hub.isStopping) return "unreachable";
      const about = { nowMs: hub.clock.now(), eventId: randomUUID() };
      return sendDownlink(hub, connection, target.qos, {
        topic: encodeString(target.topic),
        payload: new TextEncoder().encode(renderSystemEvent(connection.device.id, event, about)),
        mid: 0, // no command
        delivered() {},
      });
    },
    localAddressOf: (deviceNo) => hub.byDevice.get(deviceNo)?.socket.localAddress,
  };
}
