import { expect, test } from "bun:test";
import { seededRandom } from "../platform/testing/seeded-random";
import { createHistogram } from "./histogram";

test("small values are exact", () => {
  const histogram = createHistogram();
  for (let value = 1; value <= 100; value++) histogram.record(value);
  expect([0, 0.5, 0.99, 1].map((share) => histogram.quantile(share))).toEqual([1, 50, 99, 100]);
  expect([histogram.count, histogram.max, histogram.mean]).toEqual([100, 100, 50.5]);
});

test("big values are at most one percent too big", () => {
  const seed = 20_260_101;
  const random = seededRandom(seed);
  const histogram = createHistogram();
  const values = Array.from({ length: 20_000 }, () => Math.floor(2 ** (random() * 30)));
  for (const value of values) histogram.record(value);
  values.sort((a, b) => a - b);
  for (const share of [0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(share * values.length) - 1] as number;
    const shown = histogram.quantile(share);
    expect({ seed, share, ok: shown >= exact && shown <= exact * 1.01 + 1 }).toEqual({ seed, share, ok: true });
  }
});

test("no value breaks it, and nothing is left after clearing", () => {
  const histogram = createHistogram();
  for (const value of [-5, 0, 0.4, 2 ** 40]) histogram.record(value);
  expect(histogram.quantile(0.5)).toBe(0);
  expect(histogram.quantile(1)).toBe(2 ** 31 - 1);
  histogram.clear();
  expect([histogram.count, histogram.quantile(0.5), histogram.mean]).toEqual([0, 0, 0]);
});
