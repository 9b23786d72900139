import { expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { accepted, EMPTY_WINDOW, isReplay } from "./replay-window";

const after = (...sequences: number[]) => sequences.reduce(accepted, EMPTY_WINDOW);

const TABLE: [rule: string, seen: number[], sequence: number, replay: boolean][] = [
  ["nothing is a replay at first", [], 0, false],
  ["a record seen", [0], 0, true],
  ["the next one", [5], 6, false],
  ["one before, not seen", [5], 4, false],
  ["one before, seen", [4, 5], 4, true],
  ["seen out of order", [5, 4], 4, true],
  ["the oldest in the window, not seen", [63], 0, false],
  ["behind the window, not seen", [64], 0, true],
  ["seen, and shifted into the upper half", [0, 40], 0, true],
  ["its neighbour there", [0, 40], 1, false],
  ["shifted by exactly half", [3, 35], 3, true],
  ["shifted by all but one", [3, 66], 3, true],
  ["a jump over the whole window forgets", [3, 68], 5, false],
  ["the largest number", [2 ** 48 - 1], 2 ** 48 - 2, false],
];
test.each(TABLE)("%s", (_rule, seen, sequence, replay) => expect(isReplay(after(...seen), sequence)).toBe(replay));

test(`behaves as a set of all that was seen (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 200; round++) {
    let window = EMPTY_WINDOW;
    const seen = new Set<number>();
    let top = -1;
    for (let step = 0; step < 200; step++) {
      const sequence = Math.max(0, top - 70 + random.below(random.oneOf([80, 140, 200])));
      const expected = seen.has(sequence) || sequence <= top - 64;
      expect(isReplay(window, sequence)).toBe(expected);
      if (expected) continue;
      window = accepted(window, sequence);
      seen.add(sequence);
      top = Math.max(top, sequence);
    }
  }
});
