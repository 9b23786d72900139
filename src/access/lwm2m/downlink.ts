import type { CloudReq, Encoded } from "../../capabilities/codecs/codec";
import type {
  DownlinkCommand,
  DownlinkOutcome,
  DownlinkTransmission,
  PreparedDownlink,
  SleepingDeviceLink,
} from "../../capabilities/devices/device-link";
import { isSuccess, renderCode } from "../../wire/coap";
import { CONTENT_FORMAT, pathSegments } from "../../wire/lwm2m";
import type { OutgoingRequest } from "../coap/coap-endpoint";
import type { Peer } from "../datagram/peer";
import { isAwake, runningRegistration } from "./awake";
import type { LwM2mHub } from "./hub";
import type { Registered } from "./registered";
import { DOWNLINK_PATH } from "./uplink-paths";

/** How commands reach devices that sleep (nb-iot.md 4). */
export function sleepingDeviceLink(hub: LwM2mHub): SleepingDeviceLink {
  return {
    isRegistered: (deviceNo) => runningRegistration(hub, deviceNo) !== undefined,
    /**
     * Also a device that names no queue mode is taken for asleep when it was not heard for a while: modules register as
     * "U" and go to power saving all the same, and a command that meets a deaf device is lost.
     */
    isListening(deviceNo) {
      const registered = runningRegistration(hub, deviceNo);
      return registered !== undefined && isAwake(hub, registered);
    },

    async prepare(deviceNo, command) {
      const registered = runningRegistration(hub, deviceNo);
      if (!registered) return { kind: "unreachable" };
      registered.busy++;
      try {
        return toDatagram(hub, registered, await encode(hub, registered, command));
      } catch (error) {
        hub.log.error("lwm2m_command_failed", { deviceNo, error });
        return { kind: "notEncodable", reason: "fault", detail: "" };
      } finally {
        registered.busy--;
      }
    },

    async transmit(deviceNo, datagram, options) {
      const since = hub.clock.monotonic();
      const way = await wayTo(hub, deviceNo, options);
      if (way === "aborted") return { kind: "cancelled" };
      const giveUpAfterMs = options.giveUpAfterMs - (hub.clock.monotonic() - since);
      if (!way || giveUpAfterMs <= 0) return { kind: "noAcknowledgement" };
      way.registered.busy++;
      try {
        return await send(hub, way.peer, datagram, { ...options, giveUpAfterMs });
      } finally {
        way.registered.busy--;
      }
    },
  };
}

function encode(hub: LwM2mHub, { live }: Registered, command: DownlinkCommand): Encoded | Promise<Encoded> {
  const { serviceId, method: cmd, paras, mid, hasMore } = command;
  const productNo = live.product?.product.no;
  if (productNo === undefined || !hub.codecs.has(productNo))
    return { kind: "failed", reason: "codec_missing", detail: "the product has no codec" };
  const message: CloudReq = { msgType: "cloudReq", serviceId, cmd, paras, mid, hasMore: hasMore ? 1 : 0 };
  return hub.codecs.encode(productNo, message);
}

function toDatagram(hub: LwM2mHub, registered: Registered, encoded: Encoded): PreparedDownlink {
  if (encoded.kind === "failed") return { kind: "notEncodable", reason: encoded.reason, detail: encoded.detail };
  if (encoded.kind === "nothing" || encoded.bytes.length === 0)
    return { kind: "notEncodable", reason: "codec_empty", detail: "the codec gave nothing" };
  const { maxDownlinkBytes } = hub.settings;
  if (encoded.bytes.length > maxDownlinkBytes)
    return { kind: "notEncodable", reason: "payload_too_large", detail: `over ${maxDownlinkBytes} bytes` };
  return { kind: "ready", datagram: hub.coap.prepare(hub.peerOf(registered), downlink(registered, encoded.bytes)) };
}

/** Write to object 19, or a POST of the private dialect. Confirmable: devices answer nothing else. */
export function downlink({ stored }: Registered, payload: Uint8Array): OutgoingRequest {
  if (stored.style === "tup") return { method: "post", path: ["t", "d"], payload };
  return {
    method: "put",
    path: pathSegments(DOWNLINK_PATH, stored.rootPath),
    contentFormat: CONTENT_FORMAT.opaque,
    payload,
  };
}

/** What `prepare` made, to a device that is there. */
export async function send(
  hub: LwM2mHub,
  peer: Peer,
  datagram: Uint8Array,
  options: DownlinkTransmission,
): Promise<DownlinkOutcome> {
  // An empty ACK already says that the module has it; the response proper may take its time.
  const acknowledged = Promise.withResolvers<DownlinkOutcome>();
  const outcome = hub.coap.transmit(peer, datagram, {
    ...options,
    // A little later: when the ACK has the response in it, that one counts.
    acknowledged: () => void hub.clock.after(0, () => acknowledged.resolve({ kind: "acknowledged" })),
  });
  const ended = outcome.then((it): DownlinkOutcome => {
    hub.counters.downlink[it.kind].add();
    switch (it.kind) {
      case "response":
        return isSuccess(it.response.code)
          ? { kind: "acknowledged" }
          : { kind: "refused", detail: renderCode(it.response.code) };
      case "reset":
        return { kind: "refused", detail: "reset" };
      case "noResponse":
        return { kind: "acknowledged" };
      case "noAcknowledgement":
        return { kind: "noAcknowledgement" };
      case "failed":
        // Too much is under way: nothing was sent, the same bytes go out at the next contact.
        return it.reason === "tooManyOpen" ? { kind: "cancelled" } : { kind: "refused", detail: it.reason };
      case "cancelled":
        return { kind: "cancelled" };
      default:
        return it satisfies never;
    }
  });
  return Promise.race([ended, acknowledged.promise]);
}

/** Waits until the device can be reached: after a restart its session may be gone, and it comes back with a new one. */
async function wayTo(
  hub: LwM2mHub,
  deviceNo: number,
  { giveUpAfterMs, signal }: DownlinkTransmission,
): Promise<{ registered: Registered; peer: Peer } | "aborted" | undefined> {
  const deadline = hub.clock.monotonic() + giveUpAfterMs;
  for (;;) {
    const registered = hub.isStopping ? undefined : hub.registrations.byDevice(deviceNo);
    const peer = registered && hub.peerOf(registered);
    if (registered && peer) return { registered, peer };
    const waitMs = deadline - hub.clock.monotonic();
    if (signal?.aborted) return "aborted";
    if (waitMs <= 0) return undefined;
    const waiting = new AbortController();
    const stop = signal ? AbortSignal.any([signal, waiting.signal]) : waiting.signal;
    const forget = hub.registrations.onBound(deviceNo, () => waiting.abort());
    await hub.clock.sleep(waitMs, stop);
    forget();
  }
}
