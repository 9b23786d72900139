import { expect, test } from "bun:test";
import { type Bench, defineBench, type Goal, type Values } from "./bench";
import { isMet, medians, renderTable } from "./report";
import { bucketsOf, quantileBetween, sumOf } from "./support/metrics-text";

test("the median of each value counts, also when a run lacks it", () => {
  expect(medians([{ a: 3, b: 1 }, { a: 1 }, { a: 2, b: 2 }])).toEqual({ a: 2, b: 1.5 });
});

const GOALS: [rule: string, goal: Goal, values: Values, met: boolean | undefined][] = [
  ["at least", { value: "x", atLeast: 5 }, { x: 5 }, true],
  ["not at least", { value: "x", atLeast: 5 }, { x: 4.9 }, false],
  ["below", { value: "x", below: 5 }, { x: 4.9 }, true],
  ["not below", { value: "x", below: 5 }, { x: 5 }, false],
  ["no goal", { value: "x" }, { x: 5 }, undefined],
  ["not measured", { value: "x", below: 5 }, {}, undefined],
];
test.each(GOALS)("a goal is judged: %s", (_rule, goal, values, met) => {
  expect(isMet(goal, values)).toBe(met as boolean);
});

test("the table has a line for each goal, with the peer and the range", () => {
  const bench: Bench = defineBench({
    name: "speed",
    about: "",
    goals: [{ value: "perSecond", atLeast: 1_000, peer: "mosquitto" }],
    runs: 2,
    run: async () => ({}),
  });
  const runs = [
    { perSecond: 1_000, mosquitto: 10 },
    { perSecond: 3_000, mosquitto: 20 },
  ];
  const line = renderTable([{ bench, runs }]).split("\n")[1];
  expect(line?.split(/ {2,}/)).toEqual(["speed", "perSecond", "2,000", ">= 1,000", "yes", "15", "1,000 … 3,000"]);
});

const scrape = (counts: number[]) =>
  ["0.01", "0.02", "+Inf"].map((le, index) => `x_bucket{le="${le}"} ${counts[index]}`).join("\n");

test("a quantile between two scrapes sees only what came between them", () => {
  const before = bucketsOf(scrape([100, 100, 100]), "x");
  const after = bucketsOf(scrape([100, 200, 200]), "x");
  expect(quantileBetween(before, after, 0.5)).toBeCloseTo(0.015);
  expect(quantileBetween(before, bucketsOf(scrape([100, 100, 101]), "x"), 0.99)).toBe(0.02); // beyond the last bound
  expect(quantileBetween(before, before, 0.99)).toBe(0);
});

test("samples are summed by name and label", () => {
  const text = 'x{a="1"} 2\nx{a="2"} 3\nx_total 50\nx 7';
  expect([sumOf(text, "x"), sumOf(text, "x", 'a="2"'), sumOf(text, "y")]).toEqual([12, 3, 0]);
});
