/** `npm run bench [-- NAME…] [--runs N] [--json PATH] [--quick]`: the numbers of the project, each runnable alone. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { type Bench, NOTHING_PREPARED } from "./bench";
import { coap } from "./coap";
import { dtls } from "./dtls";
import { floods } from "./floods";
import { idle } from "./idle";
import { ingest } from "./ingest";
import { northbound } from "./northbound";
import { purge } from "./purge-under-load";
import { push } from "./push";
import { register } from "./register";
import { type BenchResult, isMet, medians, renderTable } from "./report";
import { sleeping, sleepingPlain } from "./sleeping";
import { startup } from "./startup";
import { steady } from "./steady";
import { hasMosquitto } from "./support/mosquitto";
import { describeProgram, programUnderTest } from "./support/server";

const BENCHES: readonly Bench[] = [
  ingest,
  steady,
  idle,
  push,
  register,
  startup,
  purge,
  coap,
  dtls,
  sleeping,
  sleepingPlain,
  floods,
  northbound,
];
/** Load average before the first bench from which on something else is at work. */
const BUSY = 0.5;
const { values: options, positionals } = readArguments();
const print = (line: string) => console.error(line);
const chosen = positionals.length === 0 ? BENCHES : positionals.map(find);

print(`under test: ${describeProgram()}`);
if (!hasMosquitto) print("mosquitto is not installed: no numbers beside ours");
const [loadBefore = 0] = loadavg();
if (loadBefore > BUSY) print(`the machine is busy (load ${loadBefore.toFixed(1)}): latencies say little, ratios more`);
const results: BenchResult[] = [];
for (const bench of chosen) results.push({ bench, runs: await repeat(bench) });

console.log(`\n${renderTable(results)}`);
const path = options.json ?? "bench/results/latest.json";
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, `${JSON.stringify(toJson(), undefined, 2)}\n`);
console.log(`\nwritten to ${path}`);
process.exit(0);

async function repeat(bench: Bench) {
  const context = { quick: options.quick ?? false, print };
  print(`\n${bench.name}: ${bench.about}`);
  const prepared = (await bench.prepare?.(context)) ?? NOTHING_PREPARED;
  try {
    const runs = [];
    const count = options.runs === undefined ? bench.runs : Number(options.runs);
    for (let run = 1; run <= count; run++) {
      const values = await bench.run(context, prepared);
      print(
        `run ${run}: ${Object.entries(values)
          .map(([name, value]) => `${name} ${Math.round(value * 100) / 100}`)
          .join(", ")}`,
      );
      runs.push(values);
    }
    return runs;
  } finally {
    prepared.dispose();
  }
}

function toJson() {
  return {
    at: new Date().toISOString(),
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, memoryGigabytes: Math.round(totalmem() / 2 ** 30) },
    loadBefore,
    program: programUnderTest(),
    quick: options.quick ?? false,
    benches: results.map(({ bench, runs }) => {
      const median = medians(runs);
      const goals = bench.goals.map((goal) => ({ ...goal, met: isMet(goal, median) }));
      return { name: bench.name, about: bench.about, goals, median, runs };
    }),
  };
}

function find(name: string): Bench {
  return BENCHES.find((bench) => bench.name === name) ?? fail(`there is no bench ${name}`);
}

function readArguments() {
  const text = { type: "string" } as const;
  try {
    return parseArgs({ options: { runs: text, json: text, quick: { type: "boolean" } }, allowPositionals: true });
  } catch (error) {
    return fail((error as Error).message);
  }
}

function fail(message: string): never {
  console.error(
    `${message}\nusage: npm run bench -- [${BENCHES.map(({ name }) => name).join("|")}]… [--runs N] [--json PATH] [--quick]`,
  );
  process.exit(2);
}
