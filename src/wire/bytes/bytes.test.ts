import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { ByteReader, ByteWriter } from ".";

const INTEGERS: [value: number, width: number, hex: string][] = [
  [0, 0, ""],
  [0, 1, "00"],
  [0xff, 1, "ff"],
  [0x1234, 2, "1234"],
  [1, 3, "000001"],
  [0xffff_ffff, 4, "ffffffff"],
  [0x0102_0304_0506, 6, "010203040506"],
];

describe.each(INTEGERS)("%d in %d bytes", (value, width, hex) => {
  test("is written big-endian", () => {
    const writer = new ByteWriter();
    writer.uint(value, width);
    expect(writer.finish().toHex()).toBe(hex);
  });
  test("is read back", () => expect(new ByteReader(Uint8Array.fromHex(hex)).uint(width)).toBe(value));
});

test.each([
  [256, 1],
  [-1, 2],
  [2 ** 32, 4],
])("%d does not fit %d bytes", (value, width) => {
  expect(() => new ByteWriter().uint(value, width)).toThrow(RangeError);
});

test("a read past the end is malformed and moves nothing", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2));
  expect(() => reader.bytes(3)).toThrow(MalformedError);
  expect(() => reader.uint(3)).toThrow(MalformedError);
  expect(reader.remaining).toBe(2);
  expect(reader.uint(2)).toBe(0x0102);
});

test("what was written survives growth", () => {
  const writer = new ByteWriter();
  for (let value = 0; value < 1_000; value++) writer.uint(value % 256, 1);
  writer.bytes(new Uint8Array(10_000).fill(7));
  const bytes = writer.finish();
  expect(writer.length).toBe(11_000);
  expect(bytes.length).toBe(11_000);
  expect([bytes[0], bytes[999], bytes[1_000], bytes[10_999]]).toEqual([0, 999 % 256, 7, 7]);
});
