import type { Clock } from "../../platform/clock";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Device } from "../devices/device";
import type { DeviceLink } from "../devices/device-link";
import type { TraceSink } from "../devices/trace-sink";
import type { CommandParas } from "./command";
import { MAX_MID, nextMid } from "./command-target";

/** What the platform itself wants of a connected device. `paras` may hold secrets. */
export type PlatformRequest = { readonly serviceId: string; readonly method: string; readonly paras: CommandParas };
export type PlatformAnswer =
  | { readonly kind: "answered"; readonly errcode: number; readonly body: CommandParas | undefined }
  /** It was not sent: no connection, or the device listens on no command topic. */
  | { readonly kind: "unreachable" }
  /** It was sent; what the device made of it is unknown. */
  | { readonly kind: "silent" | "connectionLost" };

export interface PlatformRequests {
  isConnected(deviceNo: number): boolean;
  /**
   * Sends it as a command, at most once, and resolves with the answer; never rejects. Unlike a command it is nobody's:
   * it is not stored (nor in a session of MQTT), not shown and not pushed, and ends with the connection.
   */
  ask(device: Pick<Device, "no" | "id">, request: PlatformRequest, timeoutMs: number): Promise<PlatformAnswer>;
}

type Parts = {
  readonly links: readonly DeviceLink[];
  /** Whether a command of the device has this mid. */
  readonly isMidOpen: (deviceNo: number, mid: number) => boolean;
  readonly clock: Pick<Clock, "after">;
  readonly ids: Ids;
  readonly log: Log;
  readonly trace: TraceSink;
};

// Commands count up from 1, these go round in the upper half, from a random start: a late answer hits nothing new.
const LOWEST_MID = 0x8000;
const PLACES = MAX_MID - LOWEST_MID + 1;

export function platformRequests({ links, isMidOpen, clock, ids, log, trace }: Parts) {
  const open = new Map<number, Map<number, (answer: PlatformAnswer) => void>>();
  let last: number | undefined;

  const isOpen = (deviceNo: number, mid: number) => open.get(deviceNo)?.has(mid) ?? false;

  function takeMid(deviceNo: number): number | undefined {
    const isTaken = (mid: number) => isOpen(deviceNo, mid) || isMidOpen(deviceNo, mid);
    last ??= Number.parseInt(ids.next().slice(0, 4), 16) % PLACES || 0;
    const from = last;
    for (let step = 1; step <= PLACES; step++) {
      const mid = LOWEST_MID + ((from + step) % PLACES);
      if (isTaken(mid)) continue;
      last = mid - LOWEST_MID;
      return mid;
    }
    return nextMid(0, isTaken);
  }

  function settle(deviceNo: number, mid: number, answer: PlatformAnswer): boolean {
    const waiting = open.get(deviceNo);
    const resolve = waiting?.get(mid);
    if (!waiting || !resolve) return false;
    waiting.delete(mid);
    if (waiting.size === 0) open.delete(deviceNo);
    resolve(answer);
    return true;
  }

  const requests: PlatformRequests = {
    isConnected: (deviceNo) => links.some((it) => it.isConnected(deviceNo)),

    async ask(device, { serviceId, method, paras }, timeoutMs) {
      const link = links.find((it) => it.isConnected(device.no));
      const mid = link && takeMid(device.no);
      if (!link || mid === undefined) return { kind: "unreachable" };
      const { promise, resolve } = Promise.withResolvers<PlatformAnswer>();
      open.set(device.no, (open.get(device.no) ?? new Map()).set(mid, resolve));
      const cancel = clock.after(timeoutMs, () => settle(device.no, mid, { kind: "silent" }));
      const message = { mid, serviceId, method, paras, deviceId: device.id, atMostOnce: true };
      const outcome = await link
        .sendCommand(device.no, message, () => {})
        .catch((error: unknown) => {
          log.error("platform_request_failed", { deviceId: device.id, serviceId, method, error });
          return "unreachable" as const;
        });
      if (outcome === "unreachable") settle(device.no, mid, { kind: "unreachable" });
      const answer = await promise;
      cancel();
      trace.record({
        deviceNo: device.no,
        kind: "command",
        outcome: answer.kind === "answered" && answer.errcode === 0 ? "succeeded" : "failed",
        reason: reasonOf(answer),
        detail: `${serviceId} ${method} mid ${mid}`,
      });
      return answer;
    },
  };

  return {
    requests,
    isOpen,
    /** True when the mid was one of these. */
    answered: (deviceNo: number, mid: number, errcode: number, body: CommandParas | undefined): boolean =>
      settle(deviceNo, mid, { kind: "answered", errcode, body }),
    connectionLost(deviceNo: number): void {
      for (const mid of [...(open.get(deviceNo)?.keys() ?? [])]) settle(deviceNo, mid, { kind: "connectionLost" });
    },
  };
}

function reasonOf(answer: PlatformAnswer): string {
  switch (answer.kind) {
    case "answered":
      return answer.errcode === 0 ? "executed" : "refused_by_device";
    case "unreachable":
      return "unreachable";
    case "silent":
      return "no_answer";
    case "connectionLost":
      return "connection_lost";
    default:
      return answer satisfies never;
  }
}
