import type { CodecFailed, Decoded } from "../../capabilities/codecs/codec";
import type { LiveDevice } from "../../capabilities/devices/device";
import type { AckSink } from "../../capabilities/telemetry/report";
import type { PublishView } from "../../wire/mqtt";
import { type Connection, PAUSE } from "./connection";
import type { Hub } from "./hub";
import { isDuplicate, refuse, remember, takeAnswer, tellCommands, ticketFor, traceReport } from "./inbound";
import { takePcp } from "./pcp";
import { answerReport } from "./report-answer";
import type { Session } from "./session";
import { NO_TICKET, NOBODY } from "./sessions";
import { answerTicket } from "./ticket";

/** data/binary: through the codec of the product, which answers at once (messages) or in its own time (scripts). */
export function takeBinary(
  hub: Hub,
  connection: Connection,
  owner: LiveDevice,
  view: PublishView,
  topic: string,
): void {
  if (isDuplicate(hub, connection, view)) return;
  const upgrade = hub.pcp?.uplink.take(owner, view.payload(), hub.pcp.carrier) ?? "business";
  if (upgrade !== "business") {
    takePcp(hub, connection, owner, view, upgrade); // the codec never sees it (pcp.md 7)
    return;
  }
  const request = answersReports(hub, owner) ? view.payload().slice() : undefined;
  const decoded = decodeFor(hub, owner, view.payload(), topic);
  if (decoded instanceof Promise) takeLater(hub, connection, owner, view, decoded, request);
  else takeNow(hub, connection, owner, view, decoded, request);
}

const NO_CODEC: CodecFailed = { kind: "failed", reason: "codec_missing", detail: "the product has no codec" };

function decodeFor(hub: Hub, { product }: LiveDevice, payload: Uint8Array, topic: string): Decoded | Promise<Decoded> {
  return product ? hub.codecs.decode(product.product.no, payload, topic) : NO_CODEC;
}
const answersReports = (hub: Hub, { product }: LiveDevice): boolean =>
  product !== undefined && hub.codecs.answersReports(product.product.no);

function takeNow(
  hub: Hub,
  connection: Connection,
  owner: LiveDevice,
  view: PublishView,
  decoded: Decoded,
  request: Uint8Array | undefined,
): void {
  switch (decoded.kind) {
    case "failed":
      refuse(hub, connection, owner, view, decoded.reason, decoded.detail);
      return;
    case "answer":
      takeAnswer(hub, connection, owner, view, decoded);
      return;
    case "reports": {
      hub.counters.inbound[connection.protocol].report.add();
      const enclosed = remember(connection, view);
      connection.submitted(view.payloadLength);
      const sink = request ? answering(hub, connection, owner, request) : connection;
      hub.ingest.report(owner, decoded.reports, sink, ticketFor(view), enclosed);
      return;
    }
    default:
      decoded satisfies never;
  }
}

/** The connection's own acknowledgement, and then the codec's answer to the report. */
function answering(hub: Hub, connection: Connection, owner: LiveDevice, request: Uint8Array): AckSink {
  return {
    acknowledge(ticket) {
      connection.acknowledge(ticket);
      answerReport(hub, connection, owner, request);
    },
    abandon: (ticket) => connection.abandon(ticket),
    flush: () => connection.flush(),
  };
}

/**
 * Its acknowledgement takes its place in the order now, and is held back there until what the codec makes of it is on
 * disk. The row that remembers a QoS 2 identifier goes to the disk with the content, not before it.
 */
function takeLater(
  hub: Hub,
  connection: Connection,
  owner: LiveDevice,
  view: PublishView,
  decoding: Promise<Decoded>,
  request: Uint8Array | undefined,
): void {
  const plain = ticketFor(view);
  const { qos, packetId } = view; // the view is another message's by then
  const session = connection.session as Session;
  const ticket = qos === 0 ? plain : answerTicket(plain, hub.nextAnswer());
  const enclosed = remember(connection, view);
  if (qos > 0) {
    connection.submitted(view.payloadLength);
    hub.ingest.pass(connection, ticket);
  }
  const done = Promise.withResolvers<boolean>();
  if (qos === 2) {
    session.decoding ??= new Map();
    session.decoding.set(packetId, done.promise);
  }
  hub.devices.acquire(owner.no); // also while its gateway leaves
  if (++connection.decoding >= hub.settings.maxDecoding) connection.pause(PAUSE.decoding);

  function end(isStored: boolean): void {
    if (qos === 2) session.decoding?.delete(packetId);
    if (!isStored) {
      if (qos === 2) session.inbound?.delete(packetId);
      hub.abandoned(connection, ticket);
    }
    done.resolve(isStored);
    if (qos > 0) connection.answerStored(ticket);
  }
  const sink: AckSink = {
    acknowledge() {
      end(true);
      if (request) answerReport(hub, connection, owner, request);
    },
    abandon: () => end(false),
    flush() {},
  };
  const pass = () => hub.ingest.pass({ ...sink, acknowledge: () => end(true) }, NO_TICKET, enclosed);

  function take(decoded: Decoded): void {
    const counters = hub.counters.inbound[connection.protocol];
    switch (decoded.kind) {
      case "failed":
        if (hub.isStopping && !connection.isAlive) {
          end(false); // not its fault: the device sends it again
          return;
        }
        counters.refused.add();
        traceReport(hub, owner, decoded.reason, decoded.detail);
        pass();
        return;
      case "answer":
        counters.answer.add();
        tellCommands(hub, owner, decoded).then(pass, (error: unknown) => {
          hub.log.error("mqtt_answer_not_stored", { deviceId: owner.id, mid: decoded.mid, error });
          end(false);
        });
        return;
      case "reports":
        counters.report.add();
        hub.ingest.report(owner, decoded.reports, sink, NO_TICKET, enclosed);
        return;
      default:
        decoded satisfies never;
    }
  }

  void decoding.then((decoded) => {
    take(decoded);
    hub.devices.release(owner);
    if (--connection.decoding <= hub.settings.maxDecoding / 2) connection.resume(PAUSE.decoding);
  });
}

/** The will of a device that speaks binary; nobody waits for an acknowledgement. */
export async function takeBinaryWill(
  hub: Hub,
  connection: Connection,
  owner: LiveDevice,
  payload: Uint8Array,
  topic: string,
): Promise<void> {
  hub.devices.acquire(owner.no);
  const decoded = await decodeFor(hub, owner, payload, topic);
  if (decoded.kind === "reports") {
    hub.counters.inbound[connection.protocol].will.add();
    hub.ingest.report(owner, decoded.reports, NOBODY, NO_TICKET);
  } else {
    hub.counters.inbound[connection.protocol].refused.add();
    const { reason, detail } =
      decoded.kind === "failed" ? decoded : { reason: "will_not_a_report", detail: "msgType deviceRsp" };
    traceReport(hub, owner, reason, detail);
  }
  hub.devices.release(owner);
}
