import { expect, test } from "bun:test";
import { COMMAND_STATUSES } from "./command";
import { type Delivery, type DeliveryEvent, type End, ISSUING, isOpen, type Notice, PENDING, step } from "./delivery";

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
const unreachable: DeliveryEvent = { type: "unreachable" };
const handedOver: DeliveryEvent = { type: "handedOver", answerExpected: true };
const issued: DeliveryEvent = { type: "issued" };
const notEncodable: DeliveryEvent = { type: "notEncodable" };
const refused: DeliveryEvent = { type: "refused" };
const unacknowledged: DeliveryEvent = { type: "unacknowledged" };
const expired: DeliveryEvent = { type: "expired" };
const cancelled: DeliveryEvent = { type: "cancelled" };

type Row = [rule: string, from: Delivery, event: DeliveryEvent, next: Delivery, notices: Notice[]];

const BOTH: Row[] = [
  ["is delivered by the acknowledgement", sent, acknowledged, delivered, ["delivered"]],
  ["is delivered once", delivered, acknowledged, delivered, []],
  ["succeeds by the answer", delivered, success, end("SUCCESSFUL"), ["answered"]],
  ["fails by the answer", delivered, failure, end("FAILED"), ["answered"]],
  ["succeeds when the answer overtakes the acknowledgement", sent, success, end("SUCCESSFUL"), ["answered"]],
  ["fails when the answer overtakes the acknowledgement", sent, failure, end("FAILED"), ["answered"]],
  ["stays delivered when no answer comes", delivered, closed, deliveredForGood, []],
  ["stays sent when a second way fails", sent, unreachable, sent, []],
];
const CONNECTED: Row[] = [
  ["is sent when the transport has it", ISSUING, handedOver, sent, ["sent"]],
  ["awaits nothing with NOACK", ISSUING, { type: "handedOver", answerExpected: false }, sentForGood, ["sent"]],
  ["fails when its device cannot be reached", ISSUING, unreachable, end("FAILED"), ["failed"]],
  ["keeps the order when the device is very fast", ISSUING, acknowledged, delivered, ["sent", "delivered"]],
  ["is not set back by the hand-over", delivered, handedOver, delivered, []],
  ["ends when the answer overtakes the hand-over", ISSUING, success, end("SUCCESSFUL"), ["sent", "answered"]],
  ["fails with the connection", sent, lost, end("FAILED"), ["failed"]],
  ["fails with the connection while it is handed over", ISSUING, lost, end("FAILED"), ["failed"]],
  ["stays open in a kept session", sent, lostButHeld, sent, []],
  ["can be answered through the next connection once delivered", delivered, lost, delivered, []],
  ["fails when nobody acknowledged in time", sent, closed, end("FAILED"), ["failed"]],
];
const CACHED: Row[] = [
  ["is sent when its device is there", PENDING, issued, sent, ["sent"]],
  ["waits on when there is no way after all", PENDING, unreachable, PENDING, []],
  ["fails when the codec makes nothing of it", PENDING, notEncodable, end("FAILED"), ["failed"]],
  ["expires while it waits, untold", PENDING, expired, end("EXPIRED"), []],
  ["can be cancelled while it waits, untold", PENDING, cancelled, end("CANCELED"), []],
  ["is not acknowledged before it is sent", PENDING, acknowledged, PENDING, []],
  ["is not refused before it is sent", PENDING, refused, PENDING, []],
  ["is not answered before it is sent", PENDING, success, PENDING, []],
  ["does not time out before it is sent", PENDING, unacknowledged, PENDING, []],
  ["waits beyond the end of the window for answers", PENDING, closed, PENDING, []],
  ["does not care for connections while it waits", PENDING, lost, PENDING, []],
  ["does not expire once sent", sent, expired, sent, []],
  ["cannot be cancelled once sent", sent, cancelled, sent, []],
  ["does not expire once delivered", delivered, expired, delivered, []],
  ["cannot be cancelled once delivered", delivered, cancelled, delivered, []],
  ["is sent again after a restart, and that is not told", sent, issued, { ...sent, issued: 2 }, []],
  ["is not sent again once delivered", delivered, issued, delivered, []],
  ["was encoded once it is sent", sent, notEncodable, sent, []],
  ["fails when the device refuses it", sent, refused, end("FAILED"), ["failed"]],
  ["is not refused once delivered", delivered, refused, delivered, []],
  ["times out without an acknowledgement", sent, unacknowledged, end("TIMEOUT"), ["failed"]],
  ["does not time out once delivered", delivered, unacknowledged, delivered, []],
];
const IMMEDIATE: Row[] = [
  ["is sent when its turn comes", ISSUING, issued, sent, ["sent"]],
  ["fails when there is no way to the device", ISSUING, unreachable, end("FAILED"), ["failed"]],
  ["fails when the codec makes nothing of it", ISSUING, notEncodable, end("FAILED"), ["failed"]],
  ["times out in the line", ISSUING, unacknowledged, end("TIMEOUT"), ["failed"]],
  ["does not expire in the line", ISSUING, expired, ISSUING, []],
  ["cannot be cancelled in the line", ISSUING, cancelled, ISSUING, []],
  ["is not refused before it is sent", ISSUING, refused, ISSUING, []],
];
const hold = (_rule: string, from: Delivery, event: DeliveryEvent, next: Delivery, notices: Notice[]) =>
  expect(step(from, event)).toEqual({ next, notices });
test.each(BOTH)("a command %s", hold);
test.each(CONNECTED)("a command to a connected device %s", hold);
test.each(CACHED)("a cached command %s", hold);
test.each(IMMEDIATE)("an immediate command to a device that sleeps %s", hold);

const OF_BOTH = [acknowledged, success, failure, unreachable];
const OF_CONNECTED = [...OF_BOTH, handedOver, { ...handedOver, answerExpected: false }, lost, lostButHeld, closed];
const OF_SLEEPING = [...OF_BOTH, issued, notEncodable, refused, unacknowledged, expired, cancelled];

/** `A → B` for every change of state that can be reached. */
function transitions(starts: Delivery[], events: DeliveryEvent[]): string[] {
  const seen = new Map(starts.map((start) => [JSON.stringify(start), start]));
  const found = new Set<string>();
  for (const from of seen.values()) {
    for (const event of events) {
      const { next } = step(from, event);
      if (next.state !== from.state) found.add(`${from.state} → ${next.state}`);
      if (!("issued" in next) || next.issued < 3) seen.set(JSON.stringify(next), next); // a Map is walked to its new end
    }
  }
  return [...found].sort();
}

test("a command to a device that sleeps has the transitions of platform.md 7.3, and no others", () => {
  expect(transitions([PENDING, ISSUING], OF_SLEEPING)).toEqual([
    "DELIVERED → FAILED", // the device reported failure
    "DELIVERED → SUCCESSFUL",
    "PENDING → CANCELED",
    "PENDING → EXPIRED",
    "PENDING → FAILED", // the codec gave nothing
    "PENDING → SENT",
    "SENT → DELIVERED",
    "SENT → FAILED", // refused, or the result overtook the acknowledgement; immediate: offline, the codec gave nothing
    "SENT → SUCCESSFUL", // the result overtook the acknowledgement
    "SENT → TIMEOUT",
  ]);
});

test("a command to a connected device has the transitions of platform.md 7.4, and no others", () => {
  expect(transitions([ISSUING], OF_CONNECTED)).toEqual([
    "DELIVERED → FAILED",
    "DELIVERED → SUCCESSFUL",
    "SENT → DELIVERED",
    "SENT → FAILED",
    "SENT → SUCCESSFUL",
  ]);
});

const ENDS: Delivery[] = [
  ...(["SUCCESSFUL", "FAILED", "TIMEOUT", "EXPIRED", "CANCELED"] as const).map(end),
  sentForGood,
  deliveredForGood,
];
const EVERY_EVENT = [...new Set([...OF_CONNECTED, ...OF_SLEEPING])];
test.each(ENDS.flatMap((from) => EVERY_EVENT.map((event) => [from, event] as const)))(
  "%j is not reopened by %j",
  (from, event) => {
    expect(isOpen(from)).toBe(false);
    expect(step(from, event)).toEqual({ next: from, notices: [] });
  },
);

test("every state has the name that the API shows", () => {
  const states = new Set([...ENDS, PENDING, sent, delivered].map(({ state }) => state));
  expect([...states].sort()).toEqual([...COMMAND_STATUSES].sort());
});
