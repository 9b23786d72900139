import { describe, expect, test } from "bun:test";
import { type ItemEvent, stepItem } from "./item-machine";
import { ITEM_STATES, type ItemState, TASK_PHASES, type TaskEnding, type TaskPhase, type TaskState } from "./task";
import { progressOf, stepTask, successRateOf, type TaskEvent, vendorStatusOf } from "./task-machine";

const ITEM_EVENTS: Record<string, ItemEvent> = {
  started: { type: "started" },
  succeeded: { type: "succeeded" },
  failed: { type: "failed" },
  postponed: { type: "postponed" },
  timedOut: { type: "timedOut", expired: false },
  expired: { type: "timedOut", expired: true },
};
const NONE = { waiting: 0, success: 0, fail: 0, timeout: 0, expired: 0 };

describe("a sub-task", () => {
  const CHANGES: [from: ItemState, event: string, to: ItemState, counts: Partial<typeof NONE>][] = [
    ["Pending", "started", "WaitResult", { waiting: 1 }],
    ["Pending", "succeeded", "Success", { success: 1 }],
    ["Pending", "failed", "Fail", { fail: 1 }],
    ["Pending", "postponed", "Pending", {}],
    ["Pending", "timedOut", "Timeout", { timeout: 1 }],
    ["Pending", "expired", "Timeout", { timeout: 1, expired: 1 }],
    ["WaitResult", "succeeded", "Success", { waiting: -1, success: 1 }],
    ["WaitResult", "failed", "Fail", { waiting: -1, fail: 1 }],
    ["WaitResult", "postponed", "Pending", { waiting: -1 }],
    ["WaitResult", "timedOut", "Timeout", { waiting: -1, timeout: 1 }],
    ["WaitResult", "expired", "Timeout", { waiting: -1, timeout: 1, expired: 1 }],
  ];
  test.each(CHANGES)("%s, %s: %s", (from, event, next, counts) => {
    expect(stepItem(from, ITEM_EVENTS[event] as ItemEvent)).toEqual({ next, counts: { ...NONE, ...counts } });
  });

  test("knows no other change: what has ended stays so", () => {
    for (const from of ITEM_STATES) {
      for (const [name, event] of Object.entries(ITEM_EVENTS)) {
        if (CHANGES.some(([state, known]) => state === from && known === name)) continue;
        expect([from, name, stepItem(from, event)]).toEqual([from, name, undefined]);
      }
    }
  });
});

describe("a task", () => {
  const EVENTS: Record<string, TaskEvent> = {
    loaded: { type: "loaded" },
    "expanded, due": { type: "expanded", due: true },
    "expanded, too early": { type: "expanded", due: false },
    due: { type: "due" },
    settled: { type: "settled", expired: false },
    "settled, some expired": { type: "settled", expired: true },
    overdue: { type: "overdue" },
    stopped: { type: "stopped" },
    discarded: { type: "discarded" },
  };
  const state = (phase: TaskPhase, ending?: TaskEnding): TaskState => ({ phase, ending });
  const CHANGES: [from: TaskState, event: string, to: TaskState][] = [
    [state("loading"), "loaded", state("running")],
    [state("loading"), "discarded", state("deleting")],
    [state("expanding"), "expanded, due", state("running")],
    [state("expanding"), "expanded, too early", state("scheduled")],
    [state("scheduled"), "due", state("running")],
    [state("running"), "settled", state("ended", "Complete")],
    [state("running"), "settled, some expired", state("ended", "Timeout")],
    ...(["expanding", "scheduled", "running"] as const).flatMap((phase): [TaskState, string, TaskState][] => [
      [state(phase), "overdue", state("closing", "Timeout")],
      [state(phase), "stopped", state("closing", "Stopped")],
    ]),
    [state("closing"), "settled", state("ended")],
    [state("closing"), "settled, some expired", state("ended")],
    [state("ended"), "discarded", state("deleting")],
  ];
  test.each(CHANGES)("%j, %s: %j", (from, event, to) => {
    expect(stepTask(from, EVENTS[event] as TaskEvent)).toEqual(to);
  });

  test("keeps the ending that it was closed with", () => {
    for (const ending of ["Timeout", "Stopped"] as const)
      expect(stepTask(state("closing", ending), { type: "settled", expired: true })).toEqual(state("ended", ending));
  });

  test("knows no other change", () => {
    for (const phase of TASK_PHASES) {
      for (const [name, event] of Object.entries(EVENTS)) {
        if (CHANGES.some(([from, known]) => from.phase === phase && known === name)) continue;
        const from = state(phase);
        expect(stepTask(from, event), `${phase}, ${name}`).toBe(from);
      }
    }
  });

  test.each([
    [state("loading"), "Pending"],
    [state("expanding"), "Pending"],
    [state("scheduled"), "Pending"],
    [state("running"), "Running"],
    [state("closing", "Timeout"), "Timeout"],
    [state("closing", "Stopped"), "Running"],
    [state("ended", "Complete"), "Complete"],
    [state("ended", "Timeout"), "Timeout"],
    [state("ended", "Stopped"), "Complete"],
  ] as const)("%j is %s to the vendor", (from, status) => expect(vendorStatusOf(from)).toBe(status));

  test.each([
    [0, 0, 0, 0, "running", 0, 0],
    [0, 0, 0, 0, "ended", 1_000, 0],
    [3, 1, 0, 0, "running", 333, 333],
    [3, 1, 1, 0, "running", 666, 333],
    [3, 1, 1, 1, "ended", 1_000, 333],
    [100_000, 99_999, 0, 0, "running", 999, 999],
    [7, 2, 1, 2, "running", 714, 285],
  ] as const)(
    "of %i with %i, %i, %i is %s: per mille, rounded down",
    (total, success, fail, timeout, phase, progress, rate) => {
      const task = { ...state(phase), total, counts: { ...NONE, success, fail, timeout } };
      expect([progressOf(task), successRateOf(task)]).toEqual([progress, rate]);
    },
  );
});
