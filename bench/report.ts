import type { Bench, Goal, Values } from "./bench";

export type BenchResult = { readonly bench: Bench; readonly runs: readonly Values[] };

/** The median of every value over the runs. */
export function medians(runs: readonly Values[]): Values {
  const names = new Set(runs.flatMap((values) => Object.keys(values)));
  return Object.fromEntries([...names].map((name) => [name, median(runs.map((values) => values[name]))]));
}

function median(values: readonly (number | undefined)[]): number {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** Undefined: there is no goal for it, or nothing was measured. */
export function isMet({ value, atLeast, below }: Goal, values: Values): boolean | undefined {
  const measured = values[value];
  if (measured === undefined || (atLeast === undefined && below === undefined)) return undefined;
  return measured >= (atLeast ?? measured) && measured < (below ?? Number.POSITIVE_INFINITY);
}

/** One line for each number to reach. */
export function renderTable(results: readonly BenchResult[]): string {
  const rows = results.flatMap(({ bench, runs }) => {
    const values = medians(runs);
    return bench.goals.map((goal) => [
      bench.name,
      goal.value,
      shown(values[goal.value]),
      goalText(goal),
      { true: "yes", false: "NO", undefined: "" }[String(isMet(goal, values)) as "true" | "false" | "undefined"],
      goal.peer === undefined ? "" : shown(values[goal.peer]),
      `${shown(Math.min(...of(runs, goal.value)))} … ${shown(Math.max(...of(runs, goal.value)))}`,
    ]);
  });
  const heading = [
    "bench",
    "value",
    "median",
    "goal",
    "met",
    "peer",
    `of ${Math.max(0, ...results.map(({ runs }) => runs.length))} runs`,
  ];
  const table = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const of = (runs: readonly Values[], name: string) =>
  runs.map((values) => values[name]).filter((it) => it !== undefined);

function goalText({ atLeast, below, wish }: Goal): string {
  if (atLeast !== undefined) return `>= ${shown(atLeast)}${wish === undefined ? "" : `, wished ${shown(wish)}`}`;
  return below === undefined ? "" : `< ${shown(below)}`;
}

const shown = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value)
    ? "–"
    : value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
