import { describe, expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { ATTEMPT_DEFAULTS, attemptGate } from "./attempt-gate";

function setUp(change: Partial<typeof ATTEMPT_DEFAULTS> = {}) {
  const clock = manualClock(0);
  const gate = attemptGate(clock, { ...ATTEMPT_DEFAULTS, freeFailures: 1, ...change });
  const checked: string[] = [];
  const guess = (name: string, secret: string) =>
    gate.run(name, secret, async () => {
      checked.push(`${clock.now()} ${name} ${secret}`);
      return secret === "right";
    });
  return { clock, gate, guess, checked };
}

describe("guesses under one name", () => {
  test("are checked one at a time, each later than the one before", async () => {
    const { clock, guess, checked } = setUp();
    const answers = Promise.all(["a", "b", "c", "d"].map((secret) => guess("app", secret)));
    await clock.advance(60_000);
    expect(await answers).toEqual([false, false, false, false]);
    expect(checked).toEqual(["0 app a", "0 app b", "250 app c", "750 app d"]);
  });

  test("never wait longer than the limit, and are free again after a right one", async () => {
    const { clock, guess, checked } = setUp({ maxDelayMs: 1_000 });
    const answers = Promise.all(["a", "b", "c", "d", "e", "f", "right", "g"].map((secret) => guess("app", secret)));
    await clock.advance(60_000);
    expect((await answers).indexOf(true)).toBe(6);
    const times = checked.map((it) => Number(it.split(" ")[0]));
    expect(times).toEqual([0, 0, 250, 750, 1_750, 2_750, 3_750, 3_750]);
  });

  test("share an answer when they are the same", async () => {
    const { guess, checked } = setUp();
    expect(await Promise.all([guess("app", "right"), guess("app", "right"), guess("app", "right")])).toEqual([
      true,
      true,
      true,
    ]);
    expect(checked).toHaveLength(1);
  });

  test("are refused when too many wait", async () => {
    const { clock, guess } = setUp({ maxWaitingPerName: 2 });
    const waiting = [guess("app", "a"), guess("app", "b")];
    await expect(guess("app", "c")).rejects.toMatchObject({ code: "CONGESTED" });
    await clock.advance(10_000);
    expect(await Promise.all(waiting)).toEqual([false, false]);
    const later = guess("app", "right");
    await clock.advance(10_000);
    expect(await later).toBe(true);
  });

  test("do not hold up another name", async () => {
    const { clock, guess } = setUp();
    const slow = ["a", "b", "c", "d"].map((secret) => guess("app", secret));
    expect(await guess("other", "right")).toBe(true);
    await clock.advance(60_000);
    await Promise.all(slow);
  });

  test("go on after a check that broke", async () => {
    const { gate, guess } = setUp();
    const broken = gate.run("app", "x", () => Promise.reject(new Error("broken")));
    const next = guess("app", "right");
    await expect(broken).rejects.toThrow("broken");
    expect(await next).toBe(true);
  });
});

describe("memory", () => {
  test("holds nothing of names that were right", async () => {
    const { gate, guess } = setUp();
    for (let index = 0; index < 50; index++) await guess(`app${index}`, "right");
    expect(gate.size()).toBe(0);
  });

  test("forgets the name unused for longest", async () => {
    const { gate, guess, clock, checked } = setUp({ maxNames: 3, freeFailures: 0 });
    for (const name of ["a", "b", "c", "a", "d"]) {
      const answer = guess(name, `wrong${clock.now()}`);
      await clock.advance(1_000);
      await answer;
    }
    expect(gate.size()).toBe(3);
    checked.length = 0;
    const forgotten = guess("b", "again");
    await clock.advance(0);
    expect(checked).toHaveLength(1); // at once
    await forgotten;
  });

  test("and the number of waiting guesses are bounded over all names", async () => {
    const { guess, clock } = setUp({ maxWaiting: 5 });
    const waiting = Array.from({ length: 5 }, (_, index) => guess(`app${index}`, "a"));
    await expect(guess("one more", "a")).rejects.toMatchObject({ code: "CONGESTED" });
    await clock.advance(0);
    await Promise.all(waiting);
    expect(await guess("one more", "right")).toBe(true);
  });
});
