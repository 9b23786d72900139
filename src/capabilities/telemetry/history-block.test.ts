import { expect, test } from "bun:test";
import { append, BLOCK_SPAN_MS, decodeBlock, hasRoom, openBlock, renderBlock } from "./history-block";

const T0 = Date.UTC(2026, 0, 1);
function block(...records: [serviceId: string, timestampMs: number, json: string][]) {
  const open = openBlock(1, records[0]?.[1] ?? T0);
  for (const [serviceId, timestampMs, json] of records) append(open, serviceId, timestampMs, json);
  return open;
}

test("a block gives back what was put in, newest first", () => {
  const open = block(["A", T0, '{"x":1}'], ["A", T0 + 5, '{"x":"ü\\n"}']);
  expect(open).toMatchObject({ count: 2, minMs: T0, maxMs: T0 + 5 });
  expect(decodeBlock(renderBlock(open))).toEqual([
    { serviceId: "A", timestampMs: T0 + 5, data: { x: "ü\n" } },
    { serviceId: "A", timestampMs: T0, data: { x: 1 } },
  ]);
});

test("services may mix, from any record on", () => {
  const open = block(["A", T0, "{}"], ["A", T0 + 1, "{}"], ['B"', T0 + 2, "{}"], ["A", T0 + 3, "{}"]);
  expect(decodeBlock(renderBlock(open)).map(({ serviceId }) => serviceId)).toEqual(["A", 'B"', "A", "A"]);
});

test("records out of order are sorted, equal times by arrival", () => {
  const open = block(["late", T0 + 9, "{}"], ["first", T0, "{}"], ["second", T0, "{}"], ["mid", T0 + 4, "{}"]);
  expect(open).toMatchObject({ minMs: T0, maxMs: T0 + 9 });
  expect(decodeBlock(renderBlock(open)).map(({ serviceId }) => serviceId)).toEqual(["late", "mid", "second", "first"]);
});

test("a block ends at the hour and when it is full", () => {
  const open = block(["A", T0, "{}"]);
  expect(hasRoom(open, T0 + BLOCK_SPAN_MS - 1)).toBe(true);
  expect(hasRoom(open, T0 + BLOCK_SPAN_MS)).toBe(false);
  expect(hasRoom(open, T0 - 1)).toBe(false);
  for (let index = 1; index < 512; index++) append(open, "A", T0, "{}");
  expect(hasRoom(open, T0)).toBe(false);
});

test("times before 1970 have their hours too", () => {
  const open = block(["A", -1, "{}"]);
  expect(hasRoom(open, -BLOCK_SPAN_MS)).toBe(true);
  expect(hasRoom(open, 0)).toBe(false);
});
