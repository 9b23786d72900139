import type { Clock } from "../../../platform/clock";
import type { Log } from "../../../platform/log";
import type { CodecFailure } from "../codec";
import type { CodecSettings } from "../codec-settings";
import type { ScriptCall, ScriptFault, ScriptOutcome } from "./script-protocol";
import { type ScriptThread, type StartThread, startScriptThread } from "./thread-handle";

/** Which script, by content: the same key is always the same source. */
export type Script = { readonly key: string; source(): string };
export type PoolOutcome =
  | { readonly kind: "returned"; readonly text: string }
  | (Omit<ScriptFault, "reason"> & { readonly kind: "threw"; readonly reason: CodecFailure });

export type ScriptPool = {
  /**
   * Resolves with what the script did; never rejects. Calls under one `owner` are done one after the other, in this order.
   * `suspendable` false: for trying out and checking, which must say what happens however often it fails.
   */
  run(owner: string, script: Script, call: ScriptCall, suspendable?: boolean): Promise<PoolOutcome>;
  /** Its script has changed: what the old one did is forgotten. */
  forget(owner: string): void;
  threads(): number;
  waiting(): number;
  stop(): void;
};

type Waiting = {
  readonly script: Script;
  readonly call: ScriptCall;
  readonly bytes: number;
  readonly resolve: (outcome: PoolOutcome) => void;
};
type Owner = {
  readonly name: string;
  queue: Waiting[];
  isUnderWay: boolean;
  readonly suspendable: boolean;
};
/** Outlives the queue of its owner. */
type Conduct = { limitsHit: number; suspendedUntil: number };
type Slot = { thread: ScriptThread | undefined; loaded: Set<string> };

type Options = {
  readonly settings: CodecSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** End of the turn of the event loop: what came in it shares a batch. */
  readonly schedule?: (run: () => void) => void;
  readonly startThread?: StartThread;
};

/**
 * Runs scripts in a few threads. At most one batch of an owner is under way, so its order holds and a slow script holds
 * one thread at most; threads take owners in turns. Scripts that hit their limits again and again rest for a while.
 */
export function scriptPool({
  settings,
  clock,
  log,
  schedule = setImmediate,
  startThread = startScriptThread,
}: Options): ScriptPool {
  const owners = new Map<string, Owner>();
  const conducts = new Map<string, Conduct>();
  const ready: Owner[] = [];
  const slots: Slot[] = Array.from({ length: settings.scriptThreads }, () => ({
    thread: undefined,
    loaded: new Set(),
  }));
  let bytes = 0;
  let isScheduled = false;
  let isStopped = false;
  let noStartBefore = Number.NEGATIVE_INFINITY;

  function run(name: string, script: Script, call: ScriptCall, suspendable = true): Promise<PoolOutcome> | PoolOutcome {
    if (isStopped) return refused("codec_busy", "the platform stops");
    if (suspendable && isSuspended(name)) return refused("script_suspended", SUSPENDED);
    const size = sizeOf(call);
    const owner = owners.get(name) ?? { name, queue: [], isUnderWay: false, suspendable };
    if (owner.queue.length >= settings.maxWaitingCalls || bytes + size > settings.maxWaitingBytes)
      return refused("codec_busy", "too much waits for the script");
    owners.set(name, owner);
    bytes += size;
    return new Promise((resolve) => {
      owner.queue.push({ script, call, bytes: size, resolve });
      if (!owner.isUnderWay && owner.queue.length === 1) ready.push(owner);
      dispatchSoon();
    });
  }

  function dispatchSoon(): void {
    if (isScheduled) return;
    isScheduled = true;
    schedule(() => {
      isScheduled = false;
      dispatch();
    });
  }

  function dispatch(): void {
    while (ready.length > 0 && !isStopped) {
      const owner = ready[0] as Owner;
      const key = owner.queue[0]?.script.key ?? "";
      const idle = slots.filter(({ thread }) => thread?.isIdle);
      const slot = idle.find(({ loaded }) => loaded.has(key)) ?? idle[0];
      if (slot) {
        ready.shift();
        handOver(owner, slot);
        continue;
      }
      const empty = slots.find(({ thread }) => thread === undefined);
      if (!empty || slots.some(({ thread }) => thread?.isStarting)) return; // one at a time; it will dispatch again
      if (clock.monotonic() < noStartBefore) {
        clock.after(noStartBefore - clock.monotonic(), dispatch);
        return;
      }
      start(empty);
      return;
    }
  }

  function start(slot: Slot): void {
    slot.loaded.clear();
    slot.thread = startThread({
      ...{ settings, clock },
      started: dispatch,
      ended(why, isStart) {
        slot.thread = undefined;
        if (isStopped) return;
        log.error("codec_thread_ended", { reason: why });
        if (isStart) {
          noStartBefore = clock.monotonic() + settings.threadRestartMs;
          failAllReady(why); // they must not wait for a thread that may never come
        }
        dispatch();
      },
    });
  }

  function failAllReady(why: string): void {
    for (const owner of ready.splice(0))
      for (const waiting of owner.queue.splice(0)) settle(waiting, refused("script_error", why));
    for (const [name, owner] of owners) if (!owner.isUnderWay) owners.delete(name);
  }

  /** Calls of one script, up to the limits; the next script of the owner, after a change, has its own batch. */
  function handOver(owner: Owner, slot: Slot): void {
    const first = owner.queue[0] as Waiting;
    const { key } = first.script;
    let count = 1;
    while (count < settings.maxBatchCalls && owner.queue[count]?.script.key === key) count++;
    const batch = owner.queue.splice(0, count);
    owner.isUnderWay = true;
    const source = slot.loaded.has(key) ? undefined : first.script.source;
    slot.loaded.add(key);
    (slot.thread as ScriptThread).work({
      key,
      source: source === undefined ? undefined : source(),
      findSource: () => first.script.source(),
      calls: batch.map(({ call }) => call),
      done(outcomes) {
        for (const [index, outcome] of outcomes.entries()) finish(owner, batch[index] as Waiting, outcome);
        giveBack(owner, batch.slice(outcomes.length));
      },
      /** The thread is gone; the call that it was at is to blame, the others have changed nothing and are done anew. */
      lost(at, fault) {
        const culprit = batch[at];
        if (culprit) finish(owner, culprit, { kind: "threw", ...fault });
        giveBack(owner, culprit ? batch.filter((waiting) => waiting !== culprit) : batch);
      },
    });
  }

  function finish(owner: Owner, waiting: Waiting, outcome: ScriptOutcome): void {
    settle(waiting, outcome);
    if (!owner.suspendable) return;
    if (outcome.kind === "returned" || outcome.reason === "script_error") {
      conducts.delete(owner.name);
      return;
    }
    const conduct = conducts.get(owner.name) ?? { limitsHit: 0, suspendedUntil: Number.NEGATIVE_INFINITY };
    conducts.set(owner.name, conduct);
    conduct.limitsHit++;
    if (conduct.limitsHit < settings.suspendAfter) return;
    // It gets one call after the rest; if that one hits a limit again, it rests again.
    conduct.suspendedUntil = clock.monotonic() + settings.suspendMs;
    log.warn("codec_script_suspended", { owner: owner.name, reason: outcome.reason });
  }

  function giveBack(owner: Owner, rest: readonly Waiting[]): void {
    owner.queue.unshift(...rest);
    owner.isUnderWay = false;
    if (owner.suspendable && isSuspended(owner.name))
      for (const waiting of owner.queue.splice(0)) settle(waiting, refused("script_suspended", SUSPENDED));
    if (isStopped) failAll(owner);
    if (owner.queue.length > 0) ready.push(owner);
    else owners.delete(owner.name);
    dispatch();
  }

  const isSuspended = (name: string) => {
    const conduct = conducts.get(name);
    return conduct !== undefined && clock.monotonic() < conduct.suspendedUntil;
  };

  function settle({ bytes: size, resolve }: Waiting, outcome: PoolOutcome): void {
    bytes -= size;
    resolve(outcome);
  }
  const failAll = (owner: Owner) => {
    for (const waiting of owner.queue.splice(0)) settle(waiting, refused("codec_busy", "the platform stops"));
  };

  return {
    run: async (...args) => run(...args),
    forget: (name) => void conducts.delete(name),
    threads: () => slots.filter(({ thread }) => thread !== undefined).length,
    waiting: () => [...owners.values()].reduce((sum, { queue }) => sum + queue.length, 0),
    stop() {
      isStopped = true;
      for (const slot of slots) slot.thread?.stop();
      for (const owner of owners.values()) failAll(owner);
      owners.clear();
      ready.length = 0;
    },
  };
}

const SUSPENDED = "it hit its limits again and again and rests";
const refused = (reason: CodecFailure, message: string): PoolOutcome => ({
  kind: "threw",
  ...{ reason, message, line: undefined, column: undefined },
});
const CALL_BYTES = 64;
function sizeOf(call: ScriptCall): number {
  switch (call.kind) {
    case "decode":
      return CALL_BYTES + call.bytes.length;
    case "encode":
      return CALL_BYTES + call.json.length;
    case "load":
      return CALL_BYTES;
    default:
      return call satisfies never;
  }
}
