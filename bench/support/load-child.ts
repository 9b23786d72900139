/** The process of `startLoad`: one JSON message a line on standard output. */
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/platform/clock";
import { runMqttFleet } from "../../src/simulator";
import type { Load, LoadMessage } from "./load";

const tell = (message: LoadMessage) => void process.stdout.write(`${JSON.stringify(message)}\n`);
const stopping = new AbortController();
process.on("SIGTERM", () => stopping.abort());
const load = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Load;
const result = await runMqttFleet(
  { ...load, signal: stopping.signal, onPhase: (phase) => tell({ phase }) },
  systemClock,
  (line) => tell({ line }),
);
tell({ result });
process.exit(0);
