import { PACKAGE_PATH } from "../../capabilities/upgrades/object5/package-resource";
import { CODES } from "../../wire/coap";
import { CONTENT_FORMAT } from "../../wire/lwm2m";
import type { IncomingRequest, OutgoingResponse } from "../coap/coap-endpoint";
import type { Peer } from "../datagram/peer";
import { handleDeregister, handleRegister, handleTupRegister, handleUpdate } from "./handle-register";
import type { LwM2mHub } from "./hub";
import { servePackage } from "./serve-package";
import type { UplinkAcks } from "./uplink-acks";

type Reply = OutgoingResponse | Promise<OutgoingResponse>;

/** Both dialects of the ports, told apart by the path (nb-iot.md 1). */
export function handleRequest(hub: LwM2mHub, acks: UplinkAcks, peer: Peer, request: IncomingRequest): Reply {
  if (hub.isStopping) return { code: CODES.serviceUnavailable, maxAgeSeconds: 30 };
  const [first, second, ...more] = request.path;
  const { code } = request;
  if (more.length > 0) return NOT_FOUND;
  if (first === "rd") {
    if (second === undefined) return code === CODES.post ? handleRegister(hub, acks, peer, request) : NOT_ALLOWED;
    // Drafts before LwM2M 1.0 updated by PUT, and some modules still do.
    if (code === CODES.post || code === CODES.put) return handleUpdate(hub, acks, peer, second, request);
    return code === CODES.delete ? handleDeregister(hub, peer, second) : NOT_ALLOWED;
  }
  if (first === PACKAGE_PATH && second !== undefined)
    return code === CODES.get ? servePackage(hub, peer, second, request.accept) : NOT_ALLOWED;
  if (first === "t" && second === "r")
    return code === CODES.post ? handleTupRegister(hub, acks, peer, request) : NOT_ALLOWED;
  if (first === ".well-known" && second === "core") return code === CODES.get ? OFFER : NOT_ALLOWED;
  return NOT_FOUND;
}

const NOT_FOUND: OutgoingResponse = { code: CODES.notFound };
const NOT_ALLOWED: OutgoingResponse = { code: CODES.methodNotAllowed };
/** RFC 6690: what is here. */
const OFFER: OutgoingResponse = {
  code: CODES.content,
  contentFormat: CONTENT_FORMAT.link,
  payload: new TextEncoder().encode('</rd>;rt="core.rd",</t/r>'),
};
