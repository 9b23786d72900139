/** Client side of Observe (RFC 7641 §3). Pure: time and randomness come with the events. */
import { isSuccess } from "./codes";

export const OBSERVE_REGISTER = 0;
export const OBSERVE_DEREGISTER = 1;
const HALF_OF_SEQUENCE = 2 ** 23;
/** No notification is so late that its number could still mean anything (§3.4). */
const REORDER_WINDOW_MS = 128_000;
/** What a response without Max-Age has (RFC 7252 §5.10.5). */
export const DEFAULT_MAX_AGE_SECONDS = 60;
/** §3.3.1: silence is silence only so long after Max-Age, spread so that not all clients come back at once. */
const REREGISTER_MIN_MS = 5_000;
const REREGISTER_SPREAD_MS = 10_000;

export type Sequenced = { readonly sequence: number; readonly atMs: number };

/** §3.4: 24 bits that wrap; the newer one is less than half of the circle ahead, or long after. */
export function isFresher(last: Sequenced, next: Sequenced): boolean {
  const { sequence: one } = last;
  const { sequence: two } = next;
  return (
    (one < two && two - one < HALF_OF_SEQUENCE) ||
    (one > two && one - two > HALF_OF_SEQUENCE) ||
    next.atMs > last.atMs + REORDER_WINDOW_MS
  );
}

/** `registering` until the first response, also when it is tried again. */
export type Observation =
  | { readonly state: "registering"; readonly last?: Sequenced }
  | { readonly state: "observing"; readonly last: Sequenced; readonly staleAtMs: number }
  | { readonly state: "ended"; readonly reason: "notObservable" | "error" | "cancelled" | "reset" };
export type ObserveEvent =
  /** The response to the registration or a notification. `observe` is the option's value, `random` in [0, 1). */
  | {
      readonly type: "response";
      readonly code: number;
      readonly observe: number | undefined;
      readonly maxAgeSeconds: number | undefined;
      readonly nowMs: number;
      readonly random: number;
    }
  | { readonly type: "tick"; readonly nowMs: number }
  | { readonly type: "reregister" | "cancelled" | "reset" };
export type ObserveEffect =
  | "deliver"
  /** GET with Observe 0, the same token and the same options as the first time. */
  | "register"
  /** The notification belongs to nothing any more: RST, if it was confirmable or not (§3.6). */
  | "reject";
export type ObserveStep = { readonly next: Observation; readonly effects: readonly ObserveEffect[] };

export const startObservation = (): ObserveStep => to({ state: "registering" }, "register");

export function stepObservation(from: Observation, event: ObserveEvent): ObserveStep {
  if (from.state === "ended") return event.type === "response" ? to(from, "reject") : to(from);
  switch (event.type) {
    case "response":
      return respond(from, event);
    case "tick": {
      // Not at once "ended": the device may have lost its observers, or only its way to us (§3.3.1).
      const isStale = from.state === "observing" && event.nowMs >= from.staleAtMs;
      return isStale ? to({ state: "registering", last: from.last }, "register") : to(from);
    }
    case "reregister":
      return to({ state: "registering", ...(from.last && { last: from.last }) }, "register");
    case "cancelled":
    case "reset":
      return to({ state: "ended", reason: event.type });
    default:
      return event satisfies never;
  }
}

function respond(
  from: Exclude<Observation, { state: "ended" }>,
  { code, observe, maxAgeSeconds, nowMs, random }: Extract<ObserveEvent, { type: "response" }>,
): ObserveStep {
  if (!isSuccess(code)) return to({ state: "ended", reason: "error" }, "deliver"); // §3.2
  if (observe === undefined) return to({ state: "ended", reason: "notObservable" }, "deliver");
  const last = { sequence: observe, atMs: nowMs };
  // A device that restarted counts from the beginning again, so the first response to a registration is always taken.
  if (from.state === "observing" && !isFresher(from.last, last)) return to(from);
  const maxAgeMs = (maxAgeSeconds ?? DEFAULT_MAX_AGE_SECONDS) * 1_000;
  const staleAtMs = nowMs + maxAgeMs + REREGISTER_MIN_MS + random * REREGISTER_SPREAD_MS;
  return to({ state: "observing", last, staleAtMs }, "deliver");
}

const to = (next: Observation, ...effects: ObserveEffect[]): ObserveStep => ({ next, effects });
