/** Joins a device's upgrade machines, PCP and object 5, to its sockets, its clock and its objects. */
import type { Clock } from "../../platform/clock";
import { CODES, CONTENT_FORMATS } from "../../wire/coap";
import { decodeNode, type LwM2mPath, type LwM2mSample, type ResourceNode, renderPath } from "../../wire/lwm2m";
import { decodePlatformMessage, encodeDeviceMessage } from "../../wire/pcp";
import { DELIVERY, type UpgradeSettings } from "./behaviour";
import type { FetchedPiece } from "./coap-pieces";
import {
  type FirmwareAction,
  type FirmwareEvent,
  firmwareDueAtMs,
  firmwareState,
  isMute,
  newFirmwareObject,
  stepFirmwareObject,
} from "./firmware-object";
import { createFlash } from "./flash";
import { newPcpDevice, type PcpAction, type PcpEvent, pcpDueAtMs, stepPcpDevice } from "./pcp-device";

export type UpgradeReports = {
  /** `sha256` (hex) of the very bytes that were installed. */
  installed(way: "pcp" | "object5" | "mqtt", version: string, sha256: string): void;
};

type Parts = {
  readonly settings: UpgradeSettings;
  readonly version: string;
  readonly clock: Clock;
  /** The way of reports. */
  readonly send: (payload: Uint8Array) => void;
  /** Never rejects. */
  readonly fetchPiece: (url: string, offset: number) => Promise<FetchedPiece>;
  /** All but the flash is lost; `started` is called when the device is registered again. */
  readonly restart: (offMs: number) => void;
  readonly changed: (path: LwM2mPath) => void;
  readonly on: UpgradeReports;
};

export type Lwm2mUpgrade = ReturnType<typeof createLwm2mUpgrade>;

/** What the values of these are is known here. */
export const UPGRADE_RESOURCES: readonly string[] = ["/3/0/3", "/4/0/2", "/4/0/8", "/4/0/11"];

export function createLwm2mUpgrade({ settings, version, clock, send, fetchPiece, restart, changed, on }: Parts) {
  let pcp = newPcpDevice(version);
  let firmware = newFirmwareObject(version);
  const pcpFlash = createFlash();
  const firmwareFlash = createFlash();
  let cancelTimer = () => {};
  let isOver = false;
  /** The answer to the request that is being looked at. */
  let answer: "changed" | "methodNotAllowed" | undefined;

  function feedPcp(event: PcpEvent): void {
    if (isOver) return;
    const { next, actions } = stepPcpDevice(pcp, event, settings);
    pcp = next;
    schedule();
    actions.forEach(doPcp);
  }

  function feedFirmware(event: FirmwareEvent): void {
    if (isOver) return;
    const { next, actions } = stepFirmwareObject(firmware, event, settings);
    firmware = next;
    schedule();
    actions.forEach(doFirmware);
  }

  function doPcp(action: PcpAction): void {
    switch (action.type) {
      case "send":
        send(encodeDeviceMessage(action.message));
        break;
      case "store":
        pcpFlash.store(action.offset, action.data);
        break;
      case "erase":
        pcpFlash.erase();
        break;
      case "installed":
        on.installed("pcp", action.version, pcpFlash.sha256());
        break;
      case "restart":
        restart(action.offMs);
        break;
      default:
        action satisfies never;
    }
  }

  function doFirmware(action: FirmwareAction): void {
    switch (action.type) {
      case "answer":
        answer = action.code;
        break;
      case "fetch":
        void fetchNext(action.url, action.offset);
        break;
      case "store":
        firmwareFlash.store(action.offset, action.data);
        break;
      case "erase":
        firmwareFlash.erase();
        break;
      case "changed":
        changed([5, 0, action.resource]);
        break;
      case "installed":
        on.installed("object5", action.version, firmwareFlash.sha256());
        break;
      case "restart":
        restart(action.offMs);
        break;
      default:
        action satisfies never;
    }
  }

  async function fetchNext(url: string, offset: number): Promise<void> {
    const fetched = await fetchPiece(url, offset);
    const nowMs = clock.monotonic();
    if ("cause" in fetched) feedFirmware({ type: "fetchFailed", url, cause: fetched.cause, nowMs });
    else feedFirmware({ type: "piece", piece: fetched, nowMs });
  }

  function schedule(): void {
    cancelTimer();
    const dueAtMs = Math.min(
      pcpDueAtMs(pcp) ?? Number.POSITIVE_INFINITY,
      firmwareDueAtMs(firmware) ?? Number.POSITIVE_INFINITY,
    );
    if (!Number.isFinite(dueAtMs)) return;
    cancelTimer = clock.after(Math.max(0, dueAtMs - clock.monotonic()), () => {
      const nowMs = Math.max(clock.monotonic(), dueAtMs); // a timer may come a little before its time
      feedPcp({ type: "tick", nowMs });
      feedFirmware({ type: "tick", nowMs });
    });
  }

  return {
    /** True: it belongs to PCP, and is no command. */
    take(payload: Uint8Array): boolean {
      const decoded = decodePlatformMessage(payload);
      if (decoded.kind === "message") feedPcp({ type: "received", message: decoded.message, nowMs: clock.monotonic() });
      return decoded.kind !== "notPcp";
    },
    /** Not even a read of this is answered. */
    isMute: ([object]: LwM2mPath): boolean =>
      (object === 3 || object === 4 || object === 5) && isMute(firmware, settings),
    /** Of `UPGRADE_RESOURCES`, and of object 5. */
    samples(): LwM2mSample[] {
      const { cellId, rsrpDbm, sinrDb } = settings.behaviour.radio;
      const { protocols = [0, 1, 2, 3], delivery = DELIVERY.both } = settings;
      const { version: running, uri, result, offered } = firmware.flash;
      return [
        text([3, 0, 3], running),
        ...(rsrpDbm === undefined ? [] : [whole([4, 0, 2], rsrpDbm)]),
        ...(cellId === undefined ? [] : [whole([4, 0, 8], cellId)]),
        ...(sinrDb === undefined ? [] : [whole([4, 0, 11], sinrDb)]),
        text([5, 0, 1], uri),
        whole([5, 0, 3], firmwareState(firmware)),
        whole([5, 0, 5], result),
        ...(offered === undefined ? [] : [text([5, 0, 7], offered)]),
        ...protocols.map((protocol, index) => whole([5, 0, 8, index], protocol)),
        whole([5, 0, 9], delivery),
      ];
    },
    /** To object 5. The code of the response; undefined: silence. Throws `MalformedError`. */
    write(path: LwM2mPath, contentFormat: number, payload: Uint8Array): number | undefined {
      const name = renderPath(path);
      if (name !== "/5/0/0" && name !== "/5/0/1") return CODES.methodNotAllowed;
      const isPackage = name === "/5/0/0";
      const value = writtenValue(path, contentFormat, payload, isPackage ? "opaque" : "string");
      answer = undefined;
      if (value instanceof Uint8Array) feedFirmware({ type: "packageWritten", data: value });
      else if (value !== undefined) feedFirmware({ type: "uriWritten", uri: value, nowMs: clock.monotonic() });
      else return CODES.badRequest;
      return answer && CODES[answer];
    },
    /** Of `/5/0/2`. The code of the response; undefined: silence. */
    execute(): number | undefined {
      answer = undefined;
      feedFirmware({ type: "executed", nowMs: clock.monotonic() });
      return answer && CODES[answer];
    },
    stopped(): void {
      feedPcp({ type: "stopped" });
      feedFirmware({ type: "stopped" });
    },
    started(): void {
      feedPcp({ type: "started", nowMs: clock.monotonic() });
      feedFirmware({ type: "started", nowMs: clock.monotonic() });
    },
    end(): void {
      isOver = true;
      cancelTimer();
    },
  };
}

const text = (path: LwM2mPath, value: string): LwM2mSample => ({ path, value: { type: "string", value } });
const whole = (path: LwM2mPath, value: number): LwM2mSample => ({ path, value: { type: "integer", value } });

/** The one value of it, in whatever format; a URI of at most 255 bytes (TS 1.0.2 E.6). */
function writtenValue(
  path: LwM2mPath,
  contentFormat: number,
  payload: Uint8Array,
  type: "opaque" | "string",
): Uint8Array | string | undefined {
  if (type === "opaque" && contentFormat === CONTENT_FORMATS.opaque) return payload;
  const node = decodeNode(contentFormat, path, payload, () => type) as ResourceNode;
  if (!("value" in node) || node.value.type !== type) return undefined;
  const { value } = node.value;
  return typeof value === "string" && Buffer.byteLength(value) > 255 ? undefined : (value as string | Uint8Array);
}
