import { expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { seededRandom } from "../../platform/testing/seeded-random";
import { Deadlines, NEVER, type Timed } from "./deadlines";

type Item = Timed & { name: string };
const item = (name: string): Item => ({ name, dueTick: NEVER, dueIndex: 0 });

function setUp() {
  const clock = manualClock();
  const told: [name: string, at: number][] = [];
  const deadlines: Deadlines<Item> = new Deadlines(clock, ({ name }) => void told.push([name, clock.monotonic()]));
  return { clock, deadlines, told };
}

test.each([1, 999, 1_000, 1_500, 90_000])(
  "after %d ms it is told once, never early and at most two seconds late",
  async (ms) => {
    for (const offset of [0, 1, 500, 999]) {
      const { clock, deadlines, told } = setUp();
      await clock.advance(offset);
      deadlines.set(item("a"), ms);
      await clock.advance(ms - 1);
      expect(told).toEqual([]);
      await clock.advance(2_001);
      expect(told.length).toBe(1);
      await clock.advance(10_000);
      expect(told.length).toBe(1);
      deadlines.stop();
    }
  },
);

test("a new deadline replaces the old one, a cleared one is not told", async () => {
  const { clock, deadlines, told } = setUp();
  const [a, b] = [item("a"), item("b")];
  deadlines.set(a, 2_000);
  deadlines.set(b, 2_000);
  deadlines.set(a, 10_000);
  deadlines.clear(b);
  deadlines.clear(b);
  await clock.advance(9_000);
  expect(told).toEqual([]);
  await clock.advance(3_000);
  expect(told.map(([name]) => name)).toEqual(["a"]);
});

test("whoever is told may end, or put back, others of the same second", async () => {
  const clock = manualClock();
  const told: string[] = [];
  const items = ["a", "b", "c"].map(item);
  const deadlines: Deadlines<Item> = new Deadlines(clock, ({ name }) => {
    told.push(name);
    if (name === "a") deadlines.set(items[2] as Item, 5_000);
    deadlines.clear(items[1] as Item);
  });
  for (const it of items) deadlines.set(it, 1_000);
  await clock.advance(3_000);
  expect(told).toEqual(["a", "b"]);
  await clock.advance(8_000);
  expect(told).toEqual(["a", "b", "c"]);
});

test("is right for many in any order", async () => {
  const seed = 7;
  const random = seededRandom(seed);
  const { clock, deadlines, told } = setUp();
  const due = new Map<string, number>();
  const items = Array.from({ length: 500 }, (_, index) => item(`${index}`));
  for (let step = 0; step < 2_000; step++) {
    const it = items[Math.floor(random() * items.length)] as Item;
    if (random() < 0.3) {
      deadlines.clear(it);
      due.delete(it.name);
    } else {
      const ms = Math.floor(random() * 100_000);
      deadlines.set(it, ms);
      due.set(it.name, clock.monotonic() + ms);
    }
  }
  await clock.advance(110_000);
  expect(told.map(([name]) => name).sort()).toEqual([...due.keys()].sort());
  for (const [name, at] of told) expect(at).toBeGreaterThanOrEqual(due.get(name) as number);
});
