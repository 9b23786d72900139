import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endAtExit, hasEnded } from "./clean-up";
import { temporaryFolder } from "./server";

const PROGRAM = Bun.which("wrk");
export const hasWrk = PROGRAM !== null;

export type WrkLoad = {
  readonly url: string; // http://host:port
  /** `@` stands for a random number from 2 to `count`. */
  readonly path: string;
  readonly count: number;
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  /** `@` as in the path, of the same request. */
  readonly body?: string;
  readonly seconds: number;
  readonly seed: number;
};
export type WrkResult = { readonly requestsPerSecond: number; readonly requests: number; readonly p99Ms: number };

const CONNECTIONS = 16;

/** One run of wrk with a script for its requests. Throws when there are errors, or answers of 400 and above. */
export async function runWrk(load: WrkLoad): Promise<WrkResult> {
  if (!PROGRAM) throw new Error("wrk is not installed");
  const folder = temporaryFolder();
  const script = join(folder, "load.lua");
  writeFileSync(script, renderScript(load));
  const child = Bun.spawn(
    [PROGRAM, "-t", "1", "-c", String(CONNECTIONS), "-d", `${load.seconds}s`, "-s", script, load.url],
    { stdout: "pipe", stderr: "inherit" },
  );
  endAtExit(child.pid);
  const output = await new Response(child.stdout).text();
  await child.exited;
  hasEnded(child.pid);
  rmSync(folder, { recursive: true, force: true });
  const line = output.split("\n").find((it) => it.startsWith("{"));
  if (line === undefined) throw new Error(`wrk: ${output}`);
  const { requests, seconds, errors, p99Ms } = JSON.parse(line) as Record<string, number>;
  if (!requests || !seconds || errors !== 0) throw new Error(`wrk ${load.path}: ${line}`);
  return { requests, requestsPerSecond: requests / seconds, p99Ms: p99Ms ?? 0 };
}

const quote = (text: string) => JSON.stringify(text).replaceAll("%", "\\37");

function renderScript({ path, count, method = "GET", headers = {}, body, seed }: WrkLoad): string {
  const fill = (template: string) => `(string.gsub(${quote(template)}, "@", n))`;
  return `
math.randomseed(${seed})
${Object.entries(headers)
  .map(([name, value]) => `wrk.headers[${quote(name)}] = ${quote(value)}`)
  .join("\n")}
function request()
  local n = tostring(math.random(2, ${count}))
  return wrk.format(${quote(method)}, ${fill(path)}, nil, ${body === undefined ? "nil" : fill(body)})
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\\n{"requests":%d,"seconds":%f,"errors":%d,"p99Ms":%f}\\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout, latency:percentile(99) / 1e3))
end
`;
}
