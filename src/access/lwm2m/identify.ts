import type { EndpointLogin } from "../../capabilities/devices/device-service";
import { nodeIdCandidates } from "../../wire/lwm2m";
import type { Peer } from "../datagram/peer";
import type { LwM2mHub } from "./hub";

export type Identified = { readonly kind: "device"; readonly deviceNo: number } | { readonly kind: "refused" };
/** Closed: reasons of traces. The device hears only that it may not. */
type RegistrationRefusal =
  | "endpoint_unknown"
  | "endpoint_ambiguous"
  | "endpoint_of_another_device"
  | "device_frozen"
  | "wrong_protocol"
  | "secure_device_on_plain_port";

/**
 * Which device registers: the one that its endpoint name means. On the secure port the session has proved who it is,
 * and the name must mean the same device (nb-iot.md 5).
 */
export function identify(hub: LwM2mHub, peer: Peer, endpoint: string): Identified {
  const login = hub.devices.loginByEndpoint(nodeIdCandidates(endpoint));
  const reason = refusalOf(login, peer);
  if (login.kind === "found" && reason === undefined) return { kind: "device", deviceNo: login.no };
  const known = login.kind === "found" ? login.no : peer.deviceNo;
  hub.trace.record({
    ...(known === undefined ? { claimedId: endpoint } : { deviceNo: known }),
    kind: "login",
    outcome: "failed",
    reason: reason ?? "endpoint_unknown",
    detail: `registration of ${endpoint} from ${peer.address}`,
  });
  return { kind: "refused" };
}

function refusalOf(login: EndpointLogin, { deviceNo }: Peer): RegistrationRefusal | undefined {
  if (login.kind !== "found") return login.kind === "ambiguous" ? "endpoint_ambiguous" : "endpoint_unknown";
  if (deviceNo !== undefined && deviceNo !== login.no) return "endpoint_of_another_device";
  if (deviceNo === undefined && login.isSecure) return "secure_device_on_plain_port";
  if (login.protocolType !== "CoAP" && login.protocolType !== "LWM2M") return "wrong_protocol";
  return login.muted ? "device_frozen" : undefined;
}
