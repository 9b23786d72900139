import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Listenable } from "../../platform/events";
import type { Application, ApplicationEvents } from "./application";
import { callWindow } from "./call-window";

/** Limits the calls of each application; a refused call does not count. */
export interface CallThrottle {
  /** Counts one call. Throws THROTTLED {limit, windowMs}. */
  take(application: Application): void;
}

export type CallThrottleSettings = {
  /** Calls per window of an application without a limit of its own. The vendor's 100 stops honest clients (decided: high). */
  readonly callsPerMinute: number;
  readonly callWindowMs: number;
};
export const CALL_THROTTLE_DEFAULTS: CallThrottleSettings = { callsPerMinute: 600_000, callWindowMs: 60_000 };

type Parts = { clock: Clock; events: Listenable<ApplicationEvents>; settings?: CallThrottleSettings };

export function callThrottle({ clock, events, settings = CALL_THROTTLE_DEFAULTS }: Parts): CallThrottle {
  const windows = new Map<number, ReturnType<typeof callWindow>>(); // one per application that called
  events.on("applicationDeleted", ({ application }) => windows.delete(application.no));
  return {
    take({ no, callsPerMinute = settings.callsPerMinute }) {
      let window = windows.get(no);
      if (!window) {
        window = callWindow(settings.callWindowMs);
        windows.set(no, window);
      }
      if (!window.take(clock.monotonic(), callsPerMinute))
        throw new DomainError("THROTTLED", { limit: callsPerMinute, windowMs: settings.callWindowMs });
    },
  };
}
