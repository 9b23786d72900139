import type { ResourceAnswer } from "../../capabilities/resources/resource-link";
import { CODES, isSuccess, renderCode } from "../../wire/coap";
import {
  CONTENT_FORMAT,
  declaredType,
  decodeDiscovery,
  decodeNode,
  type LwM2mNode,
  type LwM2mPath,
  parseSegments,
} from "../../wire/lwm2m";
import { MalformedError } from "../../wire/malformed-error";
import type { IncomingResponse, RequestOutcome } from "../coap/coap-endpoint";

const MAX_DIAGNOSTIC = 200;
const text = new TextDecoder();

/** What became of an operation at `path`; values are read by their content format, or by what devices mean without one. */
export function toAnswer(outcome: RequestOutcome, path: LwM2mPath, rootPath: string): ResourceAnswer {
  switch (outcome.kind) {
    case "response":
      return read(outcome.response, path, rootPath);
    case "reset":
      return { kind: "refused", code: "reset", detail: undefined };
    case "noAcknowledgement":
    case "noResponse":
    case "cancelled":
      return { kind: "noAnswer" };
    case "failed":
      // Too much is under way: nothing was sent.
      return outcome.reason === "tooManyOpen"
        ? { kind: "unreachable" }
        : { kind: "unreadable", detail: outcome.reason };
    default:
      return outcome satisfies never;
  }
}

function read(response: IncomingResponse, path: LwM2mPath, rootPath: string): ResourceAnswer {
  const { code, payload } = response;
  if (!isSuccess(code)) {
    const detail = payload.length > 0 ? text.decode(payload.subarray(0, MAX_DIAGNOSTIC)) : undefined;
    return { kind: "refused", code: renderCode(code), detail };
  }
  try {
    if (code === CODES.created) return { kind: "done", created: createdPath(response.locationPath, rootPath) };
    if (code !== CODES.content) return { kind: "done" };
    if (response.contentFormat === CONTENT_FORMAT.link)
      return { kind: "done", links: decodeDiscovery(path, payload, rootPath) };
    return { kind: "done", node: nodeOf(response, path, rootPath) };
  } catch (error) {
    if (error instanceof MalformedError) return { kind: "unreadable", detail: error.message };
    throw error;
  }
}

/** Without a content format: text for a resource, TLV for an instance (device-habits.md). */
function nodeOf({ contentFormat, payload }: IncomingResponse, path: LwM2mPath, rootPath: string): LwM2mNode {
  const format = contentFormat ?? (path.length < 3 ? CONTENT_FORMAT.tlv : CONTENT_FORMAT.text);
  return decodeNode(format, path, payload, declaredType, rootPath);
}

function createdPath(locationPath: readonly string[], rootPath: string): LwM2mPath | undefined {
  const root = rootPath.split("/").filter((part) => part !== "");
  const isUnder = root.every((part, at) => locationPath[at] === part);
  const segments = isUnder ? locationPath.slice(root.length) : locationPath;
  return segments.length === 0 ? undefined : parseSegments(segments);
}
