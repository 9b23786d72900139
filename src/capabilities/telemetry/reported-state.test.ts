import { expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { emptyState, mergeReport, type ReportedState, renderTimes, restoreState } from "./reported-state";

type Report = [timestampMs: number, data: Record<string, unknown>];
function merged(...reports: Report[]): ReportedState {
  const state = emptyState("S", reports[0]?.[0] ?? 0);
  for (const [timestampMs, data] of reports) mergeReport(state, data, timestampMs);
  return state;
}
const timesOf = (state: ReportedState) =>
  Object.fromEntries(Object.keys(state.values).map((name) => [name, state.times?.get(name) ?? state.eventMs]));

const TABLE: [rule: string, reports: Report[], values: object, times: object][] = [
  [
    "keeps what a partial report does not mention",
    [
      [1, { a: 1, b: 1 }],
      [2, { a: 2 }],
    ],
    { a: 2, b: 1 },
    { a: 2, b: 1 },
  ],
  [
    "takes a whole report at its time",
    [
      [1, { a: 1, b: 1 }],
      [2, { a: 2 }],
      [3, { a: 3, b: 3 }],
    ],
    { a: 3, b: 3 },
    { a: 3, b: 3 },
  ],
  [
    "is not overwritten by an older report",
    [
      [5, { a: 5 }],
      [3, { a: 3 }],
    ],
    { a: 5 },
    { a: 5 },
  ],
  [
    "learns a new property from an older report",
    [
      [5, { a: 5 }],
      [3, { a: 3, b: 3 }],
    ],
    { a: 5, b: 3 },
    { a: 5, b: 3 },
  ],
  [
    "takes an older report where its own value is older still",
    [
      [1, { a: 1, b: 1 }],
      [5, { a: 5 }],
      [3, { b: 3 }],
    ],
    { a: 5, b: 3 },
    { a: 5, b: 3 },
  ],
  [
    "lets the later arrival win at equal times",
    [
      [1, { a: 1 }],
      [1, { a: 2 }],
    ],
    { a: 2 },
    { a: 1 },
  ],
  [
    "holds times before 1970",
    [
      [-5, { a: 1 }],
      [-9, { a: 2 }],
    ],
    { a: 1 },
    { a: -5 },
  ],
];
test.each(TABLE)("the reported state %s", (_rule, reports, values, times) => {
  const state = merged(...reports);
  expect({ ...state.values }).toEqual(values as Record<string, unknown>);
  expect(timesOf(state)).toEqual(times as Record<string, number>);
  expect(state.propertyCount).toBe(Object.keys(values).length);
});

test("times are stored only where they differ", () => {
  expect(renderTimes(merged([1, { a: 1, b: 1 }], [2, { a: 2, b: 2 }]))).toBeNull();
  expect(renderTimes(merged([1, { a: 1, b: 1 }], [2, { a: 2 }]))).toBe('{"b":1}');
});

test("a property may have any name", () => {
  const data = JSON.parse('{"__proto__":1,"constructor":2,"toString":3}');
  const state = merged([1, data], [2, { a: 1 }]);
  const restored = restoreState("S", JSON.stringify(state.values), state.eventMs, renderTimes(state));
  expect(JSON.stringify(restored.values)).toBe('{"__proto__":1,"constructor":2,"toString":3,"a":1}');
  expect(timesOf(restored)).toEqual(timesOf(state));
});

test("agrees with keeping every property on its own", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  for (let round = 0; round < 200; round++) {
    const plain = new Map<string, { value: unknown; at: number }>();
    const state = emptyState("S", 50);
    for (let step = 0; step < 20; step++) {
      const at = 40 + below(20);
      const data: Record<string, unknown> = {};
      for (const name of ["a", "b", "c"]) if (random() < 0.6) data[name] = `${round}.${step}`;
      mergeReport(state, data, at);
      for (const [name, value] of Object.entries(data))
        if (at >= (plain.get(name)?.at ?? Number.MIN_SAFE_INTEGER)) plain.set(name, { value, at });
    }
    const expected = Object.fromEntries([...plain].map(([name, { value, at }]) => [name, [value, at]]));
    const times = timesOf(state);
    const actual = Object.fromEntries(
      Object.entries(state.values).map(([name, value]) => [name, [value, times[name]]]),
    );
    expect(actual, `seed ${seed}, round ${round}`).toEqual(expected);
  }
});
