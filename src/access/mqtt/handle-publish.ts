import type { LiveDevice } from "../../capabilities/devices/device";
import { DomainError } from "../../platform/domain-error";
import type { EnclosedRow } from "../../platform/storage/storage-writer";
import { decodePublish, encodeString, isTopicName, type PublishView, type Will } from "../../wire/mqtt";
import { type Connection, PAUSE } from "./connection";
import { type DeviceMessage, parseDeviceMessage } from "./device-message";
import type { EndReason, Hub } from "./hub";
import { ownDevice } from "./own-device";
import { INBOUND_ADDED, INBOUND_RELEASED } from "./session-repository";
import { NO_TICKET, NOBODY } from "./sessions";
import { ACK_KIND, answerTicket, packetIdOf, ticketOf } from "./ticket";
import { dataTopic, parsePublishTopic } from "./topics";

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
  if (!target || !owner || (target.kind === "custom" && !mayPublishTo(owner, target.name))) {
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
  else if (target.codecMode === "json") takeDeviceMessage(hub, connection, owner, view);
  else refuse(hub, connection, owner, view, "codec_unsupported", "data/binary needs a codec");
  return true;
}

const mayPublishTo = ({ product }: LiveDevice, name: string): boolean =>
  product?.product.topics.some((topic) => topic.name === name && topic.permission !== "subscribe") ?? false;

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

/** Acknowledged all the same: a device that repeats what nobody can read would do so for ever. */
function refuse(
  hub: Hub,
  connection: Connection,
  owner: LiveDevice,
  view: PublishView,
  reason: string,
  detail: string,
): void {
  if (isDuplicate(hub, connection, view)) return;
  hub.counters.inbound[connection.protocol].refused.add();
  traceReport(hub, owner, reason, detail);
  passOn(hub, connection, view, ticketFor(view));
}

function traceReport(hub: Hub, owner: LiveDevice, reason: string, detail: string): void {
  hub.trace.record({
    deviceNo: owner.no,
    kind: "report",
    outcome: "failed",
    reason,
    ...(detail !== "" && { detail }),
  });
}

/** Custom topics are not parsed and not stored; they await the rules that forward them. */
function takeCustom(hub: Hub, connection: Connection, view: PublishView): void {
  if (isDuplicate(hub, connection, view)) return;
  hub.counters.inbound[connection.protocol].custom.add();
  passOn(hub, connection, view, ticketFor(view));
}

type Answer = Extract<DeviceMessage, { kind: "answer" }>;

/** Goes through the store for its place in the order of acknowledgements, and through `commands` for its content. */
function takeAnswer(hub: Hub, connection: Connection, owner: LiveDevice, view: PublishView, answer: Answer): void {
  if (isDuplicate(hub, connection, view)) return;
  hub.counters.inbound[connection.protocol].answer.add();
  const plain = ticketFor(view);
  const ticket = view.qos === 0 ? plain : answerTicket(plain, hub.nextAnswer());
  passOn(hub, connection, view, ticket);
  const stored = () => {
    if (ticket !== plain) connection.answerStored(ticket);
  };
  const { qos, packetId } = view; // the view is another message's by then
  tellCommands(hub, owner, answer).then(stored, (error: unknown) => {
    hub.log.error("mqtt_answer_not_stored", { deviceId: owner.id, mid: answer.mid, error });
    const sessionNo = connection.session?.no;
    hub.abandoned(connection, ticket);
    if (qos === 2 && sessionNo !== undefined)
      hub.ingest.pass(NOBODY, NO_TICKET, { sql: INBOUND_RELEASED, values: [sessionNo, packetId] });
    stored();
  });
}

/** Rejects only when the answer could not be stored; one that `commands` refuses is dealt with. */
async function tellCommands(hub: Hub, owner: LiveDevice, { mid, errcode, body }: Answer): Promise<void> {
  try {
    await hub.commands.answered(owner, mid, errcode, body);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    hub.trace.record({ deviceNo: owner.no, kind: "response", outcome: "failed", reason: error.code.toLowerCase() });
  }
}

function passOn(hub: Hub, connection: Connection, view: PublishView, ticket: number): void {
  const enclosed = remember(connection, view);
  connection.submitted(view.payloadLength);
  hub.ingest.pass(connection, ticket, enclosed);
}

const KIND_OF_QOS = [ACK_KIND.none, ACK_KIND.puback, ACK_KIND.pubrec] as const;
const ticketFor = (view: PublishView): number => ticketOf(KIND_OF_QOS[view.qos], view.packetId);

/** [MQTT-4.3.3-2] A QoS 2 message whose identifier is not released yet is acknowledged again and not taken again. */
function isDuplicate(hub: Hub, connection: Connection, view: PublishView): boolean {
  if (view.qos !== 2 || !connection.session?.inbound?.has(view.packetId)) return false;
  hub.counters.inbound[connection.protocol].duplicate.add();
  connection.submitted(0);
  hub.ingest.pass(connection, ticketFor(view)); // behind the first one, which may not be on disk yet
  return true;
}

/** Notes the identifier of a QoS 2 message; for a persistent session it is stored together with the message. */
function remember({ session }: Connection, view: PublishView): EnclosedRow | undefined {
  if (view.qos !== 2 || !session) return undefined;
  session.inbound ??= new Set();
  session.inbound.add(view.packetId);
  return session.no === undefined ? undefined : { sql: INBOUND_ADDED, values: [session.no, view.packetId] };
}

/** [MQTT-4.3.3-2] A message that could not be stored was never received. */
export function forgetPacketId({ session }: Connection, ticket: number): void {
  session?.inbound?.delete(packetIdOf(ticket));
}

/** A will counts as a report of its device. It was checked when the device connected. */
export function publishWill(hub: Hub, connection: Connection, { topic, payload }: Will): void {
  const target = parsePublishTopic(topic);
  if (target?.kind !== "data" || target.codecMode !== "json") return;
  const owner = ownDevice(hub, connection, target.id);
  if (!owner) return;
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
