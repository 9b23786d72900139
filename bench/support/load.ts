import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FleetOptions, FleetResult } from "../../src/simulator";
import { BENCH_PAYLOAD } from "./bench-product";
import { endAtExit, hasEnded } from "./clean-up";
import { temporaryFolder, withManyFiles } from "./server";

export type Load = Omit<FleetOptions, "signal" | "onPhase">;
export type LoadMessage =
  | { readonly phase: "connected" | "measuring" | "measured" }
  | { readonly result: FleetResult }
  | { readonly line: string };

const DEFAULTS = {
  warmUpSeconds: 2,
  seconds: 10,
  window: 20,
  qos: 1,
  payload: BENCH_PAYLOAD,
  commands: false,
  connecting: 100,
  keepAliveSeconds: 600,
  cleanSession: true,
} satisfies Partial<Load>;

/** Starts the load generator of the project in a process of its own: the same for us and for the peer. */
export function startLoad(options: Pick<Load, "address" | "devices" | "rate"> & Partial<Load>) {
  const folder = temporaryFolder();
  const file = join(folder, "load.json");
  writeFileSync(file, JSON.stringify({ ...DEFAULTS, ...options }));
  const command = withManyFiles([process.execPath, join(import.meta.dir, "load-child.ts"), file]);
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  endAtExit(child.pid);
  const phases = new Map<string, PromiseWithResolvers<void>>();
  const phase = (name: string) => {
    const entry = phases.get(name) ?? Promise.withResolvers<void>();
    phases.set(name, entry);
    return entry;
  };
  const result = read();

  async function read(): Promise<FleetResult> {
    let last: FleetResult | undefined;
    for await (const line of lines(child.stdout)) {
      const message = JSON.parse(line) as LoadMessage;
      if ("phase" in message) phase(message.phase).resolve();
      if ("result" in message) last = message.result;
    }
    rmSync(folder, { recursive: true, force: true });
    await child.exited;
    hasEnded(child.pid);
    if (!last) throw new Error(`the load generator ended with ${await child.exited} and no result`);
    return last;
  }

  return {
    result,
    /** Rejects when the generator ends before. */
    reached: (name: "connected" | "measuring" | "measured") =>
      Promise.race([phase(name).promise, result.then(() => {})]),
    /** Ends the measurement now. */
    stop(): Promise<FleetResult> {
      child.kill("SIGTERM");
      return result;
    },
  };
}

export async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const whole = text.split("\n");
    text = whole.pop() ?? "";
    yield* whole.filter((line) => line !== "");
  }
}
