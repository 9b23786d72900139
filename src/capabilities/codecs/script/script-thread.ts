import { systemClock } from "../../../platform/clock";
import { loadQuickJs, type Sandbox, type SandboxFactory } from "./sandbox";
import type { ScriptCall, ScriptOutcome, ThreadReply, ThreadRequest } from "./script-protocol";

declare const self: Worker;

/** The thread behind `scriptPool`: keeps scripts ready to run and works on one batch of one script at a time. */
type Start = Extract<ThreadRequest, { type: "start" }>;
type Batch = Extract<ThreadRequest, { type: "batch" }>;
type Kept = { readonly source: string; sandbox: Sandbox };

const kept = new Map<string, Kept>(); // the one that was idle longest comes first
let start: Start | undefined;
let progress: Int32Array = new Int32Array(1);
let factory: SandboxFactory | undefined;
const reply = (message: ThreadReply) => self.postMessage(message);

self.onmessage = async ({ data }: MessageEvent<ThreadRequest>) => {
  switch (data.type) {
    case "start":
      start = data;
      progress = new Int32Array(data.progress);
      factory = await loadQuickJs(systemClock);
      reply({ type: "ready" });
      return;
    case "batch":
      await work(data);
      return;
    default:
      data satisfies never;
  }
};

async function work({ id, key, source: given, calls }: Batch): Promise<void> {
  const source = given ?? kept.get(key)?.source;
  if (source === undefined || !factory || !start) {
    reply({ type: "sourceMissing", id });
    return;
  }
  const outcomes: ScriptOutcome[] = [];
  const endAt = systemClock.monotonic() + start.batchTimeMs;
  for (const call of calls) {
    Atomics.add(progress, 0, 1);
    const outcome = await run(key, source, call, factory, start);
    outcomes.push(outcome);
    // After a limit the pool decides whether it goes on; after the time another script gets its turn.
    if (outcome.kind === "threw" && outcome.reason !== "script_error") break;
    if (systemClock.monotonic() >= endAt) break;
  }
  reply({ type: "done", id, outcomes });
}

async function run(
  key: string,
  source: string,
  call: ScriptCall,
  factory: SandboxFactory,
  start: Start,
): Promise<ScriptOutcome> {
  try {
    return (await ready(key, source, factory, start)).call(call);
  } catch (error) {
    kept.delete(key); // no memory for another sandbox, say: this call has failed, the thread goes on
    return { kind: "threw", reason: "script_memory", message: String(error), line: undefined, column: undefined };
  }
}

async function ready(
  key: string,
  source: string,
  { open }: SandboxFactory,
  { limits, keptScripts }: Start,
): Promise<Sandbox> {
  const known = kept.get(key);
  kept.delete(key);
  const sandbox = known && !known.sandbox.isBroken ? known.sandbox : await open(source, limits);
  kept.set(key, { source, sandbox });
  for (const [oldest] of kept) {
    if (kept.size <= keptScripts) break;
    kept.delete(oldest);
  }
  return sandbox;
}
