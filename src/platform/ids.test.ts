import { expect, test } from "bun:test";
import { randomIds } from "./ids";

test("ids are 32 hexadecimal digits, and never the same, however many are drawn", () => {
  const ids = Array.from({ length: 5_000 }, () => randomIds.next());
  expect(ids.filter((id) => !/^[0-9a-f]{32}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(5_000);
});
