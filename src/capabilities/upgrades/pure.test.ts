import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { resultText } from "../../wire/pcp";
import { mqttResultText, TEXTS } from "./failure-texts";
import { failureText } from "./object5/update-result";
import { places } from "./places";
import { NO_CELL, PLACE_DEFAULTS, placeKey, placeOf, placesOf, radioLevel } from "./radio";
import { findOverlap, matchesPattern, OverBudget, patternsOverlap, supportsVersion } from "./source-patterns";
import { afterAttempt, countsOf, failsTooOften, NO_COUNTS, statusOf } from "./sub-task-machine";
import type { UpgradePolicy } from "./upgrade";

describe("a pattern", () => {
  test.each([
    ["V1.0", "V1.0", true],
    ["V1.0", "v1.0", false],
    ["", "", true],
    ["", "a", false],
    ["*", "", true],
    ["?", "", false],
    ["?", "ab", false],
    ["V1.?", "V1.9", true],
    ["V1.?", "V1.10", false],
    ["V1.*", "V1.", true],
    ["*.0", "V1.0.0", true],
    ["*a*b", "aab", true],
    ["*a*b", "aabc", false],
    ["a*?c", "ac", false],
    ["a**c", "abc", true],
    ["V1.+", "V1.1", false], // no regular expression
    ["?", "😀", true],
  ])("%s on %s", (pattern, version, expected) => {
    expect(matchesPattern(pattern, version)).toBe(expected);
  });

  test("with many stars takes no time", () => {
    expect(matchesPattern(`${"*a".repeat(100)}b`, "a".repeat(10_000))).toBe(false);
  });

  test("none is for every version, several are for each of theirs", () => {
    expect(supportsVersion([], "anything")).toBe(true);
    expect([supportsVersion(["V1", "V2?"], "V2x"), supportsVersion(["V1", "V2?"], "V2")]).toEqual([true, false]);
  });
});

describe("two patterns", () => {
  test.each([
    ["V1.*", "V1.?", true],
    ["V1.*", "V2.*", false],
    ["*1", "1*", true],
    ["a*", "*b", true],
    ["a?", "a", false],
    ["?", "*", true],
    ["", "*", true],
    ["", "?", false],
    ["*a*", "b?c", true],
    ["*aa*", "b?c", false],
    ["V1.0", "V1.0", true],
  ])("%s and %s", (one, other, expected) => {
    expect([patternsOverlap(one, other), patternsOverlap(other, one)]).toEqual([expected, expected]);
  });

  test("overlap exactly when some text matches both", () => {
    const seed = 20_261_128;
    const random = seededRandom(seed);
    const make = (letters: string, length: number) =>
      Array.from(
        { length: Math.floor(random() * (length + 1)) },
        () => letters[Math.floor(random() * letters.length)],
      ).join("");
    const texts = [""];
    for (let at = 0; at < texts.length && (texts[at] as string).length < 7; at++)
      texts.push(`${texts[at]}a`, `${texts[at]}b`);
    for (let round = 0; round < 1_000; round++) {
      const [one, other] = [make("ab*?", 4), make("ab*?", 4)];
      const both = texts.some((text) => matchesPattern(one, text) && matchesPattern(other, text));
      expect([seed, one, other, patternsOverlap(one, other)]).toEqual([seed, one, other, both]);
    }
  });

  test("are compared within a budget", () => {
    expect(() => patternsOverlap("*a".repeat(200), "*b".repeat(200), { left: 1_000 })).toThrow(OverBudget);
  });

  test("of packages: the first pair is told, and a package for every version stands alone", () => {
    expect(findOverlap([["V1"], ["V2", "V3"], ["V4", "V*"]])).toEqual([0, 2]);
    expect(findOverlap([["V1"], ["V2"]])).toBeUndefined();
    expect(findOverlap([["V1"], []])).toEqual([0, 1]);
    expect(findOverlap([[]])).toBeUndefined();
  });
});

test.each([
  [-105, 7, 0],
  [-105.1, 7, 1],
  [-105, 6.9, 1],
  [-115, -3, 1],
  [-115.1, 20, 2],
  [-90, -3.1, 2],
  [-125, -8, 2],
  [-126, 0, 2],
  [-90, -20, 2],
])("RSRP %d and SINR %d are level %d", (rsrp, sinr, level) => {
  expect(radioLevel(rsrp, sinr)).toBe(level as 0);
});

describe("places", () => {
  test("are so many by level", () => {
    const all = [0, 1, 2, undefined] as const;
    expect(all.map((level) => placesOf(PLACE_DEFAULTS, { cellId: 1, level }))).toEqual([50, 10, 1, 10]);
    for (const level of all) expect(placeOf(placeKey({ cellId: 12, level }))).toEqual({ cellId: 12, level });
  });

  test("are there for all who cannot be asked for their cell", () => {
    const table = places(PLACE_DEFAULTS);
    const key = placeKey(NO_CELL);
    expect(placeOf(key)).toEqual(NO_CELL);
    for (let no = 0; no < 1_000; no++) expect(table.take(key, no)).toBe(true);
    table.wait(key, { no: 1_000, deviceNo: 1, priority: 0 });
    expect(table.next(key, () => true)).toHaveLength(1);
  });

  test("go to those who can, by priority and then by age, and no more than there are", () => {
    const table = places({ ...PLACE_DEFAULTS, level0Places: 2 });
    const key = "1/0";
    for (const [no, priority] of [
      [1, 0],
      [2, 5],
      [3, 0],
      [4, 5],
    ] as const)
      table.wait(key, { no, deviceNo: no * 10, priority });
    expect(table.next(key, (deviceNo) => deviceNo !== 20).map(({ no }) => no)).toEqual([4, 1]);
    expect([table.take(key, 4), table.take(key, 1), table.take(key, 2), table.take(key, 4)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(table.next(key, () => true)).toEqual([]);
    for (const no of [4, 1]) table.leave(key, no);
    table.release(key, 4);
    table.release(key, 4); // once more: nothing
    expect(table.next(key, () => true).map(({ no }) => no)).toEqual([2]);
    expect(table.take("1/1", 9)).toBe(true); // another level
    expect([table.held(), table.waiting()]).toEqual([2, 2]);
  });

  test("of the last run are kept even when there are fewer now", () => {
    const table = places({ ...PLACE_DEFAULTS, level2Places: 1 });
    for (const no of [1, 2]) table.restore("1/2", no);
    table.release("1/2", 1);
    expect(table.take("1/2", 3)).toBe(false);
    table.release("1/2", 2);
    expect(table.take("1/2", 3)).toBe(true);
  });
});

describe("what device results are called", () => {
  test("update results of object 5", () => {
    expect([0, 1, 2, 8, 9, 42].map(failureText)).toEqual([
      ...[undefined, undefined, TEXTS.storage, TEXTS.updateFailed, "Unsupported protocol", "unknown update result 42"],
    ]);
  });
  test("codes of PCP, in their messages only", () => {
    expect([4, 0x7f, 0x0b].map((code) => resultText("upgradeResultRequest", code))).toEqual([
      ...["low battery", "internal exception", "unknown result code 0x0B"],
    ]);
    expect(resultText("downloadResultRequest", 2)).toBe("unknown result code 0x02");
  });
  test("codes of MQTT", () => {
    expect([0, 10, 255, 127].map(mqttResultText)).toEqual([
      ...[undefined, "upgrade package installation failure", "internal exception", "unknown result code 127"],
    ]);
  });
});

describe("after an attempt", () => {
  const failed = { ok: false, detail: "x", timedOut: false } as const;
  const base = { used: 0, times: 2, intervalS: 120, now: 1_000, until: undefined };
  test.each([
    ["success ends it", { ok: true, detail: undefined } as const, {}, { status: "success" }],
    ["a failure is tried again", failed, {}, { status: "retry", at: 121_000 }],
    ["as often as is wanted", failed, { used: 2 }, { status: "fail" }],
    ["never without retries", failed, { times: 0 }, { status: "fail" }],
    ["not when the window is over by then", failed, { until: 121_000 }, { status: "fail" }],
    ["else it is", failed, { until: 121_001 }, { status: "retry", at: 121_000 }],
  ])("%s", (_name, end, more, expected) => {
    expect(afterAttempt(end, { ...base, ...more })).toEqual(expected as never);
  });

  test("counters move from state to state", () => {
    expect(countsOf(undefined, { status: "wait", timedOut: false })).toEqual({ ...NO_COUNTS, total: 1, wait: 1 });
    expect(countsOf({ status: "processing", timedOut: false }, { status: "fail", timedOut: true })).toEqual({
      ...{ ...NO_COUNTS, processing: -1, fail: 1, timeout: 1 },
    });
    expect(countsOf({ status: "fail", timedOut: true }, { status: "processing", timedOut: false })).toEqual({
      ...{ ...NO_COUNTS, processing: 1, fail: -1, timeout: -1 },
    });
  });

  test.each([
    [{ wait: 2 }, false, false, "wait"],
    [{ wait: 1, success: 1 }, false, true, "processing"],
    [{ processing: 1, fail: 1 }, false, true, "processing"],
    [{ success: 2 }, false, true, "success"],
    [{ success: 2, fail: 1 }, false, true, "failed"],
    [{ success: 1, stop: 1 }, true, true, "stop"],
  ] as const)("a task with %p is %p, %p: %s", (counts, stopped, started, expected) => {
    expect(statusOf({ ...NO_COUNTS, ...counts }, { stopped, started })).toBe(expected);
  });

  test("a task pauses itself at its share of failures, counted since it was resumed", () => {
    const policy = { pauseOnFailure: { percent: 50, minEnded: 4 } } as UpgradePolicy;
    const since = { ended: 0, failed: 0 };
    const tooOften = (success: number, fail: number, processing = 1, from = since) =>
      failsTooOften({ policy, counts: { ...NO_COUNTS, success, fail, processing } }, from);
    expect([tooOften(1, 2), tooOften(2, 2), tooOften(3, 2), tooOften(0, 4)]).toEqual([false, true, false, true]);
    expect(tooOften(2, 2, 0)).toBe(false); // nothing is left to pause
    expect([tooOften(2, 5, 1, { ended: 4, failed: 4 }), tooOften(2, 6, 1, { ended: 4, failed: 4 })]).toEqual([
      false,
      true,
    ]);
  });
});
