import { expect, test } from "bun:test";
import { COMMAND_STATUSES } from "./command";
import { type Delivery, type DeliveryEvent, type End, ISSUING, isOpen, type Notice, step } from "./delivery";

const pending: Delivery = { state: "PENDING" };
const sent: Delivery = { state: "SENT", issued: 1, open: true };
const sentForGood: Delivery = { state: "SENT", issued: 1, open: false };
const delivered: Delivery = { state: "DELIVERED", open: true };
const deliveredForGood: Delivery = { state: "DELIVERED", open: false };
const end = (state: End): Delivery => ({ state });
const success: DeliveryEvent = { type: "answered", ok: true };
const failure: DeliveryEvent = { type: "answered", ok: false };
const lost: DeliveryEvent = { type: "connectionLost", held: false };
const lostButHeld: DeliveryEvent = { type: "connectionLost", held: true };
const closed: DeliveryEvent = { type: "windowClosed" };
const acknowledged: DeliveryEvent = { type: "acknowledged" };
const handedOver: DeliveryEvent = { type: "handedOver", answerExpected: true };

const TABLE: [rule: string, from: Delivery, event: DeliveryEvent, next: Delivery, notices: Notice[]][] = [
  ["is sent when the transport has it", ISSUING, handedOver, sent, ["sent"]],
  ["awaits nothing with NOACK", ISSUING, { type: "handedOver", answerExpected: false }, sentForGood, ["sent"]],
  ["fails when its device cannot be reached", ISSUING, { type: "unreachable" }, end("FAILED"), ["failed"]],
  ["stays sent when a second link fails", sent, { type: "unreachable" }, sent, []],
  ["is delivered by the acknowledgement", sent, acknowledged, delivered, ["delivered"]],
  ["is delivered once", delivered, acknowledged, delivered, []],
  ["keeps the order when the device is very fast", ISSUING, acknowledged, delivered, ["sent", "delivered"]],
  ["is not set back by the hand-over", delivered, handedOver, delivered, []],
  ["succeeds by the answer", delivered, success, end("SUCCESSFUL"), ["answered"]],
  ["fails by the answer", delivered, failure, end("FAILED"), ["answered"]],
  ["ends when the answer overtakes the acknowledgement", sent, success, end("SUCCESSFUL"), ["answered"]],
  ["ends when the answer overtakes the hand-over", ISSUING, success, end("SUCCESSFUL"), ["sent", "answered"]],
  ["fails with the connection", sent, lost, end("FAILED"), ["failed"]],
  ["fails with the connection while it is handed over", ISSUING, lost, end("FAILED"), ["failed"]],
  ["stays open in a kept session", sent, lostButHeld, sent, []],
  ["can be answered through the next connection once delivered", delivered, lost, delivered, []],
  ["fails when nobody acknowledged in time", sent, closed, end("FAILED"), ["failed"]],
  ["stays delivered when no answer comes", delivered, closed, deliveredForGood, []],
  ["waits for its device", pending, { type: "deviceReachable" }, ISSUING, []],
  ["expires while it waits", pending, { type: "expired" }, end("EXPIRED"), []],
  ["can be cancelled while it waits", pending, { type: "cancelled" }, end("CANCELED"), []],
  ["does not expire once sent", sent, { type: "expired" }, sent, []],
  ["cannot be cancelled once sent", sent, { type: "cancelled" }, sent, []],
  ["is not answered before it is sent", pending, success, pending, []],
  ["survives a connection while it waits", pending, lost, pending, []],
];
test.each(TABLE)("a command %s", (_rule, from, event, next, notices) => {
  expect(step(from, event)).toEqual({ next, notices });
});

const EVERY_EVENT: DeliveryEvent[] = [
  { type: "deviceReachable" },
  { type: "expired" },
  { type: "cancelled" },
  { type: "unreachable" },
  acknowledged,
  handedOver,
  success,
  failure,
  lost,
  lostButHeld,
  closed,
];
const ENDS: Delivery[] = [
  ...(["SUCCESSFUL", "FAILED", "TIMEOUT", "EXPIRED", "CANCELED"] as const).map(end),
  sentForGood,
  deliveredForGood,
];
test.each(ENDS.flatMap((from) => EVERY_EVENT.map((event) => [from, event] as const)))(
  "%j is not reopened by %j",
  (from, event) => {
    expect(isOpen(from)).toBe(false);
    expect(step(from, event)).toEqual({ next: from, notices: [] });
  },
);

test("every state has the name that the API shows", () => {
  const states = new Set([...ENDS, pending, sent, delivered].map(({ state }) => state));
  expect([...states].sort()).toEqual([...COMMAND_STATUSES].sort());
});
