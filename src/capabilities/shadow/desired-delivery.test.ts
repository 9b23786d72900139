import { expect, test } from "bun:test";
import { type DesiredDelivery, type DesiredEvent, type DesiredStep, isOpen, step } from "./desired-delivery";

const waiting = (tries: number): DesiredDelivery => ({ state: "waiting", tries });
const sending = (tries: number): DesiredDelivery => ({ state: "sending", tries });
const delivered: DesiredDelivery = { state: "delivered", atMs: 5 };
const failed = (reason: string): DesiredDelivery => ({ state: "failed", atMs: 5, reason });
const changed: DesiredEvent = { type: "changed" };
const claimed: DesiredEvent = { type: "claimed" };
const taken: DesiredEvent = { type: "delivered", atMs: 5 };
const refused: DesiredEvent = { type: "refused", atMs: 5, reason: "4.05" };
const silence: DesiredEvent = { type: "unanswered", atMs: 5, maxTries: 3 };
const interrupted: DesiredEvent = { type: "interrupted" };

const TABLE: [
  rule: string,
  from: DesiredDelivery,
  event: DesiredEvent,
  next: DesiredDelivery,
  DesiredStep["notice"],
][] = [
  ["waits anew when it changes while it waits", waiting(2), changed, waiting(0), undefined],
  ["waits anew when it changes while an older value is sent", sending(2), changed, waiting(0), undefined],
  ["waits anew after a delivery", delivered, changed, waiting(0), undefined],
  ["waits anew after a failure", failed("4.05"), changed, waiting(0), undefined],
  ["is sent when its device listens", waiting(0), claimed, sending(1), undefined],
  ["is sent again at the next contact", waiting(2), claimed, sending(3), undefined],
  ["is sent again when a process ended over it", sending(1), claimed, sending(2), undefined],
  ["is not sent again when it was delivered", delivered, claimed, delivered, undefined],
  ["is not sent again when it failed", failed("4.05"), claimed, failed("4.05"), undefined],
  ["is delivered", sending(1), taken, delivered, "DELIVERED"],
  ["stays waiting when an older value was delivered, which is told", waiting(0), taken, waiting(0), "DELIVERED"],
  ["fails when the device refuses it", sending(1), refused, failed("4.05"), "FAILED"],
  ["stays waiting when an older value was refused, which is told", waiting(0), refused, waiting(0), "FAILED"],
  ["waits for the next contact after silence", sending(2), silence, waiting(2), undefined],
  ["fails after silence at the last try", sending(3), silence, failed("no_answer"), "FAILED"],
  ["fails after silence when a restart has cost it a try", sending(4), silence, failed("no_answer"), "FAILED"],
  ["keeps its tries when an older value was not answered", waiting(0), silence, waiting(0), undefined],
  ["has not been tried when it never went out", sending(2), interrupted, waiting(1), undefined],
  ["stays waiting when an older value never went out", waiting(0), interrupted, waiting(0), undefined],
  ["stays delivered whatever comes late", delivered, interrupted, delivered, undefined],
  ["stays delivered after late silence", delivered, silence, delivered, undefined],
];
test.each(TABLE)("a desired value %s", (_rule, from, event, next, notice) => {
  expect(step(from, event)).toEqual({ next, notice });
});

test("open is what still has to go out", () => {
  expect([waiting(0), sending(1), delivered, failed("x")].map(isOpen)).toEqual([true, true, false, false]);
});
