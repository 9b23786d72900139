import type { TaskFailure, TaskKind } from "./task";

/**
 * Course of one task (platform.md 13). Pure: the service feeds it facts, stores what comes out, then acts.
 * A log is collected from Waiting; a restart is sent from Processing, where it comes when its delay is over.
 */
export type Course =
  | { readonly state: "Waiting" }
  | { readonly state: "Processing"; readonly sent: boolean }
  | { readonly state: "Success" }
  | { readonly state: "Fail"; readonly reason: TaskFailure };

export type CourseEvent =
  /** The present state has lasted as long as it may; see `limitOf`. */
  | { readonly type: "timeUp" }
  /** The device listens: stored before the request leaves. */
  | { readonly type: "sending" }
  /** It did not leave after all: the registration was gone. */
  | { readonly type: "notSent" }
  | { readonly type: "succeeded" }
  | { readonly type: "failed"; readonly reason: TaskFailure }
  /** It can never be sent to this device. */
  | { readonly type: "impossible"; readonly reason: TaskFailure }
  | { readonly type: "cancelled" };

const WAITING: Course = { state: "Waiting" };
const READY: Course = { state: "Processing", sent: false };
const SENT: Course = { state: "Processing", sent: true };
const fail = (reason: TaskFailure): Course => ({ state: "Fail", reason });

/** May it be sent when the device is heard? */
export const isReady = (kind: TaskKind, course: Course): boolean => isSame(course, unsent(kind));
export const isEnded = ({ state }: Course): boolean => state === "Success" || state === "Fail";
const isSent = (course: Course): boolean => course.state === "Processing" && course.sent;
const isSame = (one: Course, other: Course): boolean => one.state === other.state && isSent(one) === isSent(other);
/** The state out of which it is sent. */
const unsent = (kind: TaskKind): Course => (kind === "reboot" ? READY : WAITING);

export function step(kind: TaskKind, from: Course, event: CourseEvent): Course {
  if (isEnded(from)) return from; // what comes late changes nothing
  switch (event.type) {
    case "timeUp":
      if (isSent(from)) return fail("no_answer");
      return isReady(kind, from) ? fail("not_sent_in_time") : READY;
    case "sending":
      return isReady(kind, from) ? SENT : from;
    case "notSent":
      return isSent(from) ? unsent(kind) : from;
    case "succeeded":
      return isSent(from) ? { state: "Success" } : from;
    case "failed":
      return isSent(from) ? fail(event.reason) : from;
    case "impossible":
      return isSent(from) ? from : fail(event.reason);
    case "cancelled":
      return isSent(from) ? from : fail("cancelled");
    default:
      return event satisfies never;
  }
}

/** Which of the settings bounds the present state; undefined: it has ended. */
export function limitOf(
  kind: TaskKind,
  course: Course,
): "rebootDelayMs" | "sendWithinMs" | "answerWithinMs" | undefined {
  if (isEnded(course)) return undefined;
  if (isSent(course)) return "answerWithinMs";
  return isReady(kind, course) ? "sendWithinMs" : "rebootDelayMs";
}
