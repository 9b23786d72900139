import type { Decoded } from "../../capabilities/codecs/codec";
import type { EnclosedRow } from "../../platform/storage/storage-writer";
import { CODES, decodeBlock, isFresher, isSuccess, type MessageView, OPTIONS, renderCode } from "../../wire/coap";
import {
  CONTENT_FORMAT,
  CONTENT_FORMATS,
  declaredType,
  decodeNode,
  type LwM2mPath,
  pathSegments,
  renderPath,
  samplesOf,
} from "../../wire/lwm2m";
import { MalformedError } from "../../wire/malformed-error";
import type { Peer } from "../datagram/peer";
import type { LwM2mHub } from "./hub";
import { ownerOf } from "./notification-owner";
import type { Registered } from "./registered";
import type { UplinkAcks } from "./uplink-acks";
import { UPLINK_PATH, UPLINK_TOPIC } from "./uplink-paths";

type Verdict = "taken" | "acknowledge" | "unknown";

/** A notification: a report through the product's codec, or the value of an observed resource. Never throws. */
export function handleNotification(hub: LwM2mHub, acks: UplinkAcks, peer: Peer, view: MessageView): Verdict {
  const owner = ownerOf(hub, peer, view);
  if (!owner) {
    // RST: the device drops the observation and registers again, which is all that can help (nb-iot.md 3).
    hub.counters.uplink.unknown_token.add();
    return "unknown";
  }
  const { registered, path, movedFrom } = owner;
  // Taken before the device moved, and repeated since then: its acknowledgement never arrived.
  if (movedFrom && view.type === "con" && hub.coap.hasTaken(movedFrom, view.messageId))
    return acks.redirect(movedFrom, peer, view.messageId) ? "taken" : "acknowledge";
  if (hub.registrations.isExpired(registered)) revive(hub, registered);
  if (!isSuccess(view.code)) return observationEnded(hub, registered, path, view.code);
  return path === undefined
    ? takeReport(hub, acks, registered, peer, view)
    : takeValue(hub, registered, peer, path, view);
}

/** A message after the lifetime is not lost, and says that the device is there. */
function revive(hub: LwM2mHub, registered: Registered): void {
  hub.counters.registration.revived.add();
  const { deviceNo } = registered.stored;
  hub.registrations
    .revive(registered)
    .catch((error: unknown) => hub.log.error("lwm2m_registration_not_stored", { deviceNo, error }));
}

function takeReport(hub: LwM2mHub, acks: UplinkAcks, registered: Registered, peer: Peer, view: MessageView): Verdict {
  const isConfirmable = view.type === "con";
  if (hub.ingest.congested || hub.isStopping) {
    hub.counters.uplink.congested.add(); // a CON comes again
    if (!isConfirmable) return "acknowledge";
    const { messageId } = view;
    queueMicrotask(() => hub.coap.forget(peer, messageId));
    return "taken";
  }
  const ticket = acks.open(registered, peer, isConfirmable ? view.messageId : -1);
  const enclosed = peer.enclose?.();
  if (hasMoreBlocks(view)) takeLongReport(hub, acks, registered, ticket, peer, view, enclosed);
  else takeReportBytes(hub, acks, registered, ticket, reportBytes(formatOf(view), view.payload()), enclosed);
  return "taken";
}

/** A report that does not fit a datagram comes with its first block; the rest is fetched (RFC 7959 §2.6). */
function takeLongReport(
  hub: LwM2mHub,
  acks: UplinkAcks,
  registered: Registered,
  ticket: number,
  peer: Peer,
  view: MessageView,
  enclosed: EnclosedRow | undefined,
): void {
  const { stored, live } = registered;
  const path = stored.style === "tup" ? ["t", "d"] : pathSegments(UPLINK_PATH, stored.rootPath);
  hub.coap.completeBlock2(peer, { method: "get", path }, view).then(
    (outcome) => {
      if (outcome.kind === "response") {
        const { contentFormat, payload } = outcome.response;
        takeReportBytes(hub, acks, registered, ticket, reportBytes(contentFormat, payload), enclosed);
        return;
      }
      const detail = outcome.kind === "failed" ? outcome.reason : outcome.kind;
      hub.trace.record({ deviceNo: live.no, kind: "report", outcome: "failed", reason: "blocks_missing", detail });
      acks.abandon(ticket);
    },
    (error: unknown) => {
      hub.log.error("lwm2m_report_failed", { deviceId: live.id, error });
      acks.abandon(ticket);
    },
  );
}

function hasMoreBlocks(view: MessageView): boolean {
  const value = view.uint(OPTIONS.block2.number);
  return value !== undefined && (decodeBlock(value)?.more ?? false);
}
const formatOf = (view: MessageView) => view.uint(OPTIONS.contentFormat.number);

/** Bytes of a report, with the message that they came in on its way as `ticket`. */
export function takeReportBytes(
  hub: LwM2mHub,
  acks: UplinkAcks,
  registered: Registered,
  ticket: number,
  payload: Uint8Array | MalformedError,
  enclosed: EnclosedRow | undefined,
): void {
  if (payload instanceof Uint8Array && takePcp(hub, acks, registered, ticket, payload, enclosed)) return;
  const decoded = decode(hub, registered, payload);
  const finish = (it: Decoded) => store(hub, acks, registered, ticket, it, enclosed);
  if (decoded instanceof Promise) {
    decoded.then(finish).catch((error: unknown) => {
      hub.log.error("lwm2m_report_failed", { deviceId: registered.live.id, error });
      acks.abandon(ticket);
    });
  } else finish(decoded);
  const productNo = registered.live.product?.product.no;
  if (payload instanceof Uint8Array && productNo !== undefined && hub.codecs.answersReports(productNo))
    acks.of(ticket).report = payload.slice();
}

/** A frame of a software upgrade is no report: the codec never sees it (pcp.md 7). False: it is business data. */
function takePcp(
  hub: LwM2mHub,
  acks: UplinkAcks,
  { live }: Registered,
  ticket: number,
  payload: Uint8Array,
  enclosed: EnclosedRow | undefined,
): boolean {
  const taken = hub.pcp?.uplink.take(live, payload, hub.pcp.carrier) ?? "business";
  if (taken === "business") return false;
  hub.counters.uplink.upgrade.add();
  const before = taken === "done" ? [] : [taken];
  if (live.needsContact) before.push(hub.devices.seen(live.no));
  if (before.length === 0 && !enclosed) {
    // Nothing follows from it, as from most requests for shards: that the device was heard is stored in its own time.
    hub.ingest.report(live, [], NOBODY, 0);
    acks.acknowledge(ticket);
    acks.flush();
  } else storeAfter(hub, acks, live, ticket, before, () => hub.ingest.report(live, [], acks, ticket, enclosed));
  return true;
}
const NOBODY = { acknowledge() {}, abandon() {}, flush() {} };

/** Most send the bytes as they are; some wrap them as the resource that object 19 has for them. */
function reportBytes(format: number | undefined, payload: Uint8Array): Uint8Array | MalformedError {
  const kind = format === undefined ? "opaque" : CONTENT_FORMATS.get(format)?.kind;
  if (kind === undefined || kind === "opaque" || kind === "text" || kind === "link") return payload;
  try {
    const node = decodeNode(format as number, UPLINK_PATH, payload, declaredType);
    const values = samplesOf(UPLINK_PATH, node).map(({ value }) => value);
    const bytes = values.flatMap((value) => (value.type === "opaque" ? [value.value] : []));
    return Buffer.concat(bytes);
  } catch (error) {
    if (error instanceof MalformedError) return error;
    throw error;
  }
}

function decode(
  hub: LwM2mHub,
  { live, stored }: Registered,
  payload: Uint8Array | MalformedError,
): Decoded | Promise<Decoded> {
  if (payload instanceof MalformedError)
    return { kind: "failed", reason: "value_invalid", detail: `content: ${payload.message}` };
  if (payload.length === 0) return NOTHING;
  const { product } = live;
  if (product && hub.codecs.has(product.product.no))
    return hub.codecs.decode(product.product.no, payload, UPLINK_TOPIC[stored.style]);
  if (!product?.passThrough) return { kind: "failed", reason: "codec_missing", detail: "the product has no codec" };
  // Nothing says what the bytes mean: they are passed on as they are.
  const rawData = Buffer.from(payload).toString("base64");
  return { kind: "reports", reports: [{ serviceId: RAW, data: { rawData }, eventTimeMs: undefined }], hasMore: false };
}
const RAW = "rawData";
const NOTHING: Decoded = { kind: "reports", reports: [], hasMore: false };

/** Acknowledged when everything that follows from it is on disk. */
function store(
  hub: LwM2mHub,
  acks: UplinkAcks,
  { live }: Registered,
  ticket: number,
  decoded: Decoded,
  enclosed: EnclosedRow | undefined,
): void {
  if (decoded.kind !== "failed") acks.of(ticket).hasMore = decoded.hasMore;
  const reports = decoded.kind === "reports" ? decoded.reports : [];
  // An empty list, too, says that the device was heard.
  const commit = () => hub.ingest.report(live, reports, acks, ticket, enclosed);
  const before: Promise<void>[] = [];
  if (live.needsContact) before.push(hub.devices.seen(live.no));
  switch (decoded.kind) {
    case "reports":
      hub.counters.uplink[reports.length > 0 ? "report" : "empty"].add();
      break;
    case "answer":
      hub.counters.uplink.answer.add();
      before.push(hub.commands.answered(live, decoded.mid, decoded.errcode, decoded.body));
      break;
    case "failed":
      hub.counters.uplink.failed.add();
      hub.trace.record({
        deviceNo: live.no,
        kind: "report",
        outcome: "failed",
        reason: decoded.reason,
        detail: decoded.detail,
      });
      break;
    default:
      decoded satisfies never;
  }
  storeAfter(hub, acks, live, ticket, before, commit);
}

function storeAfter(
  hub: LwM2mHub,
  acks: UplinkAcks,
  live: Registered["live"],
  ticket: number,
  before: readonly Promise<void>[],
  commit: () => void,
): void {
  if (before.length === 0) {
    commit();
    return;
  }
  Promise.all(before).then(commit, (error: unknown) => {
    hub.log.error("lwm2m_uplink_not_stored", { deviceId: live.id, error });
    acks.abandon(ticket);
  });
}

function takeValue(hub: LwM2mHub, registered: Registered, peer: Peer, path: LwM2mPath, view: MessageView): Verdict {
  const { stored, newest } = registered;
  const name = renderPath(path);
  const sequence = view.uint(OPTIONS.observe.number);
  if (sequence !== undefined) {
    const next = { sequence, atMs: hub.clock.monotonic() };
    const last = newest.get(name);
    if (last && !isFresher(last, next)) return "acknowledge"; // overtaken by a newer one
    newest.set(name, next);
  }
  hub.counters.uplink.value.add();
  if (hasMoreBlocks(view)) {
    const request = { method: "get", path: pathSegments(path, stored.rootPath) } as const;
    void hub.coap.completeBlock2(peer, request, view).then((outcome) => {
      if (outcome.kind !== "response") return traceValue(hub, registered, name, outcome.kind);
      tellValue(hub, registered, path, outcome.response.contentFormat, outcome.response.payload);
    });
  } else tellValue(hub, registered, path, formatOf(view), view.payload());
  heard(hub, registered, false);
  return "acknowledge";
}

function tellValue(
  hub: LwM2mHub,
  registered: Registered,
  path: LwM2mPath,
  contentFormat: number | undefined,
  payload: Uint8Array,
): void {
  const { stored, live } = registered;
  const format = contentFormat ?? (path.length < 3 ? CONTENT_FORMAT.tlv : CONTENT_FORMAT.text);
  try {
    const node = decodeNode(format, path, payload, declaredType, stored.rootPath);
    hub.resources.observed(live.no, path, node, hub.clock.now());
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    traceValue(hub, registered, renderPath(path), error.message);
  }
}

function traceValue(hub: LwM2mHub, { live }: Registered, name: string, why: string): void {
  const detail = `${name}: ${why}`;
  hub.trace.record({ deviceNo: live.no, kind: "report", outcome: "failed", reason: "value_unreadable", detail });
}

/** RFC 7641 §4.2: an error, too, ends the observation. */
function observationEnded(hub: LwM2mHub, registered: Registered, path: LwM2mPath | undefined, code: number): Verdict {
  const { deviceNo } = registered.stored;
  const reason = renderCode(code);
  const stored =
    path === undefined
      ? hub.registrations.setObserved(registered, false)
      : hub.registrations.removeObservation(deviceNo, path);
  stored.catch((error: unknown) => hub.log.error("lwm2m_registration_not_stored", { deviceNo, error }));
  if (path !== undefined) hub.resources.observationEnded(deviceNo, path, reason);
  const detail = `${path === undefined ? "reports" : renderPath(path)}: ${reason}`;
  hub.trace.record({ deviceNo, kind: "report", outcome: "failed", reason: "observation_ended", detail });
  heard(hub, registered, false);
  return "acknowledge";
}

/** The device is there and listens now. */
export function heard(hub: LwM2mHub, registered: Registered, hasMore: boolean): void {
  registered.heardMs = hub.clock.monotonic();
  const { no, needsContact, deleted } = registered.live;
  if (deleted || hub.isStopping) return;
  if (needsContact)
    hub.devices.seen(no).catch((error: unknown) => hub.log.error("lwm2m_contact_not_stored", { deviceNo: no, error }));
  if (registered.peer) hub.coap.repeat(registered.peer); // before anything new
  hub.contacts.emit("deviceHeard", { deviceNo: no, hasMore });
}

/** Nobody is interested in the code of a good answer: 2.04 and 2.05 are both in use (nb-iot.md 9). */
export const isObserveAnswer = (code: number) => code === CODES.content || code === CODES.changed;
