/**
 * Life of one command. Pure: the service feeds it facts, stores `next`, then tells the application. Two ways through it:
 * to a device with a connection (platform.md 7.4) it starts as ISSUING and knows no PENDING, EXPIRED, TIMEOUT; to a device
 * that sleeps (7.3) a cached one starts as PENDING, an immediate one as ISSUING, waiting in line.
 * `open`: the device may still acknowledge or answer.
 */
export type Delivery =
  | { readonly state: "PENDING" } // stored, waits for its device
  | { readonly state: "SENT"; readonly issued: number; readonly open: boolean } // issued 0: being handed over, in line
  | { readonly state: "DELIVERED"; readonly open: boolean }
  | { readonly state: End };
export type End = "SUCCESSFUL" | "FAILED" | "TIMEOUT" | "EXPIRED" | "CANCELED";

export type DeliveryEvent =
  | { readonly type: "acknowledged" }
  | { readonly type: "answered"; readonly ok: boolean }
  /** There is no way to the device. */
  | { readonly type: "unreachable" }
  /** Nobody waits for an answer any longer. */
  | { readonly type: "windowClosed" }
  // To a device with a connection
  /** The transport has it. */
  | { readonly type: "handedOver"; readonly answerExpected: boolean }
  /** The connection, or the process that had it, is gone. `held`: a kept session sends the command again. */
  | { readonly type: "connectionLost"; readonly held: boolean }
  // To a device that sleeps
  /** Its bytes are stored and leave now; after a restart: the same bytes once more. */
  | { readonly type: "issued" }
  /** The codec made nothing of it. */
  | { readonly type: "notEncodable" }
  /** The device has it and says no. */
  | { readonly type: "refused" }
  /** Its time for the acknowledgement is over. */
  | { readonly type: "unacknowledged" }
  | { readonly type: "expired" }
  | { readonly type: "cancelled" };

/** What the application is told, in this order. `failed`: it ended without an answer of the device. */
export type Notice = "sent" | "delivered" | "answered" | "failed";
export type Step = { readonly next: Delivery; readonly notices: readonly Notice[] };

export const PENDING: Delivery = { state: "PENDING" };
export const ISSUING: Delivery = { state: "SENT", issued: 0, open: true };

export const isOpen = (delivery: Delivery): boolean =>
  delivery.state === "PENDING" || ("open" in delivery && delivery.open);

export function step(from: Delivery, event: DeliveryEvent): Step {
  if (!isOpen(from)) return to(from); // a late answer never reopens a command
  switch (event.type) {
    case "issued":
      if (from.state === "DELIVERED") return to(from);
      if (from.state === "PENDING" || isIssuing(from)) return to(sent(1), "sent");
      return to(from.state === "SENT" ? sent(from.issued + 1) : from);
    case "expired":
      return to(from.state === "PENDING" ? { state: "EXPIRED" } : from);
    case "cancelled":
      return to(from.state === "PENDING" ? { state: "CANCELED" } : from);
    case "notEncodable":
      return from.state === "PENDING" || isIssuing(from) ? failed() : to(from);
    case "unreachable":
      return isIssuing(from) ? failed() : to(from); // a cached one waits on
    case "handedOver":
      return isIssuing(from) ? to({ state: "SENT", issued: 1, open: event.answerExpected }, "sent") : to(from);
    case "acknowledged":
      return from.state === "SENT"
        ? to({ state: "DELIVERED", open: true }, ...sentBefore(from), "delivered")
        : to(from);
    case "refused":
      return from.state === "SENT" && from.issued > 0 ? failed() : to(from);
    case "unacknowledged":
      return from.state === "SENT" ? to({ state: "TIMEOUT" }, "failed") : to(from);
    case "answered":
      // Without an acknowledgement: it was overtaken by the answer, which says more.
      if (from.state === "PENDING") return to(from);
      return to({ state: event.ok ? "SUCCESSFUL" : "FAILED" }, ...sentBefore(from), "answered");
    case "connectionLost":
      // What was delivered can be answered through the next connection.
      return from.state === "SENT" && !event.held ? failed() : to(from);
    case "windowClosed":
      if (from.state === "DELIVERED") return to({ state: "DELIVERED", open: false });
      return from.state === "SENT" ? failed() : to(from);
    default:
      return event satisfies never; // a new event type does not compile until it is handled
  }
}

const to = (next: Delivery, ...notices: Notice[]): Step => ({ next, notices });
const sent = (issued: number): Delivery => ({ state: "SENT", issued, open: true });
const failed = (): Step => to({ state: "FAILED" }, "failed");
const isIssuing = (from: Delivery) => from.state === "SENT" && from.issued === 0;
/** The device was faster than the transport's word that the command is out. */
const sentBefore = (from: Delivery): Notice[] => (isIssuing(from) ? ["sent"] : []);
