import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../../platform/clock";
import { silentLog } from "../../../platform/log";
import { manualClock } from "../../../platform/testing/manual-clock";
import { CODEC_DEFAULTS, type CodecSettings } from "../codec-settings";
import { scriptOf } from "./script-codec";
import { type PoolOutcome, type ScriptPool, scriptPool } from "./script-pool";
import type { ScriptCall, ScriptFault, ScriptOutcome } from "./script-protocol";
import { type StartThread, startScriptThread, type Work } from "./thread-handle";

let pool: ScriptPool | undefined;
afterEach(() => pool?.stop());

const decode = (...bytes: number[]): ScriptCall => ({ kind: "decode", bytes: Uint8Array.from(bytes), topic: "" });
const ECHO = scriptOf("function decode(p) { return p } function encode() {}");
const texts = (outcomes: PoolOutcome[]) => outcomes.map((it) => (it.kind === "returned" ? it.text : it.reason));
const TIMED_OUT: ScriptFault = { reason: "script_timeout", message: "", line: undefined, column: undefined };

/** Threads that do what the test says, and a clock that it moves. */
function open(settings: Partial<CodecSettings> = {}) {
  const clock = manualClock();
  const works: (Work & { thread: number })[] = [];
  const ends: ((why: string, isStart: boolean) => void)[] = [];
  const starts: (() => void)[] = [];
  let isAuto = true;
  const startThread: StartThread = ({ started, ended }) => {
    const no = starts.length;
    let state: "starting" | "idle" | "working" = "starting";
    const come = () => {
      state = "idle";
      started();
    };
    starts.push(come);
    ends.push(ended);
    if (isAuto) setImmediate(come);
    return {
      get isIdle() {
        return state === "idle";
      },
      get isStarting() {
        return state === "starting";
      },
      work(work) {
        state = "working";
        works.push({
          ...work,
          thread: no,
          done(outcomes) {
            state = "idle";
            work.done(outcomes);
          },
        });
      },
      stop() {},
    };
  };
  const made = scriptPool({
    settings: { ...CODEC_DEFAULTS, ...settings },
    ...{ clock, log: silentLog, startThread },
  });
  pool = made;
  const turn = () => clock.advance(0);
  return {
    pool: made,
    clock,
    works,
    ends,
    starts,
    holdStarts: () => {
      isAuto = false;
    },
    /** Until the pool has handed over everything that it can. */
    async settle() {
      for (let round = 0; round < 4; round++) await turn();
    },
  };
}
const returned = (text: string): ScriptOutcome => ({ kind: "returned", text });
const echoAll = ({ calls, done }: Work) =>
  done(calls.map((call) => returned(call.kind === "decode" ? `${call.bytes}` : "")));

describe("the pool", () => {
  test("starts no thread before the first call", async () => {
    const it = open();
    await it.settle();
    expect([it.starts.length, it.pool.threads()]).toEqual([0, 0]);
    void it.pool.run("a", ECHO, decode(1));
    await it.settle();
    expect(it.pool.threads()).toBe(1);
  });
  test("what comes in one turn shares a batch, up to the limit", async () => {
    const it = open({ maxBatchCalls: 3 });
    const all = Promise.all([1, 2, 3, 4].map((byte) => it.pool.run("a", ECHO, decode(byte))));
    await it.settle();
    expect(it.works.map(({ calls }) => calls.length)).toEqual([3]);
    echoAll(it.works[0] as Work);
    await it.settle();
    expect(it.works.map(({ calls }) => calls.length)).toEqual([3, 1]);
    echoAll(it.works[1] as Work);
    expect(texts(await all)).toEqual(["1", "2", "3", "4"]);
  });
  test("one batch of an owner at a time; another owner gets the other thread", async () => {
    const it = open({ maxBatchCalls: 1 });
    const first = Promise.all([1, 2].map((byte) => it.pool.run("a", ECHO, decode(byte))));
    const second = it.pool.run("b", ECHO, decode(9));
    await it.settle();
    expect(it.works.map(({ thread, calls }) => [thread, calls.length])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    echoAll(it.works[1] as Work);
    expect(texts([await second])).toEqual(["9"]);
    await it.settle();
    expect(it.works).toHaveLength(2); // the second call of `a` waits for the first, although a thread is idle
    echoAll(it.works[0] as Work);
    await it.settle();
    echoAll(it.works[2] as Work);
    expect(texts(await first)).toEqual(["1", "2"]);
  });
  test("calls that were not begun keep their place", async () => {
    const it = open();
    const all = Promise.all([1, 2, 3].map((byte) => it.pool.run("a", ECHO, decode(byte))));
    await it.settle();
    (it.works[0] as Work).done([returned("first")]);
    const later = it.pool.run("a", ECHO, decode(4));
    await it.settle();
    expect(it.works[1]?.calls).toEqual([decode(2), decode(3)]);
    echoAll(it.works[1] as Work);
    await it.settle();
    echoAll(it.works[2] as Work);
    expect(texts(await all)).toEqual(["first", "2", "3"]);
    expect(texts([await later])).toEqual(["4"]);
  });
  test("the source goes along once", async () => {
    const it = open();
    for (const round of [0, 1]) {
      const outcome = it.pool.run("a", ECHO, decode(1));
      await it.settle();
      expect(it.works[round]?.source !== undefined).toBe(round === 0);
      echoAll(it.works[round] as Work);
      await outcome;
    }
  });
  test("a changed script has a batch of its own", async () => {
    const it = open();
    void it.pool.run("a", ECHO, decode(1));
    void it.pool.run("a", scriptOf("other"), decode(2));
    await it.settle();
    echoAll(it.works[0] as Work);
    await it.settle();
    expect(it.works.map(({ key }) => key)).toEqual([ECHO.key, scriptOf("other").key]);
  });
  test("queues are bounded", async () => {
    const it = open({ maxWaitingCalls: 2 });
    it.holdStarts();
    const all = [1, 2, 3].map((byte) => it.pool.run("a", ECHO, decode(byte)));
    expect(await all[2]).toMatchObject({ reason: "codec_busy" });
    expect(it.pool.waiting()).toBe(2);
    const other = open({ maxWaitingBytes: 200 });
    other.holdStarts();
    void other.pool.run("a", ECHO, { kind: "encode", json: "x".repeat(100) });
    expect(await other.pool.run("b", ECHO, { kind: "encode", json: "x".repeat(100) })).toMatchObject({
      reason: "codec_busy",
    });
  });
  test("a lost thread costs the call that it was at, and is replaced", async () => {
    const it = open();
    const all = Promise.all([1, 2, 3].map((byte) => it.pool.run("a", ECHO, decode(byte))));
    await it.settle();
    it.works[0]?.lost(1, TIMED_OUT);
    it.ends[0]?.("it hung", false);
    await it.settle();
    expect(it.works[1]?.thread).toBe(1);
    echoAll(it.works[1] as Work);
    expect(texts(await all)).toEqual(["1", "script_timeout", "3"]);
  });
  test("a thread that does not come up fails what waits, and there is a pause before the next one", async () => {
    const it = open();
    it.holdStarts();
    const first = it.pool.run("a", ECHO, decode(1));
    await it.settle();
    it.ends[0]?.("no memory", true);
    expect(await first).toMatchObject({ reason: "script_error", message: "no memory" });
    const second = it.pool.run("a", ECHO, decode(2));
    await it.settle();
    expect(it.starts).toHaveLength(1);
    await it.clock.advance(CODEC_DEFAULTS.threadRestartMs);
    expect(it.starts).toHaveLength(2);
    it.starts[1]?.();
    echoAll(it.works[0] as Work);
    expect(texts([await second])).toEqual(["2"]);
  });
  test("a stop fails what is under way and what comes", async () => {
    const it = open();
    const waiting = it.pool.run("a", ECHO, decode(1));
    it.pool.stop();
    expect(texts([await waiting, await it.pool.run("a", ECHO, decode(2))])).toEqual(["codec_busy", "codec_busy"]);
  });
});

describe("a script that hits its limits again and again", () => {
  async function hit(it: ReturnType<typeof open>, ...outcomes: ScriptOutcome[]) {
    const all = Promise.all(outcomes.map(() => it.pool.run("a", ECHO, decode(1))));
    for (const outcome of outcomes) {
      await it.settle();
      it.works.at(-1)?.done([outcome]);
    }
    return texts(await all);
  }
  const slow: ScriptOutcome = { kind: "threw", ...TIMED_OUT };
  const wrong: ScriptOutcome = { kind: "threw", ...TIMED_OUT, reason: "script_error" };

  test("rests, then gets one call", async () => {
    const it = open({ suspendAfter: 2, suspendMs: 1_000 });
    expect(await hit(it, slow, slow)).toEqual(["script_timeout", "script_timeout"]);
    expect(texts([await it.pool.run("a", ECHO, decode(1))])).toEqual(["script_suspended"]);
    await it.clock.advance(999);
    expect(texts([await it.pool.run("a", ECHO, decode(1))])).toEqual(["script_suspended"]);
    await it.clock.advance(1);
    expect(await hit(it, slow)).toEqual(["script_timeout"]);
    expect(texts([await it.pool.run("a", ECHO, decode(1))])).toEqual(["script_suspended"]);
    await it.clock.advance(1_000);
    expect(await hit(it, returned("ok"), slow, slow)).toEqual(["ok", "script_timeout", "script_timeout"]);
  });
  test("what waits behind it is told", async () => {
    const it = open({ suspendAfter: 1 });
    const all = Promise.all([1, 2].map((byte) => it.pool.run("a", ECHO, decode(byte))));
    await it.settle();
    it.works[0]?.done([slow]);
    expect(texts(await all)).toEqual(["script_timeout", "script_suspended"]);
  });
  test("mistakes are no limits, and a good call begins the count anew", async () => {
    const it = open({ suspendAfter: 2 });
    expect(await hit(it, slow, wrong, slow, returned("ok"), slow)).toEqual([
      ...["script_timeout", "script_error", "script_timeout", "ok", "script_timeout"],
    ]);
  });
  test("others go on, trying out is always possible, and a new script begins anew", async () => {
    const it = open({ suspendAfter: 1 });
    await hit(it, slow);
    for (const run of [() => it.pool.run("b", ECHO, decode(1)), () => it.pool.run("a", ECHO, decode(1), false)]) {
      const outcome = run();
      await it.settle();
      echoAll(it.works.at(-1) as Work);
      expect(texts([await outcome])).toEqual(["1"]);
    }
    it.pool.forget("a");
    expect(await hit(it, returned("ok"))).toEqual(["ok"]);
  });
});

describe("real threads", () => {
  const openReal = (settings: Partial<CodecSettings> = {}, url?: string) => {
    const made = scriptPool({
      settings: { ...CODEC_DEFAULTS, scriptTimeMs: 300, ...settings },
      ...{ clock: systemClock, log: silentLog },
      startThread: (options) => startScriptThread({ ...options, ...(url !== undefined && { url }) }),
    });
    pool = made;
    return made;
  };

  test("run many scripts in order, more than a thread keeps", async () => {
    const it = openReal({ scriptsPerThread: 2 });
    const runs: Promise<PoolOutcome>[] = [];
    const expected: string[] = [];
    for (let call = 0; call < 60; call++) {
      const owner = call % 6;
      const script = scriptOf(`var n = 0; function decode(p) { return [${owner}, p[0], ++n] } function encode() {}`);
      runs.push(it.run(`owner ${owner}`, script, decode(call)));
      expected.push(JSON.stringify([owner, call, 1]));
    }
    expect(texts(await Promise.all(runs))).toEqual(expected);
    expect(it.threads()).toBeGreaterThan(0);
  });

  test("an endless script holds up neither the main thread nor another script", async () => {
    const it = openReal({ scriptTimeMs: 1_000 });
    await it.run("warm", ECHO, decode(1));
    const slow = it.run("slow", scriptOf("function decode() { for (;;) {} } function encode() {}"), decode(1));
    let turns = 0;
    const others: string[] = [];
    const isDone = slow.then(() => true);
    while (!(await Promise.race([isDone, new Promise((next) => setImmediate(next))]))) {
      turns++;
      if (others.length < 50) others.push(...texts([await it.run("good", ECHO, decode(7))]));
    }
    expect(texts([await slow])).toEqual(["script_timeout"]);
    expect(new Set(others)).toEqual(new Set(["[7]"]));
    expect([others.length > 0, turns > 1]).toEqual([true, true]); // all while the slow one was running
  });

  test("one that hangs in spite of all is ended, and its calls but the one at fault are done by another", async () => {
    const url = new URL("../testing/hanging-thread.ts", import.meta.url).href;
    const it = openReal({ scriptTimeMs: 50, hangGraceMs: 100, scriptThreads: 1 }, url);
    const outcomes = await Promise.all([1, 0, 2].map((byte) => it.run("a", ECHO, decode(byte))));
    expect(texts(outcomes)).toEqual(["1", "script_timeout", "2"]);
  });

  test("one that dies is replaced", async () => {
    const url = new URL("../testing/hanging-thread.ts", import.meta.url).href;
    const it = openReal({ scriptThreads: 1 }, url);
    const outcomes = await Promise.all([1, 255, 2].map((byte) => it.run("a", ECHO, decode(byte))));
    expect(texts(outcomes)).toEqual(["1", "script_error", "2"]);
  });
});
