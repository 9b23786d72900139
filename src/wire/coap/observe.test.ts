import { expect, test } from "bun:test";
import { CODES, isFresher, type Observation, type ObserveEvent, startObservation, stepObservation } from ".";

const HALF = 2 ** 23;
test.each([
  ["the next number", 1, 2, 1, true],
  ["the same number", 2, 2, 1, false],
  ["an older number", 3, 2, 1, false],
  ["just less than half of the circle ahead", 0, HALF - 1, 1, true],
  ["half of the circle ahead", 0, HALF, 1, false],
  ["half of the circle back", HALF, 0, 1, false],
  ["just more than half of the circle back: it has wrapped", HALF + 1, 0, 1, true],
  ["the wrap itself", 0xffffff, 0, 1, true],
  ["an older number 128 s later", 3, 2, 128_000, false],
  ["an older number more than 128 s later", 3, 2, 128_001, true],
])("%s (%d, then %d after %d ms) is fresher: %p", (_name, one, two, afterMs, fresher) => {
  expect(isFresher({ sequence: one, atMs: 1_000 }, { sequence: two, atMs: 1_000 + afterMs })).toBe(fresher);
});

type Response = Extract<ObserveEvent, { type: "response" }>;
const response = (observe: number | undefined, nowMs: number, given: Partial<Response> = {}): Response => ({
  type: "response",
  code: CODES.content,
  observe,
  maxAgeSeconds: undefined,
  nowMs,
  random: 0.5,
  ...given,
});
const registering: Observation = { state: "registering" };
/** 60 s of Max-Age by default, 5 s, and half of 10 s. */
const observing: Observation = { state: "observing", last: { sequence: 12, atMs: 0 }, staleAtMs: 70_000 };
const ended: Observation = { state: "ended", reason: "cancelled" };
const moved = (sequence: number, atMs: number, staleAtMs: number): Observation => ({
  state: "observing",
  last: { sequence, atMs },
  staleAtMs,
});

const TABLE: [rule: string, from: Observation, event: ObserveEvent, next: Observation, effects: string[]][] = [
  ["begins with the first response", registering, response(12, 0), observing, ["deliver"]],
  ["delivers what is newer", observing, response(13, 10), moved(13, 10, 70_010), ["deliver"]],
  ["keeps what is older to itself", observing, response(11, 10), observing, []],
  [
    "lives as long as Max-Age says",
    observing,
    response(13, 0, { maxAgeSeconds: 600, random: 0 }),
    moved(13, 0, 605_000),
    ["deliver"],
  ],
  ["is not silent before its time", observing, { type: "tick", nowMs: 69_999 }, observing, []],
  [
    "registers again after silence",
    observing,
    { type: "tick", nowMs: 70_000 },
    { state: "registering", last: { sequence: 12, atMs: 0 } },
    ["register"],
  ],
  [
    "takes any number from a device that was registered with again",
    { state: "registering", last: { sequence: 12, atMs: 0 } },
    response(2, 71_000),
    moved(2, 71_000, 141_000),
    ["deliver"],
  ],
  ["does not register twice by time", registering, { type: "tick", nowMs: 1e9 }, registering, []],
  ["registers again when told", registering, { type: "reregister" }, registering, ["register"]],
  [
    "ends with a response that does not observe",
    registering,
    response(undefined, 0),
    { state: "ended", reason: "notObservable" },
    ["deliver"],
  ],
  [
    "ends with an error",
    observing,
    response(13, 0, { code: CODES.notFound }),
    { state: "ended", reason: "error" },
    ["deliver"],
  ],
  ["ends when cancelled", observing, { type: "cancelled" }, ended, []],
  ["ends with RST", observing, { type: "reset" }, { state: "ended", reason: "reset" }, []],
  ["refuses what comes after the end", ended, response(14, 0), ended, ["reject"]],
  ["is not reopened", ended, { type: "reregister" }, ended, []],
];
test.each(TABLE)("an observation %s", (_rule, from, event, next, effects) => {
  expect<object>(stepObservation(from, event)).toEqual({ next, effects });
});
test("an observation starts by registering", () => {
  expect(startObservation()).toEqual({ next: registering, effects: ["register"] });
});
