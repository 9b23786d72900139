/**
 * Life of the wish for one property (platform.md 9). Pure: the service feeds it facts, stores `next`, then tells the
 * application. Writes are idempotent, so one that may have arrived is simply sent again.
 */
export type DesiredDelivery =
  /** `tries`: so often it was sent, and nobody answered. */
  | { readonly state: "waiting"; readonly tries: number }
  | { readonly state: "sending"; readonly tries: number } // this try included
  | { readonly state: "delivered"; readonly atMs: number }
  | { readonly state: "failed"; readonly atMs: number; readonly reason: string };

/** Outcomes are those of the value that was sent: a newer one may wait by then. */
export type DesiredEvent =
  | { readonly type: "changed" } // another value, or the same once more
  /** It goes out now; also what an ended process has left as being sent. */
  | { readonly type: "claimed" }
  | { readonly type: "delivered"; readonly atMs: number }
  /** The device says no, or it cannot be said to the device. */
  | { readonly type: "refused"; readonly atMs: number; readonly reason: string }
  | { readonly type: "unanswered"; readonly atMs: number; readonly maxTries: number }
  /** It never went out: no registration any more, the platform stops. */
  | { readonly type: "interrupted" };

export type DesiredStep = { readonly next: DesiredDelivery; readonly notice: "DELIVERED" | "FAILED" | undefined };

export const NEW_DESIRE: DesiredDelivery = { state: "waiting", tries: 0 };

export const isOpen = ({ state }: DesiredDelivery): boolean => state === "waiting" || state === "sending";

export function step(from: DesiredDelivery, event: DesiredEvent): DesiredStep {
  const isSent = from.state === "sending";
  switch (event.type) {
    case "changed":
      return to(NEW_DESIRE);
    case "claimed":
      return isOpen(from) && "tries" in from ? to({ state: "sending", tries: from.tries + 1 }) : to(from);
    case "delivered":
      return { next: isSent ? { state: "delivered", atMs: event.atMs } : from, notice: "DELIVERED" };
    case "refused":
      return { next: isSent ? failed(event.atMs, event.reason) : from, notice: "FAILED" };
    case "unanswered":
      if (!isSent) return to(from); // a newer value takes its place
      return from.tries < event.maxTries
        ? to({ state: "waiting", tries: from.tries })
        : { next: failed(event.atMs, "no_answer"), notice: "FAILED" };
    case "interrupted":
      return isSent ? to({ state: "waiting", tries: from.tries - 1 }) : to(from);
    default:
      return event satisfies never;
  }
}

const to = (next: DesiredDelivery): DesiredStep => ({ next, notice: undefined });
const failed = (atMs: number, reason: string): DesiredDelivery => ({ state: "failed", atMs, reason });
