/** What the ways of a PUBLISH have in common: its acknowledgement, its duplicates, answers to commands, refusals. */
import type { LiveDevice } from "../../capabilities/devices/device";
import { DomainError } from "../../platform/domain-error";
import type { EnclosedRow } from "../../platform/storage/storage-writer";
import type { PublishView } from "../../wire/mqtt";
import type { Connection } from "./connection";
import type { DeviceMessage } from "./device-message";
import type { Hub } from "./hub";
import { INBOUND_ADDED, INBOUND_RELEASED } from "./session-repository";
import { NO_TICKET, NOBODY } from "./sessions";
import { ACK_KIND, answerTicket, packetIdOf, ticketOf } from "./ticket";

/** Acknowledged all the same: a device that repeats what nobody can read would do so for ever. */
export function refuse(
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

export function traceReport(hub: Hub, owner: LiveDevice, reason: string, detail: string): void {
  hub.trace.record({
    deviceNo: owner.no,
    kind: "report",
    outcome: "failed",
    reason,
    ...(detail !== "" && { detail }),
  });
}

export type Answer = Extract<DeviceMessage, { kind: "answer" }>;

/** Goes through the store for its place in the order of acknowledgements, and through `commands` for its content. */
export function takeAnswer(
  hub: Hub,
  connection: Connection,
  owner: LiveDevice,
  view: PublishView,
  answer: Answer,
): void {
  if (isDuplicate(hub, connection, view)) return;
  hub.counters.inbound[connection.protocol].answer.add();
  void acknowledgeAfter(hub, connection, view, tellCommands(hub, owner, answer), (error) =>
    hub.log.error("mqtt_answer_not_stored", { deviceId: owner.id, mid: answer.mid, error }),
  );
}

/**
 * The message takes its place in the order of acknowledgements now, and is acknowledged when `work` is on disk. When that
 * fails it was never received: the device sends it again, also with QoS 2 and after a restart. Resolves after either.
 */
export function acknowledgeAfter(
  hub: Hub,
  connection: Connection,
  view: PublishView,
  work: Promise<unknown>,
  failed: (error: unknown) => void,
): Promise<void> {
  const { qos, packetId } = view; // the view is another message's by then
  const plain = ticketFor(view);
  const ticket = qos === 0 ? plain : answerTicket(plain, hub.nextAnswer());
  passOn(hub, connection, view, ticket);
  const answer = () => {
    if (ticket !== plain) connection.answerStored(ticket);
  };
  return work.then(answer, (error: unknown) => {
    failed(error);
    const sessionNo = connection.session?.no;
    hub.abandoned(connection, ticket);
    if (qos === 2 && sessionNo !== undefined)
      hub.ingest.pass(NOBODY, NO_TICKET, { sql: INBOUND_RELEASED, values: [sessionNo, packetId] });
    answer();
  });
}

/** Rejects only when the answer could not be stored; one that `commands` refuses is dealt with. */
export async function tellCommands(hub: Hub, owner: LiveDevice, { mid, errcode, body }: Answer): Promise<void> {
  try {
    await hub.commands.answered(owner, mid, errcode, body);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    hub.trace.record({ deviceNo: owner.no, kind: "response", outcome: "failed", reason: error.code.toLowerCase() });
  }
}

export function passOn(hub: Hub, connection: Connection, view: PublishView, ticket: number): void {
  const enclosed = remember(connection, view);
  connection.submitted(view.payloadLength);
  hub.ingest.pass(connection, ticket, enclosed);
}

const KIND_OF_QOS = [ACK_KIND.none, ACK_KIND.puback, ACK_KIND.pubrec] as const;
export const ticketFor = (view: PublishView): number => ticketOf(KIND_OF_QOS[view.qos], view.packetId);

/** [MQTT-4.3.3-2] A QoS 2 message whose identifier is not released yet is acknowledged again and not taken again. */
export function isDuplicate(hub: Hub, connection: Connection, view: PublishView): boolean {
  if (view.qos !== 2 || !connection.session?.inbound?.has(view.packetId)) return false;
  hub.counters.inbound[connection.protocol].duplicate.add();
  connection.submitted(0);
  const plain = ticketFor(view);
  const first = connection.session.decoding?.get(view.packetId);
  if (!first) {
    hub.ingest.pass(connection, plain); // behind the first one, which may not be on disk yet
    return true;
  }
  const ticket = answerTicket(plain, hub.nextAnswer());
  hub.ingest.pass(connection, ticket);
  void first.then((isStored) => {
    if (!isStored) hub.abandoned(connection, ticket);
    connection.answerStored(ticket);
  });
  return true;
}

/** Notes the identifier of a QoS 2 message; for a persistent session it is stored together with the message. */
export function remember({ session }: Connection, view: PublishView): EnclosedRow | undefined {
  if (view.qos !== 2 || !session) return undefined;
  session.inbound ??= new Set();
  session.inbound.add(view.packetId);
  return session.no === undefined ? undefined : { sql: INBOUND_ADDED, values: [session.no, view.packetId] };
}

/** [MQTT-4.3.3-2] A message that could not be stored was never received. */
export function forgetPacketId({ session }: Connection, ticket: number): void {
  session?.inbound?.delete(packetIdOf(ticket));
}
