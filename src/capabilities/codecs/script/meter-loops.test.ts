import { expect, test } from "bun:test";
import { meterLoops } from "./meter-loops";

/** Imports `e.t: () → f64` and `e.g: i32` (a global); exports `f(n)`, which counts n down to zero in a loop. */
const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 10, 2, 0x60, 0, 1, 0x7c, 0x60, 1, 0x7f, 1, 0x7f], // () → f64; (i32) → i32
  ...[2, 14, 2, 1, 0x65, 1, 0x74, 0, 0, 1, 0x65, 1, 0x67, 3, 0x7f, 0], // functions and globals
  ...[3, 2, 1, 1],
  ...[6, 6, 1, 0x7f, 0, 0x41, 5, 0x0b], // a global of its own
  ...[7, 5, 1, 1, 0x66, 0, 1],
  ...[10, 29, 1, 27, 1, 1, 0x7f], // one function with one local
  ...[0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x21, 0, 0x20, 0, 0x0d, 0, 0x0b], // loop: n = n - 1, again while n
  ...[0x23, 0, 0x23, 1, 0x6a, 0x21, 1, 0x20, 1, 0x0b], // the sum of both globals
]);

async function instance(bytes: Uint8Array<ArrayBuffer>, tick: () => number) {
  const made = await WebAssembly.instantiate(bytes, {
    e: { t: tick, g: new WebAssembly.Global({ value: "i32" }, 37) },
  } as never);
  return (made as unknown as { instance: { exports: { f(n: number): number } } }).instance.exports;
}

test("the module is what it is said to be", async () => {
  expect((await instance(MODULE, () => 0)).f(10)).toBe(42);
});

test.each([
  [1, 10, 10],
  [10, 99, 9],
  [10, 100, 10],
  [1_000, 64_000, 64],
  [100_000, 1_000_000, 10],
])("with a period of %i, %i turns tick %i times and change nothing else", async (period, turns, expected) => {
  const { wasm, tick } = meterLoops(MODULE, period);
  expect(tick).toEqual({ module: "e", name: "t" });
  let ticks = 0;
  expect((await instance(wasm, () => ++ticks)).f(turns)).toBe(42);
  expect(ticks).toBe(expected);
});

test("a tick that throws ends the loop", async () => {
  const { f } = await instance(meterLoops(MODULE, 100).wasm, () => {
    throw new Error("enough");
  });
  expect(() => f(2 ** 31 - 1)).toThrow("enough");
});

test("cut anywhere, the module is refused", () => {
  for (let end = 0; end < MODULE.length; end++) expect(() => meterLoops(MODULE.subarray(0, end), 10)).toThrow();
});

test("an instruction that is not known is refused", () => {
  const spoiled = MODULE.slice();
  spoiled[spoiled.length - 3] = 0xfd; // SIMD
  expect(() => meterLoops(spoiled, 10)).toThrow("instruction");
});
