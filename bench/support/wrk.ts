import { join } from "node:path";
import { endAtExit, hasEnded } from "./clean-up";
import { cpuSeconds } from "./server";

const PROGRAM = Bun.which("wrk");
/** A Debian package (`apt install wrk`). */
export const hasWrk = PROGRAM !== null;
const CONNECTIONS = 32;

export type WrkLoad = {
  readonly url: string;
  /** Of the server: its processor time is taken too. */
  readonly pid: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** `@` in path and body stands for a random number, anew for each request. */
  readonly path: string;
  readonly body?: string;
  readonly numbers: { readonly first: number; readonly last: number };
  readonly seconds: number;
  readonly seed: number;
};
type Summary = { requests: number; seconds: number; bytes: number; refused: number; broken: number } & {
  p50Ms: number;
  p99Ms: number;
};

/** One thread, 32 connections. Throws when an answer was none of success: a refusal is quick, and no measure. */
export async function runWrk({ url, pid, headers = {}, path, body, numbers, seconds, seed }: WrkLoad) {
  if (PROGRAM === null) throw new Error("wrk is not installed");
  const { first, last } = numbers;
  const cpuBefore = cpuSeconds(pid);
  const child = Bun.spawn(
    [
      ...[PROGRAM, "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", join(import.meta.dir, "wrk.lua")],
      ...Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
      ...[url, "--", String(seed), String(first), String(last), path],
      ...(body === undefined ? [] : [body]),
    ],
    { stdout: "pipe", stderr: "inherit" },
  );
  endAtExit(child.pid);
  const output = await new Response(child.stdout).text();
  const code = await child.exited;
  hasEnded(child.pid);
  const cpu = cpuSeconds(pid) - cpuBefore;
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${output}`);
  const summary = JSON.parse(output.trimEnd().split("\n").at(-1) ?? "") as Summary;
  if (summary.refused + summary.broken > 0) throw new Error(`${path}: ${JSON.stringify(summary)}`);
  return {
    perSecond: summary.requests / summary.seconds,
    microsEach: (cpu / summary.requests) * 1e6,
    bytesEach: summary.bytes / summary.requests,
    p99Ms: summary.p99Ms,
  };
}
