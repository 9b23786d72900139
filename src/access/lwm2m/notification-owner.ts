import type { MessageView } from "../../wire/coap";
import type { LwM2mPath } from "../../wire/lwm2m";
import type { Peer } from "../datagram/peer";
import type { LwM2mHub } from "./hub";
import type { Registered } from "./registered";

const TOKEN_START = 4;

/** Whose notification this is; `path` undefined: it carries reports. */
export type Owner = {
  readonly registered: Registered;
  readonly path: LwM2mPath | undefined;
  /** Where the device was until now, if it has moved. */
  readonly movedFrom?: Peer | undefined;
};

/**
 * By the token, which only the device and we know. A device that comes from another address without a word is found by
 * it (its NAT entry has aged), unless it is secure: then its session has said who it is.
 */
export function ownerOf(hub: LwM2mHub, peer: Peer, view: MessageView): Owner | undefined {
  const known = hub.registrations.byPeer(peer);
  if (known && isToken(view, known.stored.token)) return { registered: known, path: undefined };
  const token = view.token().slice();
  if (token.length === 0) return undefined;
  const found = peer.deviceNo === undefined ? byTokenOnly(hub, token) : ofDevice(hub, peer.deviceNo, token);
  if (!found || found.registered.live.deleted) return undefined;
  const movedFrom = found.registered.peer === peer ? undefined : found.registered.peer;
  hub.registrations.bind(found.registered, peer);
  return { ...found, movedFrom };
}

function ofDevice(hub: LwM2mHub, deviceNo: number, token: Uint8Array): Owner | undefined {
  const registered = hub.registrations.byDevice(deviceNo);
  if (!registered?.stored.isSecure) return undefined;
  if (isSame(registered.stored.token, token)) return { registered, path: undefined };
  const observation = hub.registrations.observation(token);
  return observation?.deviceNo === deviceNo ? { registered, path: observation.path } : undefined;
}

function byTokenOnly(hub: LwM2mHub, token: Uint8Array): Owner | undefined {
  const registered = hub.registrations.byToken(token);
  if (registered) return registered.stored.isSecure ? undefined : { registered, path: undefined };
  const observation = hub.registrations.observation(token);
  const owner = observation && hub.registrations.byDevice(observation.deviceNo);
  return owner && !owner.stored.isSecure ? { registered: owner, path: observation.path } : undefined;
}

function isToken(view: MessageView, token: Uint8Array): boolean {
  if (view.tokenEnd - TOKEN_START !== token.length) return false;
  for (let at = 0; at < token.length; at++) if (view.bytes[TOKEN_START + at] !== token[at]) return false;
  return true;
}
const isSame = (one: Uint8Array, other: Uint8Array) =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);
