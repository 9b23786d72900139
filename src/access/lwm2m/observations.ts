import type { ResourceAnswer } from "../../capabilities/resources/resource-link";
import { OBSERVE_DEREGISTER, OBSERVE_REGISTER } from "../../wire/coap";
import { CONTENT_FORMAT, type LwM2mPath, pathSegments, renderPath } from "../../wire/lwm2m";
import type { RequestOutcome } from "../coap/coap-endpoint";
import { heard, isObserveAnswer, takeReportBytes } from "./handle-notification";
import type { LwM2mHub } from "./hub";
import type { Registered } from "./registered";
import { toAnswer } from "./resource-answers";
import type { UplinkAcks } from "./uplink-acks";
import { hasDataObject, UPLINK_PATH } from "./uplink-paths";

const TOKEN_BYTES = 8;
export const newToken = (hub: Pick<LwM2mHub, "randomBytes">) => hub.randomBytes(TOKEN_BYTES);

/**
 * After a registration: the observation that carries the reports, once (a second one would unbind a device of the
 * private dialect), then those of operators. The device is heard when that is done, so that what waits for it comes
 * behind.
 */
export async function afterRegistration(hub: LwM2mHub, acks: UplinkAcks, registered: Registered): Promise<void> {
  if (!hasDataObject(registered.stored)) {
    heard(hub, registered, false);
  } else if (await observeReports(hub, acks, registered)) {
    heard(hub, registered, false);
  }
  for (const path of hub.resources.wantedObservations(registered.stored.deviceNo)) {
    if (hub.registrations.byDevice(registered.stored.deviceNo) !== registered) return; // it has registered again
    await observePath(hub, registered, path);
  }
}

/** True when the device has answered, whatever it said. A client that never answers is let be. */
export async function observeReports(hub: LwM2mHub, acks: UplinkAcks, registered: Registered): Promise<boolean> {
  const { stored } = registered;
  const peer = hub.peerOf(registered);
  if (!peer) return false;
  const path = stored.style === "tup" ? ["t", "d"] : pathSegments(UPLINK_PATH, stored.rootPath);
  const outcome = await hub.coap.request(
    peer,
    {
      method: "get",
      path,
      observe: OBSERVE_REGISTER,
      token: stored.token,
      // The private dialect knows no Accept, and wants Observe to come first.
      ...(stored.style === "lwm2m" && { accept: CONTENT_FORMAT.opaque }),
    },
    { signal: registered.over.signal },
  );
  hub.counters.downlink[outcome.kind].add();
  const { deviceNo } = stored;
  if (outcome.kind !== "response") {
    if (!registered.over.signal.aborted) traceObservation(hub, deviceNo, outcome.kind);
    return outcome.kind === "reset";
  }
  const { code, payload } = outcome.response;
  const agreed = isObserveAnswer(code);
  if (!agreed) traceObservation(hub, deviceNo, toAnswerCode(outcome));
  await hub.registrations.setObserved(registered, agreed);
  // One byte 00 stands for "nothing queued" (nb-iot.md 2.1); anything else is the first report.
  const isReport = agreed && payload.length > 0 && !(payload.length === 1 && payload[0] === 0);
  if (isReport) takeReportBytes(hub, acks, registered, acks.open(registered, peer, -1), payload, undefined);
  return true;
}

const toAnswerCode = (outcome: Extract<RequestOutcome, { kind: "response" }>) =>
  `${outcome.response.code >> 5}.${String(outcome.response.code & 31).padStart(2, "0")}`;

function traceObservation(hub: LwM2mHub, deviceNo: number, detail: string): void {
  hub.trace.record({ deviceNo, kind: "subscribe", outcome: "failed", reason: "not_observed", detail });
}

/** Observes a resource for an operator; its value comes with the answer. */
export async function observePath(hub: LwM2mHub, registered: Registered, path: LwM2mPath): Promise<ResourceAnswer> {
  const { deviceNo, rootPath } = registered.stored;
  const peer = hub.peerOf(registered);
  if (!peer) return { kind: "unreachable" };
  const known = hub.registrations.observationsOf(deviceNo);
  const before = known.find((it) => renderPath(it.path) === renderPath(path));
  if (!before && known.length >= hub.settings.maxObservations)
    return { kind: "refused", code: "limit", detail: `${known.length} observations are open` };
  const token = before?.token ?? newToken(hub);
  // Stored first: a notification may overtake the answer.
  if (!before) await hub.registrations.addObservation({ token, deviceNo, path });
  const { signal } = registered.over;
  const request = { method: "get", path: pathSegments(path, rootPath), observe: OBSERVE_REGISTER, token } as const;
  const outcome = await hub.coap.request(peer, request, { signal });
  hub.counters.downlink[outcome.kind].add();
  const answer = toAnswer(outcome, path, rootPath);
  const isObserved = outcome.kind === "response" && outcome.response.observe !== undefined && answer.kind === "done";
  if (!isObserved) {
    if (signal.aborted) return { kind: "noAnswer" }; // the path may be observed anew, under another token
    await hub.registrations.removeObservation(deviceNo, path);
    return answer.kind === "done" ? { kind: "refused", code: "not observable", detail: undefined } : answer;
  }
  registered.newest.delete(renderPath(path));
  if (answer.node) hub.resources.observed(deviceNo, path, answer.node, hub.clock.now());
  return answer;
}

/** Tells the device that nobody listens any more; from then on it gets a RST for what it still sends. */
export async function cancelObservation(
  hub: LwM2mHub,
  registered: Registered,
  path: LwM2mPath,
): Promise<ResourceAnswer> {
  const { deviceNo, rootPath } = registered.stored;
  const known = hub.registrations.observationsOf(deviceNo).find((it) => renderPath(it.path) === renderPath(path));
  if (!known) return { kind: "done" };
  await hub.registrations.removeObservation(deviceNo, path);
  const peer = hub.peerOf(registered);
  if (!peer) return { kind: "done" };
  const outcome = await hub.coap.request(peer, {
    method: "get",
    path: pathSegments(path, rootPath),
    observe: OBSERVE_DEREGISTER,
    token: known.token,
  });
  hub.counters.downlink[outcome.kind].add();
  return toAnswer(outcome, path, rootPath);
}
