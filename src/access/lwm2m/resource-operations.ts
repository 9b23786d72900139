import type {
  LwM2mRegistration,
  ResourceAnswer,
  ResourceLink,
  ResourceRequest,
} from "../../capabilities/resources/resource-link";
import { CODES } from "../../wire/coap";
import {
  attributeQueries,
  CONTENT_FORMAT,
  encodeNode,
  type LwM2mNode,
  type LwM2mPath,
  pathSegments,
} from "../../wire/lwm2m";
import type { OutgoingRequest } from "../coap/coap-endpoint";
import { isAwake, runningRegistration } from "./awake";
import type { LwM2mHub } from "./hub";
import { cancelObservation, observePath } from "./observations";
import type { Registered } from "./registered";
import { toAnswer } from "./resource-answers";

/** The objects of registered devices (OMA LwM2M TS 1.0.2 §5.4, §5.5). */
export function resourceLink(hub: LwM2mHub): ResourceLink {
  const waiting = new Map<number, number>(); // operations by device

  async function request(deviceNo: number, what: ResourceRequest): Promise<ResourceAnswer> {
    const registered = runningRegistration(hub, deviceNo);
    if (!registered || hub.isStopping) return { kind: "unreachable" };
    if (registered.stored.style === "tup")
      return { kind: "refused", code: "no objects", detail: "the device speaks the private dialect of its module" };
    const before = waiting.get(deviceNo) ?? 0;
    if (before >= hub.settings.maxWaitingPerDevice)
      return { kind: "refused", code: "busy", detail: `${before} operations wait for the device` };
    waiting.set(deviceNo, before + 1);
    registered.busy++;
    try {
      return await run(hub, registered, what);
    } catch (error) {
      if (error instanceof RangeError) return { kind: "refused", code: "not encodable", detail: error.message };
      hub.log.error("lwm2m_operation_failed", { deviceNo, error });
      return { kind: "noAnswer" };
    } finally {
      registered.busy--;
      const left = (waiting.get(deviceNo) ?? 1) - 1;
      if (left > 0) waiting.set(deviceNo, left);
      else waiting.delete(deviceNo);
    }
  }

  return {
    registrationOf(deviceNo) {
      const registered = runningRegistration(hub, deviceNo);
      return registered && toRegistration(registered);
    },
    /** A device without queue mode is reached at any time. */
    isListening(deviceNo) {
      const registered = runningRegistration(hub, deviceNo);
      if (!registered) return false;
      const { style, binding } = registered.stored;
      return (style === "lwm2m" && !binding.queueMode) || isAwake(hub, registered);
    },
    request,
  };
}

async function run(hub: LwM2mHub, registered: Registered, what: ResourceRequest): Promise<ResourceAnswer> {
  switch (what.op) {
    case "observe":
      return observePath(hub, registered, what.path);
    case "cancelObserve":
      return cancelObservation(hub, registered, what.path);
    case "read":
      return readIn(hub, registered, what.path);
    case "discover":
      return send(hub, registered, what.path, { method: "get", accept: CONTENT_FORMAT.link });
    case "delete":
      return send(hub, registered, what.path, { method: "delete" });
    case "write": {
      const contentFormat = formatFor(registered, what.path, what.node);
      const payload = encodeNode(contentFormat, what.path, what.node, registered.stored.rootPath);
      return send(hub, registered, what.path, {
        method: what.mode === "replace" || what.path.length > 2 ? "put" : "post", // §5.4.3: only instances know an update
        contentFormat,
        payload,
      });
    }
    case "create": {
      // With the instance around its resources: its id is ours to choose (§5.4.6).
      const [id = 0] = what.path;
      const payload = encodeNode(CONTENT_FORMAT.tlv, what.path, { kind: "object", id, instances: [what.node] });
      return send(hub, registered, what.path, { method: "post", contentFormat: CONTENT_FORMAT.tlv, payload });
    }
    case "writeAttributes":
      return send(hub, registered, what.path, { method: "put", query: attributeQueries(what.attributes) });
    case "execute":
      return send(hub, registered, what.path, {
        method: "post",
        // Nothing at all where there are no arguments: some answer 4.00 to an empty text.
        ...(what.arguments && {
          contentFormat: CONTENT_FORMAT.text,
          payload: new TextEncoder().encode(what.arguments),
        }),
      });
    default:
      return what satisfies never;
  }
}

type Sent = Omit<OutgoingRequest, "path">;

async function send(hub: LwM2mHub, registered: Registered, path: LwM2mPath, sent: Sent): Promise<ResourceAnswer> {
  const { rootPath } = registered.stored;
  const peer = hub.peerOf(registered);
  if (!peer) return { kind: "unreachable" };
  const outcome = await hub.coap.request(peer, { ...sent, path: pathSegments(path, rootPath) });
  hub.counters.downlink[outcome.kind].add();
  return toAnswer(outcome, path, rootPath);
}

const NOT_ACCEPTABLE = [CODES.notAcceptable, CODES.unsupportedContentFormat].map((code) => code);

/** Devices differ in what they can say: the next format is asked for when one is refused (4.06). */
async function readIn(hub: LwM2mHub, registered: Registered, path: LwM2mPath): Promise<ResourceAnswer> {
  const { contentFormats, version, rootPath } = registered.stored;
  const isOne = path.length >= 3;
  const known = contentFormats.filter((format) => READABLE.includes(format));
  const usual = version.startsWith("1.0") ? [CONTENT_FORMAT.tlv] : [CONTENT_FORMAT.tlv, CONTENT_FORMAT.senmlJson];
  const order: (number | undefined)[] = isOne ? [undefined, ...usual, ...known] : [...usual, ...known, undefined];
  let answer: ResourceAnswer = { kind: "noAnswer" };
  for (const accept of new Set(order)) {
    const peer = hub.peerOf(registered);
    if (!peer) return { kind: "unreachable" };
    const outcome = await hub.coap.request(peer, { method: "get", path: pathSegments(path, rootPath), accept });
    hub.counters.downlink[outcome.kind].add();
    answer = toAnswer(outcome, path, rootPath);
    const isRefused = outcome.kind === "response" && NOT_ACCEPTABLE.some((code) => code === outcome.response.code);
    if (!isRefused) return answer;
  }
  return answer;
}
const READABLE: readonly number[] = [
  CONTENT_FORMAT.tlv,
  CONTENT_FORMAT.json,
  CONTENT_FORMAT.senmlJson,
  CONTENT_FORMAT.senmlCbor,
  CONTENT_FORMAT.text,
];

/** One text is written as text (the LiteOS client takes a package URI in no other form), bytes as bytes, the rest as TLV. */
function formatFor({ stored }: Registered, path: LwM2mPath, node: LwM2mNode): number {
  if (path.length >= 3 && "value" in node) {
    if (node.value.type === "opaque") return CONTENT_FORMAT.opaque;
    if (node.value.type === "string") return CONTENT_FORMAT.text;
  }
  const onlySenml = stored.contentFormats.length > 0 && !stored.contentFormats.some((it) => TLV_FORMATS.includes(it));
  return onlySenml && stored.contentFormats.includes(CONTENT_FORMAT.senmlJson)
    ? CONTENT_FORMAT.senmlJson
    : CONTENT_FORMAT.tlv;
}
const TLV_FORMATS: readonly number[] = [CONTENT_FORMAT.tlv, 1542, CONTENT_FORMAT.json, 1543];

function toRegistration({ stored, peer }: Registered): LwM2mRegistration {
  const { host, port, deviceNo: _, contentFormats: __, token: ___, observed: ____, expiresAtMs, ...rest } = stored;
  return {
    ...rest,
    address: `${peer?.address ?? host}:${peer?.port ?? port}`,
    expiresAtMs: expiresAtMs ?? Number.MAX_SAFE_INTEGER,
  };
}
