import { expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { heap } from "./heap";

test("gives its entries back in order, also when the top changes", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  const random = seededRandom(seed);
  const entries = heap<{ value: number }>((a, b) => a.value < b.value);
  for (let index = 0; index < 200; index++) entries.push({ value: Math.floor(random() * 50) });
  for (let index = 0; index < 50; index++) {
    if (entries.top) entries.top.value += Math.floor(random() * 50);
    entries.settleTop();
  }
  const values: number[] = [];
  for (let entry = entries.pop(); entry; entry = entries.pop()) values.push(entry.value);
  expect(values, `seed ${seed}`).toEqual(values.toSorted((a, b) => a - b));
  expect(values).toHaveLength(200);
  expect(entries.top).toBeUndefined();
});
