import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { type Attempt, type CourseContext, type CourseEvent, firstStage, stepAttempt, stepOf } from "./course";
import { TEXTS } from "./failure-texts";
import { UPGRADE_DEFAULTS } from "./settings";
import { STAGES, type Stage, UPGRADE_WAYS, type UpgradeWay } from "./upgrade-link";

const NOW = 1_000_000;
const MINUTE = 60_000;
const context = (way: UpgradeWay, now = NOW): CourseContext => ({
  ...{ kind: "software", way, limits: UPGRADE_DEFAULTS, now, target: "V2" },
});
/** In its stage since a moment, long before its time is up. */
const at = (stage: Stage, more: Partial<Attempt> = {}): Attempt => ({
  ...{ stage, sent: stepOf(stage) ? "yes" : "no", progress: "idle", claimed: false },
  ...{ due: NOW + MINUTE, readyUntil: NOW + 5 * MINUTE, slotUntil: undefined },
  ...more,
});
/** `downloading +60 min`, `success`, `fail: text`, `-`: nothing. */
function told(from: Attempt, event: CourseEvent, way: UpgradeWay): string {
  const step = stepAttempt(from, event, context(way));
  if (!step) return "-";
  if ("end" in step) {
    const { end } = step;
    if (end.ok) return end.detail ? `success: ${end.detail}` : "success";
    return `${end.timedOut ? "timeout" : "fail"}: ${end.detail}${end.code ? ` (${end.code})` : ""}`;
  }
  const { stage, sent, progress, claimed, due } = step.next;
  const parts = [stage, sent === "no" ? "" : sent, progress === "idle" ? "" : progress, claimed ? "claimed" : ""];
  return `${parts.filter(Boolean).join(" ")} +${(due - NOW) / MINUTE}`;
}

const EVENTS = {
  reachable: { type: "reachable" },
  sending: { type: "sending" },
  slotGranted: { type: "slotGranted" },
  windowOver: { type: "windowOver" },
  held: { type: "held" },
  upgrade: { type: "version", version: "V1", plan: "upgrade" },
  same: { type: "version", version: "V2", plan: "same" },
  unsupported: { type: "version", version: "V0", plan: "unsupported" },
  versionFailed: { type: "fact", fact: { type: "versionFailed", reason: "no" } },
  cell: { type: "fact", fact: { type: "radio", cellId: 7, rsrp: -90, sinr: 10 } },
  noRadio: { type: "fact", fact: { type: "noRadio" } },
  noCell: { type: "fact", fact: { type: "radio", cellId: undefined, rsrp: -90, sinr: 10 } },
  accepted: { type: "fact", fact: { type: "accepted" } },
  downloading: { type: "fact", fact: { type: "downloading" } },
  downloaded: { type: "fact", fact: { type: "downloaded" } },
  updating: { type: "fact", fact: { type: "updating" } },
  succeeded: { type: "fact", fact: { type: "succeeded", version: undefined } },
  succeededV2: { type: "fact", fact: { type: "succeeded", version: "V2" } },
  succeededV1: { type: "fact", fact: { type: "succeeded", version: "V1" } },
  failed: { type: "fact", fact: { type: "failed", code: "04", reason: "low battery" } },
} as const satisfies Record<string, CourseEvent>;
type Name = keyof typeof EVENTS;
const LOW = "fail: low battery (04)";
const OTHER = `fail: ${TEXTS.otherVersion}`;
const LATE = `timeout: ${TEXTS.resultTimeout}`;

/** What is not named changes nothing. */
const TABLE: Record<"pcp" | "mqtt", Record<Stage, Partial<Record<Name, string>>>> = {
  pcp: {
    online: { reachable: "version +3", windowOver: `timeout: ${TEXTS.windowOver}`, held: "online +1500" },
    version: {
      ...{ sending: "version trying +1", upgrade: "radio +3", same: `success: ${TEXTS.sameVersion}` },
      ...{ unsupported: `fail: ${TEXTS.sourceVersion}`, versionFailed: "fail: no", failed: LOW },
    },
    radio: { sending: "radio trying +1", cell: "slot +10080", noCell: "cell +3", noRadio: "slot +10080", failed: LOW },
    cell: {
      sending: "cell trying +1",
      cell: "slot +10080",
      noRadio: "slot +10080",
      noCell: `fail: ${TEXTS.cellTimeout}`,
      failed: LOW,
    },
    slot: { slotGranted: "announcing +3", windowOver: `timeout: ${TEXTS.windowOver}`, failed: LOW },
    announcing: {
      ...{ sending: "announcing trying +1", accepted: "downloading downloading +60" },
      ...{ downloading: "downloading downloading +60", downloaded: "executing downloaded +1500" },
      ...{ updating: "updating updating +30", succeededV2: "success", failed: LOW },
    },
    downloading: {
      ...{ accepted: "downloading downloading +1", downloading: "downloading downloading +1" },
      ...{ downloaded: "executing downloaded +1500", updating: "updating updating +30" },
      ...{ succeededV2: "success", failed: LOW },
    },
    executing: {
      ...{ sending: "executing trying +1", updating: "updating updating +30" },
      ...{ succeeded: "verifying claimed +30", succeededV2: "success", succeededV1: OTHER, same: "success" },
      failed: LOW,
    },
    updating: {
      ...{ updating: "updating updating +1", succeeded: "verifying claimed +30" },
      ...{ succeededV2: "success", succeededV1: OTHER, same: "success", failed: LOW },
    },
    verifying: {
      ...{ sending: "verifying trying +1", upgrade: LATE, unsupported: LATE, same: "success" },
      ...{ versionFailed: "fail: no", succeeded: "verifying yes claimed +1", succeededV2: "success" },
      ...{ succeededV1: OTHER, failed: LOW },
    },
  },
  mqtt: {
    online: { reachable: "version +3", windowOver: `timeout: ${TEXTS.windowOver}`, held: "online +1500" },
    version: {
      ...{ sending: "version trying +1", upgrade: "announcing +1440", same: `success: ${TEXTS.sameVersion}` },
      ...{ unsupported: `fail: ${TEXTS.sourceVersion}`, versionFailed: "fail: no", failed: LOW },
    },
    // These three never come about.
    radio: { sending: "radio trying +1", cell: "slot +10080", noCell: "cell +3", noRadio: "slot +10080", failed: LOW },
    cell: {
      sending: "cell trying +1",
      cell: "slot +10080",
      noRadio: "slot +10080",
      noCell: `fail: ${TEXTS.cellTimeout}`,
      failed: LOW,
    },
    slot: { slotGranted: "announcing +1440", windowOver: `timeout: ${TEXTS.windowOver}`, failed: LOW },
    announcing: {
      ...{ sending: "announcing trying +1", accepted: "downloading downloading +1" },
      ...{ downloading: "downloading downloading +1", downloaded: "downloading downloaded +1" },
      ...{ updating: "downloading updating +1", succeeded: "verifying claimed +30", succeededV2: "success" },
      ...{ succeededV1: OTHER, same: "success", failed: LOW },
    },
    downloading: {
      ...{ accepted: "downloading downloading +1", downloading: "downloading downloading +1" },
      ...{ downloaded: "downloading downloaded +1", updating: "downloading updating +1" },
      ...{ succeeded: "verifying claimed +30", succeededV2: "success", succeededV1: OTHER, same: "success" },
      failed: LOW,
    },
    executing: {
      ...{ sending: "executing trying +1", succeeded: "verifying claimed +30", succeededV2: "success" },
      ...{ succeededV1: OTHER, same: "success", failed: LOW },
    },
    updating: {
      ...{ succeeded: "verifying claimed +30", succeededV2: "success", succeededV1: OTHER, same: "success" },
      failed: LOW,
    },
    verifying: {
      ...{ sending: "verifying trying +1", upgrade: LATE, unsupported: LATE, same: "success" },
      ...{ versionFailed: "fail: no", succeeded: "verifying yes claimed +1", succeededV2: "success" },
      ...{ succeededV1: OTHER, failed: LOW },
    },
  },
};

describe.each(["pcp", "mqtt"] as const)("over %s", (way) => {
  test.each(STAGES.map((stage) => [stage]))("in %s each event has its meaning, and no other", (stage) => {
    const found = Object.entries(EVENTS).map(([name, event]) => [name, told(at(stage), event, way)]);
    expect(Object.fromEntries(found.filter(([, what]) => what !== "-"))).toEqual(TABLE[way][stage]);
  });
});

test("object 5 differs from PCP in that the acknowledgement of an execute begins the update", () => {
  for (const stage of STAGES)
    for (const event of Object.values(EVENTS))
      expect(told(at(stage), event, "object5")).toBe(told(at(stage), event, "pcp"));
  const sent = { type: "outcome", stage: "executing", outcome: "sent", again: false } as const;
  expect(told(at("executing", { sent: "trying" }), sent, "object5")).toBe("updating +30");
  expect(told(at("executing", { sent: "trying" }), sent, "pcp")).toBe("executing yes +1");
});

test.each<[Stage, UpgradeWay, string]>([
  ["online", "pcp", `timeout: ${TEXTS.onlineTimeout}`],
  ["version", "pcp", `timeout: ${TEXTS.softwareVersionTimeout}`],
  ["radio", "pcp", "cell +3"],
  ["cell", "pcp", `timeout: ${TEXTS.cellTimeout}`],
  ["slot", "pcp", `timeout: ${TEXTS.slotTimeout}`],
  ["announcing", "object5", `timeout: ${TEXTS.downloadTimeout}`],
  ["announcing", "mqtt", `timeout: ${TEXTS.resultTimeout}`],
  ["downloading", "pcp", `timeout: ${TEXTS.downloadTimeout}`],
  ["downloading", "mqtt", "verifying +3"],
  ["executing", "pcp", "updating +30"],
  ["updating", "object5", "verifying +3"],
  ["verifying", "mqtt", `timeout: ${TEXTS.verifyTimeout}`],
])("when the time of %s over %s is up", (stage, way, expected) => {
  expect(told(at(stage, { due: NOW }), { type: "timeUp" }, way)).toBe(expected);
  expect(told(at(stage, { due: NOW + 1 }), { type: "timeUp" }, way)).toBe("-");
});

test("an order to install that never left has not begun, one that did may be under way", () => {
  const unsent = at("executing", { sent: "no", due: NOW });
  expect(told(unsent, { type: "timeUp" }, "pcp")).toBe(`timeout: ${TEXTS.onlineTimeout}`);
  expect(told(at("executing", { sent: "no" }), { type: "sending" }, "pcp")).toBe("executing trying +3");
});

test("the firmware version has a text of its own", () => {
  const step = stepAttempt(
    at("version", { due: NOW }),
    { type: "timeUp" },
    { ...context("object5"), kind: "firmware" },
  );
  expect(step).toEqual({ end: { ok: false, detail: TEXTS.firmwareVersionTimeout, timedOut: true } });
});

test("a device that says it is done, and then has another version, lies", () => {
  expect(told(at("verifying", { claimed: true }), EVENTS.upgrade, "pcp")).toBe(OTHER);
});

test.each<[Stage, UpgradeWay, string]>([
  ["version", "pcp", "online +5"],
  ["radio", "pcp", "online +5"],
  ["cell", "object5", "online +5"],
  ["announcing", "pcp", "slot +10080"],
  ["announcing", "mqtt", "online +5"],
  ["executing", "pcp", "executing +5"],
  ["verifying", "pcp", "verifying +1"],
])("%s over %s that did not leave is said later, a repetition that did not changes nothing", (stage, way, expected) => {
  const trying = at(stage, { sent: "trying" });
  const outcome = { type: "outcome", stage, outcome: "unreachable" } as const;
  expect(told(trying, { ...outcome, again: false }, way)).toBe(expected);
  expect(told(trying, { ...outcome, again: true }, way)).toBe("-");
  expect(told(trying, { ...outcome, outcome: "noAnswer", again: false }, way)).toBe("-");
  expect(told(at("slot"), { ...outcome, again: false }, way)).toBe("-"); // of a stage that is over
});

test("coming back from a place in the cell, and from a contact, does not begin their time anew", () => {
  const back = stepAttempt(
    at("announcing", { sent: "trying", slotUntil: NOW + 7 }),
    { type: "outcome", stage: "announcing", outcome: "unreachable", again: false },
    context("pcp"),
  );
  expect(back).toMatchObject({ next: { stage: "slot", due: NOW + 7, slotUntil: NOW + 7 } });
  const late = at("online", { due: NOW });
  expect(told(late, { type: "reachable" }, "pcp")).toBe(`timeout: ${TEXTS.onlineTimeout}`);
  expect(told(at("slot", { due: NOW }), { type: "slotGranted" }, "pcp")).toBe(`timeout: ${TEXTS.slotTimeout}`);
});

test("a version of a device that was not asked, and facts of a device that was told nothing, change nothing", () => {
  for (const event of [EVENTS.upgrade, EVENTS.same])
    expect(told(at("version", { sent: "no" }), event, "pcp")).toBe("-");
  const silent = at("announcing", { sent: "no" });
  for (const name of ["accepted", "downloading", "downloaded", "updating", "succeededV2"] as const)
    for (const way of UPGRADE_WAYS) expect([name, told(silent, EVENTS[name], way)]).toEqual([name, "-"]);
  expect(told(at("executing", { sent: "no" }), EVENTS.succeeded, "pcp")).toBe("-");
  expect(told(at("cell", { sent: "no" }), EVENTS.noCell, "pcp")).toBe("-");
  expect(told(at("cell", { sent: "no" }), EVENTS.cell, "pcp")).toBe("slot +10080");
});

/** As the runner does it: what is to be said is said, and then anything happens. */
function walk(seed: number, way: UpgradeWay) {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const names = Object.keys(EVENTS).filter((name) => name !== "held") as Name[];
  let now = NOW;
  let attempt = firstStage({ limits: UPGRADE_DEFAULTS, now });
  let executions = 0;
  for (let steps = 0; steps < 100_000; steps++) {
    if (stepOf(attempt.stage) !== undefined && attempt.sent === "no")
      executions += attempt.stage === "executing" ? 1 : 0;
    const again = attempt.sent !== "no";
    const events: CourseEvent[] = [{ type: "sending" }];
    if (stepOf(attempt.stage) !== undefined) {
      const result = pick(["sent", "unreachable", "noAnswer"] as const);
      if (result === "unreachable" && attempt.stage === "executing" && !again) executions -= 1;
      events.push({ type: "outcome", stage: attempt.stage, outcome: result, again });
    }
    // Seldom anything that ends it at once, so that walks are long.
    const name =
      random() < 0.2 ? pick(names) : pick(["reachable", "upgrade", "cell", "slotGranted", "downloading"] as const);
    events.push(EVENTS[name], { type: "timeUp" });
    for (const event of events) {
      const step = stepAttempt(attempt, event, context(way, now));
      if (step && "end" in step) return { executions, took: now - NOW };
      if (step) attempt = step.next;
    }
    now += Math.floor(random() * 30 * MINUTE);
  }
  throw new Error(`it did not end: seed ${seed} over ${way}`);
}

test("whatever happens, it ends in time, and nothing is executed twice", () => {
  const { onlineMs, slotMs, mqttMs, executeMs, resultMs, verifyMs } = UPGRADE_DEFAULTS;
  const longest = 2 * onlineMs + slotMs + mqttMs + executeMs + 3 * resultMs + verifyMs + 12 * 60 * MINUTE;
  for (const way of UPGRADE_WAYS)
    for (let seed = 1; seed <= 2_000; seed++) {
      const { executions, took } = walk(seed, way);
      expect([seed, way, executions <= 1, took <= longest]).toEqual([seed, way, true, true]);
    }
});
