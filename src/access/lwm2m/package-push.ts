import type { PackagePush } from "../../capabilities/upgrades/object5/package-push";
import { isSuccess, renderCode } from "../../wire/coap";
import { CONTENT_FORMAT, pathSegments } from "../../wire/lwm2m";
import { runningRegistration } from "./awake";
import type { LwM2mHub } from "./hub";

/** A resource of a device, written in blocks that are fetched as they are sent (RFC 7959 §2.5). */
export function packagePush(hub: LwM2mHub): PackagePush {
  return {
    async push(deviceNo, path, body, start, signal) {
      const registered = hub.isStopping ? undefined : runningRegistration(hub, deviceNo);
      const peer = registered && hub.peerOf(registered);
      if (!registered || !peer) return { kind: "unreachable" };
      registered.busy++;
      try {
        const outcome = await hub.coap.request(
          peer,
          {
            ...{ method: "put", contentFormat: CONTENT_FORMAT.opaque, source: { body, start } },
            path: pathSegments(path, registered.stored.rootPath),
          },
          { signal: AbortSignal.any([signal, registered.over.signal]) }, // one that has restarted knows nothing of it
        );
        hub.counters.downlink[outcome.kind].add();
        switch (outcome.kind) {
          case "response": {
            const { code, payload } = outcome.response;
            if (isSuccess(code)) return { kind: "done" };
            const detail = payload.length > 0 ? new TextDecoder().decode(payload.subarray(0, MAX_DETAIL)) : undefined;
            return { kind: "refused", code: renderCode(code), detail };
          }
          case "reset":
            return { kind: "refused", code: "reset", detail: undefined };
          case "failed":
            if (outcome.reason === "tooManyOpen") return { kind: "unreachable" };
            return { kind: "brokenOff", why: outcome.reason };
          default:
            return { kind: "brokenOff", why: outcome.kind };
        }
      } finally {
        registered.busy--;
      }
    },
  };
}
const MAX_DETAIL = 200;
