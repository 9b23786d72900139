import { TEXTS, versionTimeout } from "./failure-texts";
import type { UpgradeKind } from "./upgrade";
import type { DeviceFact, Stage, StepOutcome, UpgradeStep, UpgradeWay } from "./upgrade-link";

/**
 * The course of one attempt to upgrade one device (ota.md 8, 9). Pure: it is fed what happens, the runner stores what
 * comes out and then acts. Times are ms of the steady time.
 */
export type Attempt = {
  readonly stage: Stage;
  /**
   * The step of the stage. `trying`: stored before it leaves, so the device may have it or not. `yes`: it has it.
   */
  readonly sent: "no" | "trying" | "yes";
  /** What the device has let know; goes forward only. */
  readonly progress: Progress;
  /** It said that it succeeded, without its version. */
  readonly claimed: boolean;
  /** When the stage has lasted too long. */
  readonly due: number;
  /** Until when the device may keep the platform waiting for its contact. */
  readonly readyUntil: number;
  /** And until when it may wait for its place in the cell; from the first time that it had to. */
  readonly slotUntil: number | undefined;
};
export const PROGRESS = ["idle", "downloading", "downloaded", "updating"] as const;
export type Progress = (typeof PROGRESS)[number];

/** How it ended. `detail`: the text for people. */
export type AttemptEnd =
  | { readonly ok: true; readonly detail: string | undefined }
  | { readonly ok: false; readonly detail: string; readonly code?: string | undefined; readonly timedOut: boolean };
export type CourseStep = { readonly next: Attempt } | { readonly end: AttemptEnd };

export type CourseEvent =
  /** The device listens, and its turn has come. */
  | { readonly type: "reachable" }
  /** The step of the stage leaves now. */
  | { readonly type: "sending" }
  /** Of that step; `again`: of one that may have been sent before. */
  | { readonly type: "outcome"; readonly stage: Stage; readonly outcome: StepOutcome; readonly again: boolean }
  | { readonly type: "fact"; readonly fact: Exclude<DeviceFact, { type: "version" }> }
  /** `plan`: what follows from the version by the packages of the task. */
  | { readonly type: "version"; readonly version: string; readonly plan: VersionPlan }
  | { readonly type: "slotGranted" }
  | { readonly type: "timeUp" }
  /** Of the task: what has not begun does not begin any more. */
  | { readonly type: "windowOver" }
  /** It was kept waiting by the platform (a pause, too many at a time): its time for coming starts anew. */
  | { readonly type: "held" };
export type VersionPlan = "upgrade" | "same" | "unsupported";

/** Ms. */
export type CourseLimits = {
  readonly onlineMs: number;
  readonly versionMs: number;
  readonly radioMs: number;
  readonly cellMs: number;
  readonly slotMs: number;
  readonly announceMs: number;
  readonly downloadMs: number;
  readonly executeMs: number;
  readonly resultMs: number;
  /** Over MQTT: from the notice to the result. */
  readonly mqttMs: number;
  readonly verifyMs: number;
};
export type CourseContext = {
  readonly kind: UpgradeKind;
  readonly way: UpgradeWay;
  readonly limits: CourseLimits;
  readonly now: number;
  /** Of the package; known from the version on. */
  readonly target: string | undefined;
};

const STEPS: Readonly<Record<Stage, UpgradeStep | undefined>> = {
  online: undefined,
  version: "queryVersion",
  radio: "queryRadio",
  cell: "queryCell",
  slot: undefined,
  announcing: "announce",
  downloading: undefined,
  executing: "execute",
  updating: undefined,
  verifying: "queryVersion",
};
export const stepOf = (stage: Stage): UpgradeStep | undefined => STEPS[stage];
/** From here on the device is busy with it: it gets nothing else, and whatever goes wrong may leave it half done. */
const BEGUN: readonly Stage[] = ["announcing", "downloading", "executing", "updating", "verifying"];
export const hasBegun = (stage: Stage): boolean => BEGUN.includes(stage);

/** An attempt begins by waiting for the device. */
export const firstStage = ({ limits, now }: Pick<CourseContext, "limits" | "now">): Attempt => ({
  ...{ stage: "online", sent: "no", progress: "idle", claimed: false, slotUntil: undefined },
  ...{ due: now + limits.onlineMs, readyUntil: now + limits.onlineMs },
});

/** Undefined: it does not concern the attempt as it is. */
export function stepAttempt(from: Attempt, event: CourseEvent, context: CourseContext): CourseStep | undefined {
  switch (event.type) {
    case "reachable":
      if (from.stage !== "online") return undefined;
      return from.due <= context.now ? timeUp(from, context) : enter(from, "version", context);
    case "sending":
      if (STEPS[from.stage] === undefined || from.sent === "trying") return undefined;
      return send(from, context);
    case "outcome":
      return outcome(from, event, context);
    case "fact":
      return fact(from, event.fact, context);
    case "version":
      return version(from, event, context);
    case "slotGranted":
      if (from.stage !== "slot") return undefined;
      return from.due <= context.now ? timeUp(from, context) : enter(from, "announcing", context);
    case "timeUp":
      return from.due <= context.now ? timeUp(from, context) : undefined;
    case "windowOver":
      return from.stage === "online" || from.stage === "slot" ? fail(TEXTS.windowOver, true) : undefined;
    case "held": {
      const until = context.now + context.limits.onlineMs;
      return from.stage === "online" ? { next: { ...from, due: until, readyUntil: until } } : undefined;
    }
    default:
      return event satisfies never;
  }
}

/** The time for the answer to an order to install counts from its sending; all others from the stage's beginning. */
function send(from: Attempt, { limits, now }: CourseContext): CourseStep {
  const due = from.stage === "executing" && from.sent === "no" ? now + limits.executeMs : from.due;
  return { next: { ...from, sent: "trying", due } };
}

function enter(from: Attempt, stage: Stage, { limits, now, way }: CourseContext, more: Partial<Attempt> = {}) {
  const into = (due: number, facts: Partial<Attempt> = {}): CourseStep => ({
    next: { ...from, ...facts, ...more, stage, sent: "no", due },
  });
  switch (stage) {
    case "online":
      return into(from.readyUntil);
    case "version":
      return into(now + limits.versionMs);
    case "radio":
      return into(now + limits.radioMs);
    case "cell":
      return into(now + limits.cellMs);
    case "slot": {
      const slotUntil = from.slotUntil ?? now + limits.slotMs;
      return into(slotUntil, { slotUntil });
    }
    case "announcing":
      return into(now + (way === "mqtt" ? limits.mqttMs : limits.announceMs));
    case "downloading":
      return into(way === "mqtt" ? from.due : now + limits.downloadMs);
    case "executing": {
      const readyUntil = now + limits.onlineMs; // it may sleep with the package that it has
      return into(readyUntil, { readyUntil });
    }
    case "updating":
      return into(now + limits.resultMs);
    case "verifying":
      // A device that says it is done may still be restarting.
      return into(now + (more.claimed ? limits.resultMs : limits.verifyMs));
    default:
      return stage satisfies never;
  }
}

const fail = (detail: string, timedOut = false, code?: string): CourseStep => ({
  end: { ok: false, detail, timedOut, ...(code !== undefined && { code }) },
});
const SUCCESS: CourseStep = { end: { ok: true, detail: undefined } };

function timeUp(from: Attempt, context: CourseContext): CourseStep {
  const { kind, way } = context;
  switch (from.stage) {
    case "online":
      return fail(TEXTS.onlineTimeout, true);
    case "version":
      return fail(versionTimeout(kind), true);
    case "radio":
      return enter(from, "cell", context);
    case "cell":
      return fail(TEXTS.cellTimeout, true);
    case "slot":
      return fail(TEXTS.slotTimeout, true);
    case "announcing":
      return fail(way === "mqtt" ? TEXTS.resultTimeout : TEXTS.downloadTimeout, true);
    case "downloading":
      return way === "mqtt" ? enter(from, "verifying", context) : fail(TEXTS.downloadTimeout, true);
    case "executing":
      // What was never sent has not begun. Else it may well be installing: an answer that got lost is no failure yet.
      return from.sent === "no" ? fail(TEXTS.onlineTimeout, true) : enter(from, "updating", context);
    case "updating":
      return enter(from, "verifying", context);
    case "verifying":
      return fail(TEXTS.verifyTimeout, true);
    default:
      return from.stage satisfies never;
  }
}

function outcome(from: Attempt, event: Extract<CourseEvent, { type: "outcome" }>, context: CourseContext) {
  if (event.stage !== from.stage || from.sent !== "trying" || event.outcome === "noAnswer") return undefined;
  if (event.outcome === "sent") {
    if (from.stage === "announcing" && context.way === "mqtt") return enter(from, "downloading", context);
    // The acknowledgement of an execute is the device's word that it begins.
    if (from.stage === "executing" && context.way === "object5") return enter(from, "updating", context);
    return { next: { ...from, sent: "yes" } } satisfies CourseStep;
  }
  if (event.again) return undefined; // the earlier one may have arrived
  switch (from.stage) {
    case "version":
    case "radio":
    case "cell":
      return enter(from, "online", context);
    case "announcing":
      return enter(from, context.way === "mqtt" ? "online" : "slot", context); // its place is for others meanwhile
    case "executing":
      return { next: { ...from, sent: "no", due: from.readyUntil } } satisfies CourseStep;
    default:
      return { next: { ...from, sent: "no" } } satisfies CourseStep;
  }
}

const isForward = (from: Attempt, to: Progress) => PROGRESS.indexOf(to) > PROGRESS.indexOf(from.progress);
/** Told of the new version, and not yet to install it. */
const isTaking = ({ stage, sent }: Attempt) => (stage === "announcing" && sent !== "no") || stage === "downloading";
/** It may be installing. */
const isInstalling = (from: Attempt, { way }: CourseContext) =>
  (from.stage === "executing" && from.sent !== "no") ||
  from.stage === "updating" ||
  from.stage === "verifying" ||
  (way === "mqtt" && isTaking(from));

function fact(from: Attempt, said: Exclude<DeviceFact, { type: "version" }>, context: CourseContext) {
  switch (said.type) {
    case "versionFailed":
      return from.stage === "version" || from.stage === "verifying" ? fail(said.reason) : undefined;
    case "radio":
      return radio(from, said, context);
    case "noRadio":
      // No cell that could be spared: it goes on with a place that all of its kind share.
      return isAskedForRadio(from) ? enter(from, "slot", context) : undefined;
    case "accepted":
    case "downloading":
      return downloading(from, context);
    case "downloaded":
      if (!isTaking(from)) return undefined;
      return context.way === "mqtt"
        ? progress(from, "downloaded", context)
        : enter(from, "executing", context, { progress: "downloaded" });
    case "updating":
      return updating(from, context);
    case "succeeded":
      return succeeded(from, said.version, context);
    case "failed":
      return from.stage === "online" ? undefined : fail(said.reason, false, said.code);
    default:
      return said satisfies never;
  }
}

const isAskedForRadio = ({ stage, sent }: Attempt): boolean => (stage === "radio" || stage === "cell") && sent !== "no";

function radio(from: Attempt, said: Extract<DeviceFact, { type: "radio" }>, context: CourseContext) {
  const isLate = from.stage === "cell" && said.cellId !== undefined; // it answers the first question
  if (!isAskedForRadio(from) && !isLate) return undefined;
  if (said.cellId !== undefined) return enter(from, "slot", context);
  return from.stage === "radio" ? enter(from, "cell", context) : fail(TEXTS.cellTimeout);
}

function downloading(from: Attempt, context: CourseContext): CourseStep | undefined {
  if (!isTaking(from)) return undefined;
  if (from.stage === "announcing") return enter(from, "downloading", context, { progress: "downloading" });
  return progress(from, "downloading", context);
}

/** Over MQTT everything from the notice to the result is one stage. */
function progress(from: Attempt, to: Progress, context: CourseContext): CourseStep | undefined {
  if (!isForward(from, to)) return undefined;
  if (from.stage === "announcing") return enter(from, "downloading", context, { progress: to });
  return { next: { ...from, progress: to } };
}

function updating(from: Attempt, context: CourseContext): CourseStep | undefined {
  if (context.way === "mqtt") return isTaking(from) ? progress(from, "updating", context) : undefined;
  // Also one that installs by itself; it is never told to do it again.
  if (isTaking(from) || from.stage === "executing") return enter(from, "updating", context, { progress: "updating" });
  return from.stage === "updating" ? progress(from, "updating", context) : undefined;
}

function succeeded(from: Attempt, said: string | undefined, context: CourseContext): CourseStep | undefined {
  if (!isInstalling(from, context)) {
    // Not told to install: only the very version that it should have is news, all else is of an earlier upgrade.
    const isThere = said !== undefined && said === context.target;
    return isThere && (isTaking(from) || from.stage === "executing") ? SUCCESS : undefined;
  }
  if (said !== undefined) return said === context.target ? SUCCESS : fail(TEXTS.otherVersion);
  if (from.stage !== "verifying") return enter(from, "verifying", context, { claimed: true });
  return from.claimed ? undefined : { next: { ...from, claimed: true } };
}

function version(
  from: Attempt,
  { version: said, plan }: Extract<CourseEvent, { type: "version" }>,
  context: CourseContext,
): CourseStep | undefined {
  if (from.stage === "version") {
    if (from.sent === "no") return undefined;
    switch (plan) {
      case "upgrade":
        return enter(from, context.way === "mqtt" ? "announcing" : "radio", context);
      case "same":
        return { end: { ok: true, detail: TEXTS.sameVersion } };
      case "unsupported":
        return fail(TEXTS.sourceVersion);
      default:
        return plan satisfies never;
    }
  }
  if (!isInstalling(from, context)) return undefined;
  if (said === context.target) return SUCCESS;
  if (from.stage !== "verifying") return undefined; // it has not restarted yet
  return from.claimed ? fail(TEXTS.otherVersion) : fail(TEXTS.resultTimeout, true);
}
