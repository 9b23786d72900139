import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { callWindow } from "./call-window";

const MINUTE = 60_000;
const takeMany = (window: ReturnType<typeof callWindow>, now: number, limit: number, calls: number) =>
  Array.from({ length: calls }, () => window.take(now, limit)).filter(Boolean).length;

describe("calls in 60 s", () => {
  test("are taken up to the limit, and refused ones do not count", () => {
    const window = callWindow(MINUTE);
    expect(takeMany(window, 500, 100, 150)).toBe(100);
    expect(takeMany(window, 59_000, 100, 1)).toBe(0);
    expect(takeMany(window, 60_500, 100, 150)).toBe(100);
  });

  test("leave one after the other", () => {
    const window = callWindow(MINUTE);
    for (let second = 0; second < 60; second++) expect(window.take(second * 1_000, 60)).toBe(true);
    expect(window.take(59_999, 60)).toBe(false);
    for (let second = 60; second < 200; second++) {
      expect(window.take(second * 1_000, 60)).toBe(true);
      expect(window.take(second * 1_000, 60)).toBe(false);
    }
  });

  test("are all forgotten after a long silence", () => {
    const window = callWindow(MINUTE);
    expect(takeMany(window, 0, 10, 20)).toBe(10);
    expect(takeMany(window, 3_600_000_000, 10, 20)).toBe(10);
  });

  test("follow a limit that changes", () => {
    const window = callWindow(MINUTE);
    expect(takeMany(window, 0, 10, 20)).toBe(10);
    expect(takeMany(window, 0, 15, 20)).toBe(5);
    expect(takeMany(window, 0, 5, 20)).toBe(0);
  });

  test("never refuse a client that keeps to the limit in every 60 s, and never let more than a step too many through", () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const window = callWindow(MINUTE);
    const limit = 20;
    const taken: number[] = [];
    let now = 0;
    for (let call = 0; call < 5_000; call++) {
      now += Math.floor(random() * 4_000);
      const inLastMinute = taken.filter((at) => at > now - MINUTE).length;
      const inShortMinute = taken.filter((at) => at > now - 59_000).length;
      const isTaken = window.take(now, limit);
      if (inLastMinute < limit) expect({ seed, now, isTaken }).toEqual({ seed, now, isTaken: true });
      if (inShortMinute >= limit) expect({ seed, now, isTaken }).toEqual({ seed, now, isTaken: false });
      if (isTaken) taken.push(now);
    }
    expect(taken.length).toBeLessThan(5_000);
  });
});
