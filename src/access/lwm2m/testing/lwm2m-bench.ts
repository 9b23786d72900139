import type { CloudReq, CloudRsp, Codecs, Decoded, Encoded } from "../../../capabilities/codecs/codec";
import type { ContactEvents } from "../../../capabilities/devices/device";
import { deviceBench } from "../../../capabilities/devices/testing/device-bench";
import type { TraceEntry } from "../../../capabilities/devices/trace-sink";
import type { AckSink, ServiceReport } from "../../../capabilities/telemetry/report";
import { DomainError } from "../../../platform/domain-error";
import { eventBus } from "../../../platform/events";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import type { EnclosedRow } from "../../../platform/storage/storage-writer";
import {
  CODES,
  type CoapMessage,
  type CoapOption,
  decodeMessageView,
  encodeMessage,
  type MessageType,
  option,
} from "../../../wire/coap";
import { type LwM2mPath, renderPath } from "../../../wire/lwm2m";
import type {
  CoapEndpoint,
  IncomingRequest,
  IncomingResponse,
  OutgoingRequest,
  OutgoingResponse,
  RequestOutcome,
} from "../../coap/coap-endpoint";
import type { Peer } from "../../datagram/peer";
import { lwm2mCounters } from "../counters";
import { handleNotification, heard } from "../handle-notification";
import { handleRequest } from "../handle-request";
import type { LwM2mHub } from "../hub";
import { registrationRepository } from "../registration-repository";
import { registrations } from "../registrations";
import { answerReport } from "../report-answer";
import { LWM2M_DEFAULTS, type LwM2mSettings } from "../settings";
import { UplinkAcks } from "../uplink-acks";

export const NOTHING = new Uint8Array(0);
export const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
export const LINKS = new TextEncoder().encode('</>;rt="oma.lwm2m";ct=11543,</3/0>,</5/0>,</19/0>,</19/1>');

export const content = (payload: Uint8Array = NOTHING, more: Partial<IncomingResponse> = {}): RequestOutcome => ({
  kind: "response",
  response: {
    code: CODES.content,
    payload,
    contentFormat: undefined,
    observe: undefined,
    maxAgeSeconds: undefined,
    locationPath: [],
    ...more,
  },
});

/**
 * The server's handlers on a real registry with real devices; what is below (CoAP) and above (codecs, ingest, commands)
 * is scripted: `outcomes` answers requests in turn, `commit` puts what waits on disk.
 */
export async function lwm2mBench({ settings = {}, path }: { settings?: Partial<LwM2mSettings>; path?: string } = {}) {
  const devices = deviceBench(path === undefined ? {} : { path });
  const product = await devices.importProduct({ protocolType: "LWM2M" });
  const { clock } = devices;
  const traces: TraceEntry[] = [];
  const heardEvents: string[] = [];
  const contacts = eventBus<ContactEvents>();
  contacts.on("deviceHeard", ({ deviceNo, hasMore }) => heardEvents.push(`${deviceNo}${hasMore ? " more" : ""}`));

  const coap = fakeCoap();
  const ingest = fakeIngest();
  let decodeWith: (payload: Uint8Array, topic: string) => Decoded | Promise<Decoded> = (payload) => ({
    kind: "reports",
    reports: [{ serviceId: "Raw", data: { hex: Buffer.from(payload).toString("hex") }, eventTimeMs: undefined }],
    hasMore: false,
  });
  let encodeWith: (message: CloudReq | CloudRsp) => Encoded = () => ({ kind: "bytes", bytes: bytes("0105") });
  const codec = { has: true, answersReports: false };
  const codecs: Codecs = {
    has: () => codec.has,
    decode: (_no, payload, topic) => decodeWith(payload, topic),
    encode: (_no, message) => encodeWith(message),
    answersReports: () => codec.answersReports,
  };
  const answers: string[] = [];
  const observed: string[] = [];
  const wanted: LwM2mPath[] = [];
  let seed = 0;

  const stored = registrations({
    repository: registrationRepository(devices.db),
    transactor: devices.transactor,
    devices: devices.devices,
    clock,
    maxActive: settings.maxActive ?? LWM2M_DEFAULTS.maxActive,
    redirect: (from, to) => coap.endpoint.redirect(from, to),
    vouch() {},
  });
  const plain = new Map<string, Peer>();
  const hub: LwM2mHub = {
    clock,
    log: silentLog,
    devices: devices.devices,
    ingest: ingest.port,
    codecs,
    commands: {
      async answered(device, mid, errcode, body) {
        if (mid === 999) throw new DomainError("CONGESTED");
        answers.push(`${device.nodeId} ${mid} ${errcode} ${JSON.stringify(body)}`);
      },
    },
    resources: {
      wantedObservations: () => wanted,
      observed: (no, where, node) =>
        observed.push(`${no} ${renderPath(where)} ${JSON.stringify("value" in node ? node.value.value : node.kind)}`),
      observationEnded: (no, where, reason) => observed.push(`${no} ${renderPath(where)} ended ${reason}`),
    },
    contacts,
    trace: { record: (entry) => traces.push(entry) },
    counters: lwm2mCounters(createMetrics(), () => ({ stored: stored.count(), active: stored.active() })),
    registrations: stored,
    coap: coap.endpoint,
    settings: { ...LWM2M_DEFAULTS, ...settings },
    randomBytes: (length) => new Uint8Array(length).fill(++seed),
    peerOf(registered) {
      const { host, port, isSecure } = registered.stored;
      if (!registered.peer && !isSecure) stored.bind(registered, peerAt(port, host));
      return registered.peer;
    },
    packages: undefined,
    pcp: undefined,
    isStopping: false,
  };
  const acks = new UplinkAcks({
    coap: coap.endpoint,
    settled({ hasMore, report }, registered) {
      if (report) void answerReport(hub, registered, report);
      heard(hub, registered, hasMore);
    },
  });
  devices.events.on("deviceDeleted", ({ device }) => stored.removeWithDevice(device.no, () => {}));

  function peerAt(port: number, address = "192.0.2.1"): Peer {
    const key = `${address}:${port}`;
    const peer = plain.get(key) ?? { key, deviceNo: undefined, address, port, send() {} };
    plain.set(key, peer);
    return peer;
  }
  /** A session that this device's key has opened. */
  const securePeer = (deviceNo: number, name = "one", window?: EnclosedRow): Peer => ({
    key: `dtls:${deviceNo}:${name}`,
    deviceNo,
    address: "192.0.2.9",
    port: 40_000,
    send() {},
    ...(window && { enclose: () => window }),
  });

  const ask = async (peer: Peer, code: number, where: string, query: string, payload: Uint8Array = NOTHING) => {
    const request: IncomingRequest = {
      code,
      confirmable: true,
      path: where.split("/").filter((part) => part !== ""),
      query: query === "" ? [] : query.split("&"),
      contentFormat: payload.length > 0 ? 40 : undefined,
      accept: undefined,
      observe: undefined,
      payload,
    };
    const reply: OutgoingResponse = await handleRequest(hub, acks, peer, request);
    reply.sent?.();
    await settle();
    return reply;
  };
  const settle = async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  };

  let messageId = 100;
  return {
    ...devices,
    ...{ hub, acks, coap, ingest, codec, traces, answers, observed, wanted, contacts, product },
    peerAt,
    securePeer,
    settle,
    /** Device numbers that have been heard since the last call. */
    heard: () => heardEvents.splice(0),
    add: (nodeId: string, more: object = {}) =>
      devices.register(nodeId, product, { credentials: { kind: "verifyCode" }, ...more }),
    decode(how: typeof decodeWith) {
      decodeWith = how;
    },
    encode(how: typeof encodeWith) {
      encodeWith = how;
    },
    registerAt: (peer: Peer, query: string, links: Uint8Array = LINKS) => ask(peer, CODES.post, "/rd", query, links),
    tupAt: (peer: Peer, query: string) => ask(peer, CODES.post, "/t/r", query),
    ask,
    /** As a device sends it; the message id counts up. */
    notify(
      peer: Peer,
      token: Uint8Array,
      payload: Uint8Array,
      { type = "con", code = CODES.content, options = [option("contentFormat", 42)], again }: NotifyOptions = {},
    ) {
      if (again === undefined) messageId++;
      const message: CoapMessage = { type, code, messageId: again ?? messageId, token, options, payload };
      const verdict = handleNotification(hub, acks, peer, decodeMessageView(encodeMessage(message)));
      if (verdict !== "unknown") coap.taken.add(`${peer.key} ${message.messageId}`);
      return { verdict, messageId: message.messageId };
    },
  };
}
type NotifyOptions = { type?: MessageType; code?: number; options?: CoapOption[]; again?: number };
export type LwM2mBench = Awaited<ReturnType<typeof lwm2mBench>>;

/** Requests are noted; `outcomes` answers them in turn, then silence does. */
function fakeCoap() {
  const requests: { peer: Peer; request: OutgoingRequest; signal?: AbortSignal | undefined }[] = [];
  const transmitted: { peer: Peer; datagram: Uint8Array; giveUpAfterMs: number }[] = [];
  const told: string[] = [];
  const outcomes: (RequestOutcome | Promise<RequestOutcome>)[] = [];
  const transmissions: (RequestOutcome | Promise<RequestOutcome>)[] = [];
  const taken = new Set<string>();
  let acknowledgesFirst = false;
  const next = (queue: typeof outcomes) => Promise.resolve(queue.shift() ?? { kind: "noAcknowledgement" as const });
  const endpoint: CoapEndpoint = {
    receive() {},
    request(peer, request, options) {
      requests.push({ peer, request, signal: options?.signal });
      return next(outcomes);
    },
    prepare: (_peer, request) =>
      new TextEncoder().encode(
        `${request.method} /${request.path.join("/")} ${Buffer.from(request.payload ?? NOTHING).toString("hex")}`,
      ),
    completeBlock2(peer, request) {
      requests.push({ peer, request });
      return next(outcomes);
    },
    transmit(peer, datagram, { giveUpAfterMs, acknowledged }) {
      transmitted.push({ peer, datagram, giveUpAfterMs });
      if (acknowledgesFirst) acknowledged?.();
      return next(transmissions);
    },
    acknowledge: (peer, messageId) => told.push(`ack ${peer.port} ${messageId}`),
    forget(peer, messageId) {
      taken.delete(`${peer.key} ${messageId}`);
      told.push(`forget ${peer.port} ${messageId}`);
    },
    hasTaken: (peer, messageId) => taken.has(`${peer.key} ${messageId}`),
    redirect: (from, to) => told.push(`redirect ${from.port} ${to.port}`),
    vouch() {},
    repeat() {},
    abandon: (peer) => told.push(`abandon ${peer.port}`),
    stop() {},
  };
  return {
    endpoint,
    requests,
    taken,
    transmitted,
    outcomes,
    transmissions,
    acknowledgeFirst() {
      acknowledgesFirst = true;
    },
    told: () => told.splice(0),
  };
}

function fakeIngest() {
  const waiting: { sink: AckSink; ticket: number }[] = [];
  const reports: { nodeId: string; reports: readonly ServiceReport[]; enclosed: EnclosedRow | undefined }[] = [];
  const state = { congested: false };
  const settleAll = (isStored: boolean) => {
    const sinks = new Set<AckSink>();
    for (const { sink, ticket } of waiting.splice(0)) {
      sinks.add(sink);
      if (isStored) sink.acknowledge(ticket);
      else sink.abandon(ticket);
    }
    for (const sink of sinks) sink.flush();
  };
  return {
    reports,
    state,
    commit: () => settleAll(true),
    lose: () => settleAll(false),
    port: {
      report(
        device: { nodeId: string },
        list: readonly ServiceReport[],
        sink: AckSink,
        ticket: number,
        enclosed?: EnclosedRow,
      ) {
        reports.push({ nodeId: device.nodeId, reports: list, enclosed });
        waiting.push({ sink, ticket });
      },
      pass(sink: AckSink, ticket: number) {
        waiting.push({ sink, ticket });
      },
      get congested() {
        return state.congested;
      },
      onDrain() {},
    },
  };
}
