import { CODES } from "../../wire/coap";
import { CONTENT_FORMAT } from "../../wire/lwm2m";
import type { OutgoingResponse } from "../coap/coap-endpoint";
import type { Peer } from "../datagram/peer";
import type { LwM2mHub } from "./hub";

/**
 * GET /ota/{token}: a package, block by block, in any order and size (RFC 7959 §2.4). Nothing of a transfer is kept. In a
 * session the token has to be that of its device; on the plain port it is all that there is to know.
 */
export function servePackage(hub: LwM2mHub, peer: Peer, token: string, accept: number | undefined): OutgoingResponse {
  const found = hub.packages?.find(token, peer.deviceNo);
  if (!found) {
    hub.counters.packages.not_found.add();
    return { code: CODES.notFound };
  }
  if (accept !== undefined && accept !== CONTENT_FORMAT.opaque) return { code: CODES.notAcceptable };
  hub.counters.packages.served.add();
  return { code: CODES.content, contentFormat: CONTENT_FORMAT.opaque, source: found };
}
