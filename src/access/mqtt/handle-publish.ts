import type { LiveDevice } from "../../capabilities/devices/device";
import { decodePublish, encodeString, isTopicName, type PublishView, type Will } from "../../wire/mqtt";
import { type Connection, PAUSE } from "./connection";
import { parseDeviceMessage } from "./device-message";
import { takeEvents } from "./events";
import { takeBinary, takeBinaryWill } from "./handle-binary";
import type { EndReason, Hub } from "./hub";
import { isDuplicate, passOn, refuse, remember, takeAnswer, ticketFor, traceReport } from "./inbound";
import { ownDevice } from "./own-device";
import { NO_TICKET, NOBODY } from "./sessions";
import { takeSubDevices } from "./sub-device-requests";
import { dataTopic, type PublishTopic, parsePublishTopic } from "./topics";

/** Returns why the connection has to end, if it has to. */
export function handlePublish(hub: Hub, connection: Connection): EndReason | undefined {
  const { reader } = connection;
  const view = decodePublish(reader.firstByte, reader.bytes, reader.start, reader.end, hub.view);
  const device = connection.device as LiveDevice;
  connection.dataTopic ??= bytesOf(dataTopic(connection.loginId));
  // The common case costs one comparison of bytes, and no string.
  if (view.isTopic(connection.dataTopic)) takeDeviceMessage(hub, connection, device, view);
  else if (!takeOther(hub, connection, view)) return { kind: "topic_not_allowed" };
  if (hub.ingest.congested) {
    hub.congested.add(connection);
    connection.pause(PAUSE.congested);
  }
  return undefined;
}

/** An id with a wildcard in it makes no topic; the empty one is equal to none. [MQTT-3.3.2-2] */
const bytesOf = (topic: string): Buffer => encodeString(isTopicName(topic) ? topic : "");

/** False: this device may not publish there. MQTT 3.1.1 cannot say so, therefore the connection ends [MQTT-3.3.5-2]. */
function takeOther(hub: Hub, connection: Connection, view: PublishView): boolean {
  const topic = view.topic();
  const target = parsePublishTopic(topic);
  const owner = target && ownDevice(hub, connection, target.id);
  if (!target || !owner || !mayPublish(connection, owner, target)) {
    hub.counters.inbound[connection.protocol].not_allowed.add();
    hub.trace.record({
      deviceNo: (connection.device as LiveDevice).no,
      kind: "publish",
      outcome: "failed",
      reason: "topic_not_allowed",
      detail: topic.slice(0, 200),
    });
    return false;
  }
  if (target.kind === "custom") takeCustom(hub, connection, view);
  else if (target.kind === "subDevices") takeSubDevices(hub, connection, view);
  else if (target.kind === "event") takeEvents(hub, connection, owner, view);
  else if (target.codecMode === "json") takeDeviceMessage(hub, connection, owner, view);
  else takeBinary(hub, connection, owner, view, topic);
  return true;
}

function mayPublish({ device }: Connection, owner: LiveDevice, target: PublishTopic): boolean {
  if (target.kind === "data") return true;
  // What is behind a gateway has nothing behind it, and no events of its own.
  if (target.kind === "subDevices" || target.kind === "event") return owner === device;
  const topics = owner.product?.product.topics ?? [];
  return topics.some(({ name, permission }) => name === target.name && permission !== "subscribe");
}

function takeDeviceMessage(hub: Hub, connection: Connection, owner: LiveDevice, view: PublishView): void {
  const message = parseDeviceMessage(view.bytes, view.payloadStart, view.payloadEnd);
  switch (message.kind) {
    case "reports": {
      if (isDuplicate(hub, connection, view)) return;
      for (const { reason, detail } of message.misfits) traceReport(hub, owner, reason, detail);
      hub.counters.inbound[connection.protocol].report.add();
      const enclosed = remember(connection, view);
      connection.submitted(view.payloadLength);
      if (message.reports.length === 0) hub.ingest.pass(connection, ticketFor(view), enclosed);
      else hub.ingest.report(owner, message.reports, connection, ticketFor(view), enclosed);
      return;
    }
    case "answer":
      takeAnswer(hub, connection, owner, view, message);
      return;
    case "refused":
      refuse(hub, connection, owner, view, message.misfit.reason, message.misfit.detail);
      return;
    default:
      message satisfies never;
  }
}

/** Custom topics are not parsed and not stored; they await the rules that forward them. */
function takeCustom(hub: Hub, connection: Connection, view: PublishView): void {
  if (isDuplicate(hub, connection, view)) return;
  hub.counters.inbound[connection.protocol].custom.add();
  passOn(hub, connection, view, ticketFor(view));
}

/** A will counts as a report of its device. It was checked when the device connected. */
export function publishWill(hub: Hub, connection: Connection, { topic, payload }: Will): void {
  const target = parsePublishTopic(topic);
  if (target?.kind !== "data") return;
  const owner = ownDevice(hub, connection, target.id);
  if (!owner) return;
  if (target.codecMode === "binary") {
    takeBinaryWill(hub, connection, owner, payload, topic).catch((error: unknown) =>
      hub.log.error("mqtt_will_failed", { deviceId: owner.id, error }),
    );
    return;
  }
  const message = parseDeviceMessage(payload, 0, payload.length);
  if (message.kind === "reports") {
    hub.counters.inbound[connection.protocol].will.add();
    if (message.reports.length > 0) hub.ingest.report(owner, message.reports, NOBODY, NO_TICKET);
    return;
  }
  hub.counters.inbound[connection.protocol].refused.add();
  const { reason, detail } =
    message.kind === "refused" ? message.misfit : { reason: "will_not_a_report", detail: "msgType deviceRsp" };
  traceReport(hub, owner, reason, detail);
}
