import { CODES } from "../../wire/coap";
import {
  type DeviceObjects,
  decodeDeviceObjects,
  LINK_LIMITS,
  parseRegistration,
  parseRegistrationUpdate,
  type Registration,
} from "../../wire/lwm2m";
import { MalformedError } from "../../wire/malformed-error";
import type { IncomingRequest, OutgoingResponse } from "../coap/coap-endpoint";
import type { Peer } from "../datagram/peer";
import { heard } from "./handle-notification";
import type { LwM2mHub } from "./hub";
import { identify } from "./identify";
import { afterRegistration, newToken } from "./observations";
import type { Registered } from "./registered";
import type { StoredRegistration } from "./registration-repository";
import { expiryOf } from "./registrations";
import type { UplinkAcks } from "./uplink-acks";

const LOCATION_BYTES = 8;
const NO_OBJECTS: DeviceObjects = { rootPath: "/", contentFormats: [], objects: [] };
const QUERY_LIMIT = 32;

/** POST /rd (OMA LwM2M TS 1.0.2 §5.3.1): 2.01 with the location, 4.00, 4.03 for whoever may not, 4.12 for a version. */
export async function handleRegister(
  hub: LwM2mHub,
  acks: UplinkAcks,
  peer: Peer,
  request: IncomingRequest,
): Promise<OutgoingResponse> {
  const asked = readRegistration(hub, peer, request);
  if (asked instanceof MalformedError) return malformed(hub, peer, asked);
  const { registration, objects } = asked;
  if (!registration.version.startsWith("1.")) {
    hub.counters.registration.refused.add();
    return { code: CODES.preconditionFailed, diagnostic: `LwM2M ${registration.version} is not served` };
  }
  const identified = identify(hub, peer, registration.endpoint);
  if (identified.kind === "refused") {
    hub.counters.registration.refused.add();
    return { code: CODES.forbidden };
  }
  const { lifetimeSeconds } = registration;
  const registered = await register(hub, peer, identified.deviceNo, {
    style: "lwm2m",
    endpoint: registration.endpoint,
    version: registration.version,
    binding: registration.binding,
    lifetimeSeconds,
    ...objects,
  });
  if (!registered) return { code: CODES.forbidden }; // deleted in this moment
  const { location } = registered.stored;
  return {
    code: CODES.created,
    locationPath: ["rd", location],
    sent: () => follow(hub, acks, registered),
  };
}

/** POST /t/r of the private dialect (nb-iot.md 2.2): 2.04, or 5.00 for whoever may not, which is all its modules know. */
export async function handleTupRegister(
  hub: LwM2mHub,
  acks: UplinkAcks,
  peer: Peer,
  request: IncomingRequest,
): Promise<OutgoingResponse> {
  const asked = readRegistration(hub, peer, { ...request, payload: new Uint8Array(0) });
  if (asked instanceof MalformedError) return malformed(hub, peer, asked);
  const identified = identify(hub, peer, asked.registration.endpoint);
  if (identified.kind === "refused") {
    hub.counters.registration.refused.add();
    return { code: CODES.internalServerError };
  }
  const registered = await register(hub, peer, identified.deviceNo, {
    style: "tup",
    endpoint: asked.registration.endpoint,
    version: "tup",
    binding: { transports: ["U"], queueMode: true },
    lifetimeSeconds: 0,
    ...NO_OBJECTS,
  });
  if (!registered) return { code: CODES.internalServerError };
  // At once: modules that wait longer than 4 s for the observation give the first report up.
  return { code: CODES.changed, sent: () => follow(hub, acks, registered) };
}

type Said = Pick<
  StoredRegistration,
  "style" | "endpoint" | "version" | "binding" | "lifetimeSeconds" | "rootPath" | "contentFormats" | "objects"
>;

async function register(hub: LwM2mHub, peer: Peer, deviceNo: number, said: Said): Promise<Registered | undefined> {
  const now = hub.clock.now();
  const stored: StoredRegistration = {
    ...said,
    deviceNo,
    location: Buffer.from(hub.randomBytes(LOCATION_BYTES)).toString("base64url"),
    isSecure: peer.deviceNo !== undefined,
    host: peer.address,
    port: peer.port,
    token: newToken(hub),
    observed: false,
    registeredAtMs: now,
    updatedAtMs: now,
    expiresAtMs: expiryOf(said.lifetimeSeconds, now),
  };
  const bound = hub.devices.seen(deviceNo); // the same commit
  const registered = await hub.registrations.register(stored, peer);
  await bound;
  if (!registered) return undefined;
  hub.counters.registration.registered.add();
  noteContact(hub, registered, peer);
  hub.trace.record({
    deviceNo,
    kind: "login",
    outcome: "succeeded",
    reason: stored.style === "tup" ? "registered_tup" : "registered",
    detail: `${stored.endpoint} from ${peer.address}, lifetime ${stored.lifetimeSeconds} s`,
  });
  return registered;
}

/** When it was last heard goes to telemetry; nobody waits for it. */
function noteContact(hub: LwM2mHub, { live }: Registered, peer: Peer): void {
  hub.ingest.report(live, [], NOBODY, 0, peer.enclose?.());
}
const NOBODY = { acknowledge() {}, abandon() {}, flush() {} };

function follow(hub: LwM2mHub, acks: UplinkAcks, registered: Registered): void {
  registered.busy++;
  afterRegistration(hub, acks, registered)
    .catch((error: unknown) =>
      hub.log.error("lwm2m_observation_failed", { deviceNo: registered.stored.deviceNo, error }),
    )
    .finally(() => registered.busy--);
}

/** POST /rd/{location} (§5.3.2): 2.04; 4.04 when it is not there (any more), and the device registers anew. */
export async function handleUpdate(
  hub: LwM2mHub,
  acks: UplinkAcks,
  peer: Peer,
  location: string,
  request: IncomingRequest,
): Promise<OutgoingResponse> {
  const registered = ownRegistration(hub, peer, location);
  if (!registered) return notFound(hub);
  try {
    const update = parseRegistrationUpdate(request.query.slice(0, QUERY_LIMIT));
    const objects = request.payload.length > 0 ? readObjects(hub, request) : {};
    const { smsNumber: _, ...changes } = update;
    hub.registrations.bind(registered, peer);
    await hub.registrations.update(registered, { ...changes, ...objects });
  } catch (error) {
    if (error instanceof MalformedError) return malformed(hub, peer, error);
    throw error;
  }
  hub.counters.registration.updated.add();
  noteContact(hub, registered, peer);
  return {
    code: CODES.changed,
    sent() {
      if (registered.stored.observed) heard(hub, registered, false);
      else follow(hub, acks, registered);
    },
  };
}

/** DELETE /rd/{location} (§5.3.3): 2.02. */
export async function handleDeregister(hub: LwM2mHub, peer: Peer, location: string): Promise<OutgoingResponse> {
  const registered = ownRegistration(hub, peer, location);
  if (!registered) return notFound(hub);
  noteContact(hub, registered, peer);
  const { deviceNo } = registered.stored;
  const left = hub.devices.left(deviceNo); // the same commit
  await hub.registrations.remove(deviceNo);
  await left;
  hub.counters.registration.deregistered.add();
  hub.trace.record({ deviceNo, kind: "connection", outcome: "succeeded", reason: "deregistered" });
  return { code: CODES.deleted };
}

/** A secure registration belongs to the session's device; any other to whoever knows its location. */
function ownRegistration(hub: LwM2mHub, peer: Peer, location: string): Registered | undefined {
  const registered = hub.registrations.byLocation(location);
  if (!registered || registered.live.deleted || hub.registrations.isExpired(registered)) return undefined;
  const { isSecure, deviceNo } = registered.stored;
  return (isSecure ? peer.deviceNo === deviceNo : peer.deviceNo === undefined) ? registered : undefined;
}

function readRegistration(
  hub: LwM2mHub,
  peer: Peer,
  request: IncomingRequest,
): { registration: Registration; objects: DeviceObjects } | MalformedError {
  const { defaultLifetimeS: defaultLifetimeSeconds } = hub.settings;
  try {
    const query = request.query.slice(0, QUERY_LIMIT);
    // LwM2M 1.1 §6.2.1: who has proved its identity need not repeat it.
    if (peer.deviceNo !== undefined && !query.some((it) => it.startsWith("ep="))) {
      const live = hub.devices.acquire(peer.deviceNo);
      if (live) {
        query.push(`ep=${live.nodeId}`);
        hub.devices.release(live);
      }
    }
    const registration = parseRegistration(query, { defaultLifetimeSeconds, maxEndpointBytes: 256 });
    return { registration, objects: request.payload.length > 0 ? readObjects(hub, request) : NO_OBJECTS };
  } catch (error) {
    if (error instanceof MalformedError) return error;
    throw error;
  }
}

const readObjects = (hub: LwM2mHub, { payload }: IncomingRequest): DeviceObjects =>
  decodeDeviceObjects(payload, { ...LINK_LIMITS, maxLinks: hub.settings.maxLinks });

function malformed(hub: LwM2mHub, peer: Peer, error: MalformedError): OutgoingResponse {
  hub.counters.registration.malformed.add();
  const who = peer.deviceNo === undefined ? { claimedId: peer.address } : { deviceNo: peer.deviceNo };
  hub.trace.record({
    ...who,
    kind: "login",
    outcome: "failed",
    reason: "registration_malformed",
    detail: error.message,
  });
  return { code: CODES.badRequest, diagnostic: error.message };
}

function notFound(hub: LwM2mHub): OutgoingResponse {
  hub.counters.registration.not_found.add();
  return { code: CODES.notFound };
}
