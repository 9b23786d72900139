import variant from "@jitl/quickjs-singlefile-mjs-release-sync";
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
} from "quickjs-emscripten-core";
import type { Clock } from "../../../platform/clock";
import { type MemoryImage, takeImage } from "./memory-image";
import { type MeteredModule, meterLoops } from "./meter-loops";
import type { ScriptCall, ScriptFault, ScriptLimits, ScriptOutcome } from "./script-protocol";

const PAGE = 65_536;
/** What the QuickJS module declares: 5 MiB of stack, and room for an allocator that has not grown. */
const INITIAL_PAGES = 256;
/** Turns of loops inside QuickJS between two looks at the clock: a few milliseconds. */
const TICK_TURNS = 1_000_000;
/** QuickJS itself asks first; this is for its own loops, in which it does not ask. */
const TICK_GRACE_MS = 50;
const FILE = "script.js";
const MAX_MESSAGE = 500;

/**
 * A script, evaluated once, in a QuickJS of its own with a memory of its own. After every call that memory is put back to
 * what it was after the evaluation: no call finds anything that another one has left, not even in the allocator.
 */
export type Sandbox = {
  call(call: ScriptCall): ScriptOutcome;
  /** Something went wrong below the script; make a new one. */
  readonly isBroken: boolean;
};
export type SandboxFactory = { open(source: string, limits: ScriptLimits): Promise<Sandbox> };

/** Prepares the WebAssembly of QuickJS; about a tenth of a second. */
export async function loadQuickJs(clock: Pick<Clock, "monotonic">): Promise<SandboxFactory> {
  const metered = meterLoops(await quickJsBytes(), TICK_TURNS);
  const module = await WebAssembly.compile(metered.wasm);

  return {
    async open(source, limits) {
      const watch = { deadline: Number.POSITIVE_INFINITY, isOver: false };
      const begin = () => {
        watch.isOver = false;
        watch.deadline = clock.monotonic() + limits.timeMs;
      };
      /** What we do around a call is not the script's: a tick then must not find a time that is long over. */
      const end = () => {
        watch.deadline = Number.POSITIVE_INFINITY;
      };
      const tick = () => {
        if (clock.monotonic() < watch.deadline + TICK_GRACE_MS) return;
        watch.isOver = true;
        throw new OutOfTime();
      };
      const memory = new WebAssembly.Memory({
        initial: INITIAL_PAGES,
        maximum: INITIAL_PAGES + Math.ceil(limits.memoryBytes / PAGE),
      });
      const quickJs = await instantiate(module, metered.tick, memory, tick);
      const runtime = quickJs.newRuntime();
      runtime.setMemoryLimit(limits.memoryBytes);
      runtime.setMaxStackSize(limits.stackBytes);
      runtime.setInterruptHandler(() => {
        watch.isOver ||= clock.monotonic() >= watch.deadline;
        return watch.isOver;
      });
      const context = runtime.newContext();
      return openScript({ context, memory, source, limits, begin, end, watch });
    },
  };
}

class OutOfTime extends Error {}

type Imports = Record<string, Record<string, (...args: unknown[]) => unknown>>;

/** Emscripten's own hook for making the instance; it gets our module and a clock that is also the tick. */
function instantiate(
  module: WebAssembly.Module,
  { module: space, name }: MeteredModule["tick"],
  memory: WebAssembly.Memory,
  tick: () => void,
) {
  const instantiateWasm = (imports: Imports, made: (instance: WebAssembly.Instance) => void) => {
    const original = imports[space]?.[name];
    const patched = {
      ...imports,
      [space]: {
        ...imports[space],
        [name]: () => {
          tick();
          return original?.();
        },
      },
    };
    void WebAssembly.instantiate(module, patched as never).then((instance) => made(instance as never));
    return {};
  };
  return newQuickJSWASMModuleFromVariant(
    newVariant(variant, { wasmMemory: memory, emscriptenModule: { instantiateWasm } as never }),
  );
}

/** The package holds the bytes inside its code; they come by when it makes its first instance. */
async function quickJsBytes(): Promise<Uint8Array> {
  const original = WebAssembly.instantiate;
  let bytes: Uint8Array | undefined;
  const spy = (source: ArrayBuffer, imports: never) => {
    bytes = new Uint8Array(source);
    return original(source as never, imports);
  };
  WebAssembly.instantiate = spy as never;
  try {
    await newQuickJSWASMModuleFromVariant(variant);
  } finally {
    WebAssembly.instantiate = original;
  }
  if (!bytes) throw new Error("the WebAssembly of QuickJS was not found");
  return bytes;
}

type Parts = {
  context: QuickJSContext;
  memory: WebAssembly.Memory;
  source: string;
  limits: ScriptLimits;
  begin: () => void;
  end: () => void;
  watch: { readonly isOver: boolean };
};

function openScript({ context, memory, source, limits, begin, end, watch }: Parts): Sandbox {
  let isBroken = false;

  /** Runs something inside; what it cannot run to its end becomes a fault. */
  function guarded(run: () => { value: QuickJSHandle } | { error: QuickJSHandle }): QuickJSHandle | ScriptFault {
    begin();
    try {
      const result = run();
      if (!("error" in result) || result.error === undefined) return (result as { value: QuickJSHandle }).value;
      return faultOf(context.dump(result.error));
    } catch (error) {
      // It left WebAssembly by an exception: its stack pointer is anywhere.
      isBroken = true;
      if (error instanceof OutOfTime) return timeout();
      return fault("script_memory", `the stack is used up: ${error instanceof Error ? error.message : ""}`);
    } finally {
      end();
    }
  }

  function faultOf(thrown: unknown): ScriptFault {
    if (watch.isOver) return timeout();
    const { message, stack, name } = (typeof thrown === "object" && thrown !== null ? thrown : {}) as Thrown;
    if (name === "InternalError" && (message === "out of memory" || message === "stack overflow"))
      return fault("script_memory", message, stack);
    if (isHollow(thrown)) return fault("script_memory", "out of memory (or nothing was thrown)", stack);
    const text = typeof message === "string" ? `${typeof name === "string" ? name : "Error"}: ${message}` : thrown;
    return fault("script_error", typeof text === "string" ? text : (JSON.stringify(text) ?? String(text)), stack);
  }
  const timeout = () => fault("script_timeout", `it ran for more than ${limits.timeMs} ms`);

  const adapter = guarded(() => context.evalCode(ADAPTER, "adapter.js"));
  if (!isHandle(adapter)) throw new Error(`the adapter does not run: ${adapter.message}`);
  const evaluated = guarded(() => context.evalCode(source, FILE));
  if (!isHandle(evaluated)) return broken(evaluated, () => isBroken);
  evaluated.dispose();
  const found = guarded(() => context.evalCode(FUNCTIONS, "functions.js"));
  if (!isHandle(found)) return broken(found, () => isBroken);
  const decode = context.getProp(found, 0);
  const encode = context.getProp(found, 1);
  found.dispose();
  for (const [name, handle] of [
    ["decode", decode],
    ["encode", encode],
  ] as const)
    if (context.typeof(handle) !== "function")
      return broken(fault("script_error", `it has no function ${name}`), () => isBroken);

  const bound = guarded(() =>
    context.callFunction(
      adapter,
      context.undefined,
      ...[decode, encode],
      context.newNumber(limits.maxDecodedChars),
      context.newNumber(limits.maxEncodedBytes),
    ),
  );
  if (!isHandle(bound)) return broken(bound, () => isBroken);
  const runDecode = context.getProp(bound, 0);
  const runEncode = context.getProp(bound, 1);
  let image: MemoryImage | undefined;

  function run(call: Exclude<ScriptCall, { kind: "load" }>): ScriptOutcome {
    const isDecode = call.kind === "decode";
    const args = isDecode
      ? [context.newArrayBuffer(toBuffer(call.bytes)), context.newString(call.topic)]
      : [context.newString(call.json)];
    const result = guarded(() => context.callFunction(isDecode ? runDecode : runEncode, context.undefined, ...args));
    const outcome: ScriptOutcome = isHandle(result)
      ? { kind: "returned", text: context.getString(result) }
      : { kind: "threw", ...result };
    if (isBroken) return outcome;
    for (const handle of args) handle.dispose();
    if (isHandle(result)) result.dispose();
    return outcome;
  }

  return {
    call(call) {
      if (call.kind === "load") return { kind: "returned", text: "" };
      image ??= takeImage(memory);
      try {
        return run(call);
      } catch (error) {
        isBroken = true; // no memory for the arguments, say
        return { kind: "threw", ...fault("script_memory", error instanceof Error ? error.message : String(error)) };
      } finally {
        if (!isBroken) image.restore();
      }
    },
    get isBroken() {
      return isBroken;
    },
  };
}

type Thrown = { message?: unknown; stack?: unknown; name?: unknown };

/** Where there is no memory for an error either, QuickJS throws null or an error of which nothing can be read. */
const isHollow = (thrown: unknown): boolean =>
  thrown === "" ||
  (typeof thrown === "object" && (thrown === null || !Object.values(thrown).some((value) => value !== "")));

const isHandle = (value: QuickJSHandle | ScriptFault): value is QuickJSHandle => !("reason" in value);
const toBuffer = (bytes: Uint8Array) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);

/** A script that cannot be loaded says why at every call. */
const broken = (loadFault: ScriptFault, isBroken: () => boolean): Sandbox => ({
  call: () => ({ kind: "threw", ...loadFault }),
  get isBroken() {
    return isBroken() || loadFault.reason !== "script_error";
  },
});

function fault(reason: ScriptFault["reason"], message: string, stack?: unknown): ScriptFault {
  const place = typeof stack === "string" ? /script\.js:(\d+)(?::(\d+))?/.exec(stack) : null;
  return {
    reason,
    message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message,
    line: place ? Number(place[1]) : undefined,
    column: place?.[2] ? Number(place[2]) : undefined,
  };
}

/** Evaluated behind the script, where its global names can be seen, also those of `let` and `const`. */
const FUNCTIONS = `[
  typeof decode === "function" ? decode : undefined,
  typeof encode === "function" ? encode : undefined,
]`;

/** Evaluated before the script. Turns what comes from outside into what the two functions get, and what they give back into text. */
const ADAPTER = `(function () {
  "use strict";
  var parse = JSON.parse, stringify = JSON.stringify, define = Object.defineProperty, from = Array.from;
  var Bytes = Uint8Array, Buffer = ArrayBuffer, Wrong = TypeError, TooLong = RangeError;
  var DIGITS = "0123456789abcdef";

  function toJson(value, limit) {
    if (value === undefined || value === null) throw new Wrong("decode returned nothing");
    var text = typeof value === "string" ? value : stringify(value);
    if (typeof text !== "string") throw new Wrong("decode returned a " + typeof value);
    if (text.length > limit) throw new TooLong("decode returned more than " + limit + " characters");
    return text;
  }

  function toHex(value, limit) {
    if (value === undefined || value === null) return "";
    if (value instanceof Buffer) value = new Bytes(value);
    if (typeof value !== "object" || typeof value.length !== "number") throw new Wrong("encode returned no array of bytes");
    var length = value.length;
    if (!(length <= limit)) throw new TooLong("encode returned more than " + limit + " bytes");
    var text = "";
    for (var at = 0; at < length; at++) {
      var byte = value[at];
      if (typeof byte !== "number" || byte !== (byte | 0) || byte < -128 || byte > 255)
        throw new Wrong("encode returned something that is no byte at " + at);
      text += DIGITS[(byte >> 4) & 15] + DIGITS[byte & 15];
    }
    return text;
  }

  return function (decode, encode, maxChars, maxBytes) {
    return [
      function (input, topic) { return toJson(decode(from(new Bytes(input)), topic), maxChars); },
      function (input) {
        var message = parse(input);
        define(message, "toString", { value: function () { return input; }, writable: true, configurable: true });
        return toHex(encode(message), maxBytes);
      },
    ];
  };
})()`;
