import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The program under test: the compiled binary when `ISLET_PROGRAM` names one, else the source on this Bun. */
export const PROGRAM = process.env.ISLET_PROGRAM
  ? [process.env.ISLET_PROGRAM]
  : [process.execPath, join(import.meta.dir, "../../src/main.ts")];

export const ADMIN_PASSWORD = "correct horse battery staple";

export type Ready = {
  event: "ready";
  http: string;
  https: string;
  mqtt: string;
  mqtts: string;
  coap: string;
  coaps: string;
};
export type Islet = Awaited<ReturnType<typeof startIslet>>;

export function temporaryFolder(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "islet-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts a process on `data` with free ports on loopback, and waits for its ready line. */
export async function startIslet({
  data,
  settings = {},
  program = PROGRAM,
}: {
  data: string;
  settings?: Record<string, string>;
  program?: string[];
}) {
  const flags = Object.entries({
    data,
    "http.listen": "127.0.0.1:0",
    "https.listen": "127.0.0.1:0",
    "mqtt.listen": "127.0.0.1:0",
    "mqtts.listen": "127.0.0.1:0",
    "coap.listen": "127.0.0.1:0",
    "coaps.listen": "127.0.0.1:0",
    "admin.password": ADMIN_PASSWORD,
    "log.level": "warn",
    ...settings,
  }).flatMap(([key, value]) => [`--${key}`, value]);
  const process_ = Bun.spawn([...program, "serve", ...flags], { stdout: "pipe", stderr: "pipe" });
  let errors = "";
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of process_.stderr) errors = (errors + decoder.decode(chunk)).slice(-100_000);
  })();
  const ready = await firstLine(process_.stdout);
  if (ready === undefined) {
    const code = await process_.exited;
    throw new Error(`islet ended with ${code} before it was ready:\n${errors}`);
  }
  let isRunning = true;
  void process_.exited.then(() => {
    isRunning = false;
  });
  return {
    ready: JSON.parse(ready) as Ready,
    pid: process_.pid,
    /** False as soon as it was told to end. */
    get isRunning() {
      return isRunning;
    },
    get errors() {
      return errors;
    },
    exited: process_.exited,
    /** SIGTERM; resolves with the exit code. */
    stop() {
      isRunning = false;
      process_.kill("SIGTERM");
      return process_.exited;
    },
    /** SIGKILL: the crash of the tests. */
    async crash() {
      isRunning = false;
      process_.kill("SIGKILL");
      await process_.exited;
    },
    async [Symbol.asyncDispose]() {
      process_.kill("SIGKILL");
      await process_.exited;
    },
  };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (value) text += decoder.decode(value);
    if (text.includes("\n")) break;
    if (done) return undefined;
  }
  void (async () => {
    while (!(await reader.read()).done); // keeps the pipe empty
  })();
  return text.slice(0, text.indexOf("\n"));
}

/** Calls the program with arguments and waits for its end. */
export async function runIslet(words: string[], environment: Record<string, string> = {}) {
  const child = Bun.spawn([...PROGRAM, ...words], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...environment },
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}
