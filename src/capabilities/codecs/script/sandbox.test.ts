import { beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../../platform/clock";
import { SMOKE_SCRIPT, setAlarm } from "../testing/smoke";
import { loadQuickJs, type SandboxFactory } from "./sandbox";
import type { ScriptLimits } from "./script-protocol";

const LIMITS: ScriptLimits = {
  timeMs: 500, // other work on this machine counts too
  memoryBytes: 8 * 1024 * 1024,
  stackBytes: 256 * 1024,
  maxDecodedChars: 1_000,
  maxEncodedBytes: 100,
};
let factory: SandboxFactory;
beforeAll(async () => {
  factory = await loadQuickJs(systemClock);
});

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
async function open(source: string, limits: Partial<ScriptLimits> = {}) {
  const sandbox = await factory.open(source, { ...LIMITS, ...limits });
  return {
    sandbox,
    decode: (hex = "00", topic = "/t") => sandbox.call({ kind: "decode", bytes: bytesOf(hex), topic }),
    encode: (message: object) => sandbox.call({ kind: "encode", json: JSON.stringify(message) }),
  };
}
/** The value of an expression inside the body of `decode`, as JSON. */
async function evaluate(body: string, limits: Partial<ScriptLimits> = {}) {
  const source = `function decode(payload, topic) { ${body} }\nfunction encode() { return [] }`;
  const { decode } = await open(source, limits);
  const outcome = decode();
  return outcome.kind === "returned" ? JSON.parse(outcome.text) : outcome;
}

describe("what goes in and comes out", () => {
  test.each([
    ["000102", '{"msgType":"deviceReq","data":[{"serviceId":"Smoke","serviceData":{"level":258}}]}'],
    ["010568656c6c6f", '{"msgType":"deviceReq","data":[{"serviceId":"Smoke","serviceData":{"note":"hello"}}]}'],
    ["0400010001", '{"msgType":"deviceRsp","mid":1,"errcode":0,"body":{"result":1}}'],
  ])("decode(%s)", async (hex, text) => {
    expect((await open(SMOKE_SCRIPT)).decode(hex)).toEqual({ kind: "returned", text });
  });
  test("encode", async () => {
    expect((await open(SMOKE_SCRIPT)).encode(setAlarm({ value: 255 }, 65_535))).toEqual({
      kind: "returned",
      text: "03ffffff",
    });
  });
  test("payload is an array of byte values, and the topic comes with it", async () => {
    const source = "function decode(p, t) { return [Array.isArray(p), p, t] } function encode() {}";
    expect((await open(source)).decode("00ff7f80", "/19/0/0")).toEqual({
      kind: "returned",
      text: '[true,[0,255,127,128],"/19/0/0"]',
    });
  });
  test.each([
    ["an object", "message.mid"],
    ["a JSON string", "JSON.parse(message).mid"],
    ["an object that is copied", "JSON.parse(JSON.stringify(message)).mid"],
    ["text", "JSON.parse(String(message)).mid"],
  ])("the message to encode can be read as %s", async (_name, expression) => {
    const it = await open(`function decode() {} function encode(message) { return [${expression}] }`);
    expect(it.encode({ msgType: "cloudReq", mid: 7 })).toEqual({ kind: "returned", text: "07" });
  });
  test.each([
    ["[1, 255, -1, 0]", "01ffff00"],
    ["new Uint8Array([1, 2])", "0102"],
    ["new Uint8Array([1, 2]).buffer", "0102"],
    ["new Int8Array([-128])", "80"],
    ["[]", ""],
    ["null", ""],
    ["undefined", ""],
  ])("encode may return %s", async (expression, text) => {
    expect((await open(`function decode() {} function encode() { return ${expression} }`)).encode({})).toEqual({
      kind: "returned",
      text,
    });
  });
  test.each([
    ["'0102'", "no array of bytes"],
    ["5", "no array of bytes"],
    ["({})", "no array of bytes"],
    ["[256]", "no byte at 0"],
    ["[1, 1.5]", "no byte at 1"],
    ["[1, '2']", "no byte at 1"],
    ["[1, , 3]", "no byte at 1"],
    ["new Array(101)", "more than 100 bytes"],
    ["({ length: 1e9 })", "more than 100 bytes"],
  ])("encode may not return %s", async (expression, message) => {
    expect((await open(`function decode() {} function encode() { return ${expression} }`)).encode({})).toMatchObject({
      kind: "threw",
      reason: "script_error",
      message: expect.stringContaining(message),
    });
  });
  test.each([
    ["undefined", "returned nothing"],
    ["null", "returned nothing"],
    ["function () {}", "returned a function"],
    ["'x'.repeat(1001)", "more than 1000 characters"],
    ["(function () { var a = []; a[0] = a; return a })()", "circular"],
  ])("decode may not return %s", async (expression, message) => {
    expect((await open(`function decode() { return ${expression} } function encode() {}`)).decode()).toMatchObject({
      reason: "script_error",
      message: expect.stringContaining(message),
    });
  });
  test("ECMAScript 5.1, let and const, and what QuickJS has beyond", async () => {
    const source = `
      let unit = "C"; const FACTOR = 0.1;
      const decode = (payload) => ({ msgType: "deviceReq", data: [{ serviceId: \`T\${unit}\`, serviceData: { t: payload[0] * FACTOR } }] });
      var encode = function (message) { return [...[1, 2]] };`;
    expect((await open(source)).decode("0a")).toMatchObject({ text: expect.stringContaining('"TC"') });
  });
  test("globals without a declaration are allowed, as in old scripts", async () => {
    const { decode } = await open("function decode(p) { for (i = 0; i < 3; i++); return [i] } function encode() {}");
    expect([decode(), decode()]).toEqual([
      { kind: "returned", text: "[3]" },
      { kind: "returned", text: "[3]" },
    ]);
  });
});

describe("a script that does not load says why, with line and column", () => {
  test.each([
    ["var a = ;\nfunction decode() {}", { message: "SyntaxError: unexpected token in expression: ';'", line: 1 }],
    ["\n\nfunction decode( {", { message: expect.stringContaining("SyntaxError"), line: 3 }],
    ["}); (function () {", { message: expect.stringContaining("SyntaxError"), line: 1 }],
    ["\nnowhere.to.be.found", { message: expect.stringContaining("ReferenceError"), line: 2, column: 1 }],
    ["throw 'no'", { message: "no", line: undefined }],
    ["function encode() {}", { message: "it has no function decode" }],
    ["function decode() {}", { message: "it has no function encode" }],
    ["var decode = 5; function encode() {}", { message: "it has no function decode" }],
  ])("%j", async (source, expected) => {
    const { sandbox } = await open(source);
    expect(sandbox.call({ kind: "decode", bytes: bytesOf("00"), topic: "" })).toMatchObject({
      kind: "threw",
      reason: "script_error",
      ...expected,
    });
  });
  test("loading a good one is silent", async () => {
    expect((await open(SMOKE_SCRIPT)).sandbox.call({ kind: "load" })).toEqual({ kind: "returned", text: "" });
  });
});

test("what is thrown is told with its line", async () => {
  const { decode } = await open("function decode(p) {\n  return p.none.such;\n}\nfunction encode() {}");
  expect(decode()).toMatchObject({ reason: "script_error", line: 2, message: expect.stringContaining("TypeError") });
  expect(await evaluate("throw { a: 1 }")).toMatchObject({ message: '{"a":1}' });
  expect(await evaluate("throw null")).toMatchObject({ kind: "threw" });
  expect(await evaluate("throw 0")).toMatchObject({ reason: "script_error", message: "0" });
  expect(await evaluate("throw new Error('x'.repeat(1e5))")).toMatchObject({ message: expect.stringMatching(/x…$/) });
});

describe("limits", () => {
  const LOOPS = [
    "for (;;) {}",
    "try { for (;;) {} } catch (e) { return [1] }",
    "try { for (;;) {} } finally { for (;;) {} }",
    "(function f() { try { f() } finally { f() } })()",
    "/(a+)+$/.test('a'.repeat(60) + '!')",
    "var p = Promise.resolve(); for (;;) p = p.then(function () {})",
    // Inside QuickJS, where it does not look at the time itself.
    "Array.prototype.indexOf.call({ length: 9007199254740991 }, 1)",
    "Array.prototype.forEach.call({ length: 9007199254740991 }, function () {})",
    "var a = []; a.length = 4294967295; a.reverse()",
    "var a = []; for (var i = 0; i < 60; i++) a = [a, a]; a.flat(Infinity)",
    "'a'.repeat(1e6).indexOf('a'.repeat(5e5) + 'b')",
    "new Set(Array.prototype.values.call({ length: 9007199254740991 }))",
    "Array.prototype.values.call({ length: 9007199254740991 }).drop(9007199254740990).next()",
  ];
  test.each(LOOPS)("time: %s", async (body) => {
    const since = systemClock.monotonic();
    const outcome = await evaluate(body);
    const tookMs = systemClock.monotonic() - since;
    // Some use up their memory or their stack first.
    expect(["script_timeout", "script_memory"]).toContain(outcome.reason);
    expect(tookMs).toBeLessThan(5_000);
  });
  test("an endless loop is a timeout, also while the script loads", async () => {
    expect(await evaluate("for (;;) {}")).toMatchObject({ reason: "script_timeout" });
    expect(await evaluate(LOOPS[6] as string)).toMatchObject({ reason: "script_timeout" });
    expect((await open("for (;;) {}")).decode()).toMatchObject({ reason: "script_timeout" });
  });
  test.each([
    "var a = []; for (;;) a.push('x'.repeat(1000) + a.length)",
    "var a = []; for (;;) a = [a]",
    "var m = new Map(); for (var i = 0; ; i++) m.set(i, { i: i })",
    "var p = Promise.resolve(); for (;;) p = p.then(function () {})",
    "'x'.repeat(1e9)",
    "new Uint8Array(1e9)",
    "new ArrayBuffer(9e6)",
    "(function f() { f() })()",
    "(function f(n) { return [n].map(f) })(0)",
    "JSON.parse('['.repeat(1e5))",
    "eval('('.repeat(1e5))",
    "var o = {}; for (var i = 0; i < 1e5; i++) o = { o: o }; return JSON.stringify(o)",
  ])("memory and stack: %s", async (body) => {
    expect(await evaluate(body, { timeMs: 20_000 })).toMatchObject({ kind: "threw", reason: "script_memory" });
  });
  test("after a limit the next call is as good as new, or the sandbox says that it is broken", async () => {
    const source = `function decode(p) {
      if (p[0] === 1) for (;;) {}
      if (p[0] === 2) { var a = []; for (;;) a.push("x" + a.length) }
      if (p[0] === 3) Array.prototype.indexOf.call({ length: 9007199254740991 }, 1);
      return [p[0]]
    } function encode() {}`;
    const { sandbox, decode } = await open(source, { timeMs: 1_000 });
    for (const hex of ["01", "02"]) {
      expect(decode(hex).kind).toBe("threw");
      expect(sandbox.isBroken).toBe(false);
      expect(decode("09")).toEqual({ kind: "returned", text: "[9]" });
    }
    expect(decode("03").kind).toBe("threw");
    expect(sandbox.isBroken).toBe(true);
  });
});

describe("every call starts with fresh state", () => {
  test.each([
    ["a global variable", "n = typeof n === 'undefined' ? 1 : n + 1; return [n]", "[1]"],
    ["a variable of the script", "state.n++; return [state.n]", "[1]"],
    ["a property of a function", "decode.n = (decode.n || 0) + 1; return [decode.n]", "[1]"],
    ["a prototype", "var had = 'x' in {}; Object.prototype.x = 1; return [had]", "[false]"],
    ["a replaced intrinsic", "var had = Array.isArray([]); Array.isArray = function () {}; return [had]", "[true]"],
    [
      "a property that cannot be deleted",
      "var had = 'p' in globalThis; Object.defineProperty(globalThis, 'p', { value: 1 }); return [had]",
      "[false]",
    ],
    ["a frozen object", "var was = Object.isFrozen(Math); Object.freeze(Math); return [was]", "[false]"],
    ["a registered symbol", "var s = Symbol.for('a'); var had = s in Array; Array[s] = 1; return [had]", "[false]"],
    ["a patched JSON", "var t = JSON.stringify([1]); JSON.stringify = function () { return 'no' }; return t", "[1]"],
    ["pending promises", "var r = [state.n]; Promise.resolve().then(function () { state.n = 9 }); return r", "[0]"],
    ["a replaced decode", "decode = function () { return [2] }; return [1]", "[1]"],
  ])("%s does not survive", async (_name, body, text) => {
    const { decode } = await open(`var state = { n: 0 }; function decode() { ${body} } function encode() {}`);
    for (let round = 0; round < 3; round++) expect(decode()).toEqual({ kind: "returned", text });
  });
  test("also when the call throws", async () => {
    const { decode } = await open(
      "var n = 0; function decode(p) { n++; if (p[0]) throw new Error('no'); return [n] } function encode() {}",
    );
    decode("01");
    expect(decode("00")).toEqual({ kind: "returned", text: "[1]" });
  });
  test("the time of one call is not the time of the next", async () => {
    let now = 0;
    const ownTime = await loadQuickJs({ monotonic: () => now });
    const sandbox = await ownTime.open("function decode() { return [1] } function encode() {}", LIMITS);
    sandbox.call({ kind: "decode", bytes: bytesOf("00"), topic: "/t" });
    now += 2 * LIMITS.timeMs; // its time is over now
    const bytes = new Uint8Array(1_000_000); // enough turns of loops inside QuickJS for a look at the clock
    for (let round = 0; round < 20; round++)
      expect(sandbox.call({ kind: "decode", bytes, topic: "x".repeat(200_000) }).kind).toBeString();
    expect(sandbox.isBroken).toBe(false);
  });
  test("many calls leave nothing behind in memory", async () => {
    const { decode } = await open(
      "function decode() { return [new Array(1e5).join('x').length] } function encode() {}",
    );
    for (let round = 0; round < 500; round++) expect(decode()).toEqual({ kind: "returned", text: "[99999]" });
  });
});

describe("there is no way out", () => {
  test.each([
    "fetch",
    "require",
    "process",
    "Bun",
    "setTimeout",
    "console",
    "self",
    "postMessage",
    "WebAssembly",
    "import",
  ])("no %s", async (name) => {
    const has = name === "import" ? "'import' in globalThis" : `typeof ${name} !== 'undefined'`;
    expect(await evaluate(`return [${has}]`)).toEqual([false]);
  });
  test("the globals are those of the language", async () => {
    const names: string[] = await evaluate("return Object.getOwnPropertyNames(globalThis)");
    const own = ["decode", "encode"];
    const strange = names.filter((name) => !own.includes(name) && !(name in globalThis) && name !== "InternalError");
    expect(strange).toEqual([]);
  });
  test.each([
    "return [typeof (function () {}).constructor('return this')().process]",
    "return [typeof new Function('return this')().Bun]",
    "return [typeof (0, eval)('this').process]",
    "return [typeof [].constructor.constructor('return this')().fetch]",
    "try { null.x } catch (e) { return [typeof e.constructor.constructor('return this')().process] }",
    "return [typeof payload.constructor.constructor('return this')().process]",
    "return [typeof arguments.callee.caller]",
    "return [typeof (async function () {}).constructor('return this').process]",
  ])("%s", async (body) => {
    expect(await evaluate(body)).toEqual([expect.stringMatching(/^(undefined|object)$/)]);
  });
  test("modules cannot be imported", async () => {
    expect(await evaluate("var p = import('fs'); return [typeof p]")).toEqual(["object"]); // a promise that nobody runs
    expect((await open("import fs from 'fs'; function decode() {} function encode() {}")).decode()).toMatchObject({
      reason: "script_error",
    });
  });
  test("a thrown object with traps does no harm", async () => {
    const body = "throw new Proxy({}, { get: function () { for (;;) {} }, ownKeys: function () { for (;;) {} } })";
    const { sandbox, decode } = await open(`function decode() { ${body} } function encode() {}`);
    expect(decode().kind).toBe("threw");
    expect(sandbox.isBroken || decode().kind === "threw").toBe(true);
  });
});
