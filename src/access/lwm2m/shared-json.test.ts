import { expect, test } from "bun:test";
import { sharedJson } from "./shared-json";

test("the same text gives the same value, another text another one", () => {
  const read = sharedJson();
  const one = read<number[]>("[1,2]");
  expect(one).toEqual([1, 2]);
  expect(read<number[]>("[1,2]")).toBe(one);
  expect(read<number[]>("[1,3]")).toEqual([1, 3]);
});

test("a long text is not kept", () => {
  const read = sharedJson();
  const long = JSON.stringify("x".repeat(5_000));
  expect(read<string>(long)).toBe("x".repeat(5_000));
  const list = JSON.stringify([..."x".repeat(3_000)]);
  expect(read<string[]>(list)).not.toBe(read<string[]>(list));
});

test("of many texts the ones used last are kept", () => {
  const read = sharedJson();
  const first = read<number[]>("[0]");
  for (let n = 1; n < 1_000; n++) read(`[${n}]`);
  expect(read<number[]>("[0]")).not.toBe(first);
  const last = read<number[]>("[999]");
  expect(read<number[]>("[999]")).toBe(last);
});

test("what is no JSON throws each time", () => {
  const read = sharedJson();
  expect(() => read("{")).toThrow(SyntaxError);
  expect(() => read("{")).toThrow(SyntaxError);
});
