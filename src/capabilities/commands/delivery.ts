/**
 * Life of one command (platform.md 7.3, 7.4). Pure: the service feeds it facts, stores `next`, then tells the application.
 * `open`: the device may still acknowledge or answer. PENDING is for devices that sleep; MQTT commands start as SENT.
 */
export type Delivery =
  | { readonly state: "PENDING" } // stored, waits for its device
  | { readonly state: "SENT"; readonly issued: number; readonly open: boolean } // issued 0: being handed over
  | { readonly state: "DELIVERED"; readonly open: boolean }
  | { readonly state: End };
export type End = "SUCCESSFUL" | "FAILED" | "TIMEOUT" | "EXPIRED" | "CANCELED";

export type DeliveryEvent =
  | { readonly type: "deviceReachable" | "expired" | "cancelled" | "unreachable" | "acknowledged" }
  /** The transport has it. */
  | { readonly type: "handedOver"; readonly answerExpected: boolean }
  | { readonly type: "answered"; readonly ok: boolean }
  /** The connection, or the process that had it, is gone. `held`: a kept session sends the command again. */
  | { readonly type: "connectionLost"; readonly held: boolean }
  /** Nobody waits any longer. */
  | { readonly type: "windowClosed" };

/** What the application is told, in this order. */
export type Notice = "sent" | "delivered" | "answered" | "failed";
export type Step = { readonly next: Delivery; readonly notices: readonly Notice[] };

export const ISSUING: Delivery = { state: "SENT", issued: 0, open: true };

export const isOpen = (delivery: Delivery): boolean =>
  delivery.state === "PENDING" || ("open" in delivery && delivery.open);

export function step(from: Delivery, event: DeliveryEvent): Step {
  if (!isOpen(from)) return to(from); // a late answer never reopens a command
  switch (event.type) {
    case "deviceReachable":
      return from.state === "PENDING" ? to(ISSUING) : to(from);
    case "expired":
      return from.state === "PENDING" ? to({ state: "EXPIRED" }) : to(from);
    case "cancelled":
      return from.state === "PENDING" ? to({ state: "CANCELED" }) : to(from);
    case "handedOver":
      return isIssuing(from) ? to({ state: "SENT", issued: 1, open: event.answerExpected }, "sent") : to(from);
    case "unreachable":
      return isIssuing(from) ? to({ state: "FAILED" }, "failed") : to(from);
    case "acknowledged":
      return from.state === "SENT"
        ? to({ state: "DELIVERED", open: true }, ...sentBefore(from), "delivered")
        : to(from);
    case "answered":
      // Without an acknowledgement: it was overtaken by the answer, which says more.
      if (from.state === "PENDING") return to(from);
      return to({ state: event.ok ? "SUCCESSFUL" : "FAILED" }, ...sentBefore(from), "answered");
    case "connectionLost":
      // What was delivered can be answered through the next connection.
      return from.state === "SENT" && !event.held ? to({ state: "FAILED" }, "failed") : to(from);
    case "windowClosed":
      if (from.state === "DELIVERED") return to({ state: "DELIVERED", open: false });
      return from.state === "SENT" ? to({ state: "FAILED" }, "failed") : to(from);
    default:
      return event satisfies never; // a new event type does not compile until it is handled
  }
}

const to = (next: Delivery, ...notices: Notice[]): Step => ({ next, notices });
const isIssuing = (from: Delivery) => from.state === "SENT" && from.issued === 0;
/** The device was faster than the transport's word that the command is out. */
const sentBefore = (from: Delivery): Notice[] => (isIssuing(from) ? ["sent"] : []);
