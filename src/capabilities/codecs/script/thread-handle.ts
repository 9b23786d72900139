import type { Clock } from "../../../platform/clock";
import type { CodecSettings } from "../codec-settings";
import type { ScriptCall, ScriptFault, ScriptOutcome, ThreadReply, ThreadRequest } from "./script-protocol";

// In the compiled binary all modules are one file, and threads lie beside it by their path below src/ (scripts/build.ts).
const THREAD = import.meta.url.includes("/$bunfs/")
  ? "./capabilities/codecs/script/script-thread.js"
  : "./script-thread.ts";

export type Work = {
  readonly key: string;
  readonly source: string | undefined;
  /** Asked when the thread has dropped a script that it was thought to have. */
  findSource(): string;
  readonly calls: readonly ScriptCall[];
  /** Outcomes of the first calls; the others were not begun. */
  done(outcomes: readonly ScriptOutcome[]): void;
  /** The thread died or hung while it was at this call; -1: before the first. */
  lost(at: number, fault: ScriptFault): void;
};
export type ScriptThread = {
  readonly isIdle: boolean;
  readonly isStarting: boolean;
  /** Only when it is idle. */
  work(work: Work): void;
  /** Ends it at once; what is under way is lost. */
  stop(): void;
};
type Options = {
  readonly settings: CodecSettings;
  readonly clock: Clock;
  started(): void;
  /** Called once, after `lost` of what was under way. `isStart`: it never came up. */
  ended(why: string, isStart: boolean): void;
  /** For tests. */
  readonly url?: string;
};
export type StartThread = (options: Options) => ScriptThread;

/** One thread, and the watch over it: when a call does not come back in time, the thread is replaced. */
export const startScriptThread: StartThread = ({ settings, clock, started, ended, url }) => {
  const worker = new Worker(url ?? new URL(THREAD, import.meta.url).href);
  const shared = new SharedArrayBuffer(4);
  const progress = new Int32Array(shared);
  const patienceMs = settings.scriptTimeMs + settings.hangGraceMs;
  let state: "starting" | "idle" | "working" | "ended" = "starting";
  let current: Work | undefined;
  let lastId = 0;
  let stopWatch = clock.after(settings.threadStartMs, () =>
    end(`a script thread did not start in ${settings.threadStartMs} ms`, "script_error"),
  );
  const post = (request: ThreadRequest) => worker.postMessage(request);

  worker.onmessage = ({ data }: MessageEvent<ThreadReply>) => {
    if (state === "ended") return;
    switch (data.type) {
      case "ready":
        stopWatch();
        state = "idle";
        started();
        return;
      case "done":
        if (data.id === lastId) finish(data.outcomes);
        return;
      case "sourceMissing":
        if (data.id === lastId && current) send(current, current.findSource());
        return;
      default:
        data satisfies never;
    }
  };
  worker.onerror = ({ message }) => end(`a script thread failed: ${message}`, "script_error");
  worker.addEventListener("close", () => end("a script thread ended", "script_error"));

  function send({ key, calls }: Work, source: string | undefined): void {
    post({ type: "batch", id: ++lastId, key, source, calls });
  }

  function finish(outcomes: readonly ScriptOutcome[]): void {
    const work = current;
    stopWatch();
    current = undefined;
    state = "idle";
    work?.done(outcomes);
  }

  /** Looks again and again; a look that finds the thread at the same call as the last one ends it. */
  function watch(seen: number): void {
    stopWatch = clock.after(patienceMs, () => {
      const now = Atomics.load(progress, 0);
      if (now === seen) end(`it did not come back in ${patienceMs} ms`, "script_timeout");
      else watch(now);
    });
  }

  function end(why: string, reason: ScriptFault["reason"]): void {
    if (state === "ended") return;
    const isStart = state === "starting";
    stop();
    const work = current;
    current = undefined;
    work?.lost(Atomics.load(progress, 0) - 1, { reason, message: why, line: undefined, column: undefined });
    ended(why, isStart);
  }

  function stop(): void {
    state = "ended";
    stopWatch();
    worker.terminate();
  }

  post({
    type: "start",
    limits: {
      timeMs: settings.scriptTimeMs,
      memoryBytes: settings.scriptMemoryBytes,
      stackBytes: settings.scriptStackBytes,
      maxDecodedChars: settings.maxDecodedChars,
      maxEncodedBytes: settings.maxEncodedBytes,
    },
    ...{ keptScripts: settings.scriptsPerThread, batchTimeMs: settings.batchTimeMs, progress: shared },
  });

  return {
    get isIdle() {
      return state === "idle";
    },
    get isStarting() {
      return state === "starting";
    },
    work(work) {
      current = work;
      state = "working";
      Atomics.store(progress, 0, 0);
      send(work, work.source);
      watch(-1);
    },
    stop() {
      const work = current;
      current = undefined;
      stop();
      work?.lost(-1, { reason: "script_error", message: "the platform stops", line: undefined, column: undefined });
    },
  };
};
