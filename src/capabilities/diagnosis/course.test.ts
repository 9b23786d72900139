import { expect, test } from "bun:test";
import { type Course, type CourseEvent, isEnded, isReady, limitOf, step } from "./course";
import { TASK_KINDS, TASK_STATES, type TaskFailure, type TaskKind } from "./task";

const waiting: Course = { state: "Waiting" };
const ready: Course = { state: "Processing", sent: false };
const sent: Course = { state: "Processing", sent: true };
const success: Course = { state: "Success" };
const fail = (reason: TaskFailure): Course => ({ state: "Fail", reason });
const timeUp: CourseEvent = { type: "timeUp" };
const sending: CourseEvent = { type: "sending" };
const refused: CourseEvent = { type: "failed", reason: "refused" };
const impossible: CourseEvent = { type: "impossible", reason: "no_objects" };

const TABLE: [rule: string, kind: TaskKind, from: Course, event: CourseEvent, next: Course][] = [
  ["a log is processed when it is sent for", "collectLog", waiting, sending, sent],
  ["a log fails when it was not sent for in time", "collectLog", waiting, timeUp, fail("not_sent_in_time")],
  ["a log fails without an answer", "collectLog", sent, timeUp, fail("no_answer")],
  ["a log succeeds by the answer", "collectLog", sent, { type: "succeeded" }, success],
  ["a log fails by the answer", "collectLog", sent, refused, fail("refused")],
  ["a log that did not leave waits again", "collectLog", sent, { type: "notSent" }, waiting],
  ["a log may be cancelled while it waits", "collectLog", waiting, { type: "cancelled" }, fail("cancelled")],
  ["a log cannot be cancelled once it is sent for", "collectLog", sent, { type: "cancelled" }, sent],
  ["a log cannot come from who has no objects", "collectLog", waiting, impossible, fail("no_objects")],
  ["a log that waits is not answered", "collectLog", waiting, { type: "succeeded" }, waiting],

  ["a restart is processed after its delay", "reboot", waiting, timeUp, ready],
  ["a restart is not sent before that", "reboot", waiting, sending, waiting],
  ["a restart is sent when the device comes", "reboot", ready, sending, sent],
  ["a restart fails without a contact", "reboot", ready, timeUp, fail("not_sent_in_time")],
  ["a restart fails without an answer", "reboot", sent, timeUp, fail("no_answer")],
  ["a restart succeeds by the answer", "reboot", sent, { type: "succeeded" }, success],
  ["a restart fails by the answer", "reboot", sent, refused, fail("refused")],
  ["a restart that did not leave is still processed", "reboot", sent, { type: "notSent" }, ready],
  ["a restart may be cancelled while it waits", "reboot", waiting, { type: "cancelled" }, fail("cancelled")],
  ["a restart may be cancelled before it is sent", "reboot", ready, { type: "cancelled" }, fail("cancelled")],
  ["a restart cannot be cancelled once it is sent", "reboot", sent, { type: "cancelled" }, sent],
  ["a restart is not sent twice", "reboot", sent, sending, sent],
  ["a restart cannot go to who has no objects", "reboot", ready, impossible, fail("no_objects")],
  ["what is not sent is not refused", "reboot", ready, refused, ready],
];
test.each(TABLE)("%s", (_rule, kind, from, event, next) => expect(step(kind, from, event)).toEqual(next));

const EVENTS: CourseEvent[] = [
  timeUp,
  sending,
  { type: "notSent" },
  { type: "succeeded" },
  refused,
  impossible,
  { type: "cancelled" },
];
const ENDS: Course[] = [success, fail("no_answer"), fail("cancelled")];
test.each(TASK_KINDS.flatMap((kind) => ENDS.flatMap((end) => EVENTS.map((event) => [kind, end, event] as const))))(
  "%s: %j is not reopened by %j",
  (kind, end, event) => {
    expect(step(kind, end, event)).toBe(end);
    expect([isEnded(end), isReady(kind, end), limitOf(kind, end)]).toEqual([true, false, undefined]);
  },
);

test("every state that has not ended has its limit", () => {
  expect([waiting, sent].map((course) => limitOf("collectLog", course))).toEqual(["sendWithinMs", "answerWithinMs"]);
  expect([waiting, ready, sent].map((course) => limitOf("reboot", course))).toEqual([
    "rebootDelayMs",
    "sendWithinMs",
    "answerWithinMs",
  ]);
});

test("every state has the name that people see", () => {
  expect([...new Set([waiting, ready, sent, ...ENDS].map(({ state }) => state))].sort()).toEqual(
    [...TASK_STATES].sort(),
  );
});
