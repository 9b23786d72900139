import { expect, test } from "bun:test";
import { PacketIds } from ".";

test("identifiers count from 1 and are not reused at once", () => {
  const ids = new PacketIds();
  expect([ids.take(), ids.take()]).toEqual([1, 2]);
  expect(ids.release(1)).toBe(true);
  expect([ids.take(), ids.has(1), ids.size]).toEqual([3, false, 2]);
});

test("identifiers in use are skipped, also those of a restored session", () => {
  const ids = new PacketIds([1, 2, 4]);
  expect([ids.take(), ids.take()]).toEqual([3, 5]);
});

test("after 65535 comes the first free one, never 0", () => {
  const ids = new PacketIds([1]);
  for (let last = 2; last <= 65_535; last++) expect(ids.take()).toBe(last);
  expect(ids.take()).toBeUndefined();
  ids.release(40_000);
  expect(ids.take()).toBe(40_000);
});

test("releasing what is not in use says so", () => expect(new PacketIds().release(1)).toBe(false));
