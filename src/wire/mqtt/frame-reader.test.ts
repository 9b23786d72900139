import { describe, expect, test } from "bun:test";
import { FrameReader, type MqttFault, MqttProtocolError } from ".";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const BIG = `30 8804 0001 61 ${"42".repeat(517)}`;
const STREAM = hex(`c000 4002 0001 ${BIG} e000 3003 0001 61 ${BIG} d000`);
const FRAMES = ["c0", "40 0001", BIG, "e0", "30 0001 61", BIG, "d0"].map((frame) =>
  frame.replace(" 8804", "").replaceAll(" ", ""),
);

describe("a stream", () => {
  test("in one chunk gives its frames as views of the chunk", () => {
    const reader = new FrameReader(1_000);
    reader.push(STREAM);
    const buffers: ArrayBufferLike[] = [];
    while (reader.next()) buffers.push(reader.bytes.buffer);
    expect(buffers).toHaveLength(FRAMES.length);
    expect(new Set(buffers)).toEqual(new Set([STREAM.buffer]));
  });

  test("cut at any position gives the same frames", () => {
    for (let cut = 0; cut <= STREAM.length; cut++) {
      expect(framesOf([STREAM.subarray(0, cut), STREAM.subarray(cut)])).toEqual(FRAMES);
    }
  });

  test.each([1, 2, 3, 5, 7, 64, 100])("in pieces of %d gives the same frames", (size) => {
    expect(framesOf(piecesOf(STREAM, size))).toEqual(FRAMES);
  });

  test("pushed whole before the first frame is taken gives the same frames", () => {
    const reader = new FrameReader(1_000);
    for (const piece of piecesOf(STREAM, 3)) reader.push(piece);
    expect(reader.heldBytes).toBe(STREAM.length);
    expect(drain(reader)).toEqual(FRAMES);
    expect(reader.heldBytes).toBe(0);
  });

  test("can be left in the middle and pushed on", () => {
    const reader = new FrameReader(1_000);
    reader.push(STREAM.subarray(0, 100));
    expect(reader.next()).toBe(true);
    reader.push(STREAM.subarray(100));
    expect([reader.firstByte.toString(16), ...drain(reader)]).toEqual(FRAMES);
  });
});

test("between packets nothing is held", () => {
  const reader = new FrameReader(1_000);
  reader.push(STREAM);
  drain(reader);
  expect([reader.bytes.length, reader.heldBytes]).toEqual([0, 0]);
  reader.push(hex("30 05 0001"));
  drain(reader);
  expect([reader.bytes.length, reader.heldBytes]).toEqual([0, 4]);
});

test("earlier frames stay as they were when later ones come", () => {
  const reader = new FrameReader(1_000);
  const bodies: Uint8Array[] = [];
  for (const piece of piecesOf(STREAM, 9)) {
    reader.push(piece);
    while (reader.next()) bodies.push(reader.body());
  }
  expect(bodies.map((body) => body.toHex())).toEqual(FRAMES.map((frame) => frame.slice(2)));
});

const STOPPED: [rule: string, reason: MqttFault, limit: number, chunks: string[]][] = [
  ["a 256 MB packet", "packet_too_large", 1_000, ["30 ffffff7f"]],
  ["a 256 MB packet in bytes", "packet_too_large", 1_000, ["30", "ff", "ff", "ff", "7f"]],
  ["a packet one byte over the limit", "packet_too_large", 5, ["30 04"]],
  ["a fifth length byte", "remaining_length", 1_000, ["30 ffffffff"]],
  ["a fifth length byte in bytes", "remaining_length", 1_000, ["30", "ff", "ff", "ff", "ff"]],
  ["a reserved packet type before anything follows", "packet_type", 1_000, ["f0"]],
  ["reserved flags behind a good packet", "fixed_header_flags", 1_000, ["c000 c1"]],
];

test.each(STOPPED)("stops at %s, and stays there: %s", (_rule, reason, limit, chunks) => {
  const reader = new FrameReader(limit);
  const push = () => {
    for (const chunk of chunks) {
      reader.push(hex(chunk));
      drain(reader);
    }
  };
  expect(reasonOf(push)).toBe(reason);
  expect(reasonOf(() => drain(reader))).toBe(reason);
  expect(reader.heldBytes).toBeLessThan(10);
});

test("a packet of just the limit passes", () => {
  const reader = new FrameReader(6);
  reader.push(hex("30 04 0001 61 62"));
  expect(drain(reader)).toEqual(["3000016162"]);
});

test("the limit can be raised between two packets of one chunk", () => {
  const reader = new FrameReader(10);
  reader.push(STREAM);
  expect(reader.next()).toBe(true);
  reader.maxPacketBytes = 1_000;
  expect(drain(reader)).toHaveLength(FRAMES.length - 1);
});

test("an announced packet takes no more than twice the memory that has arrived", () => {
  const reader = new FrameReader(2 ** 28 + 5);
  reader.push(hex("30 ffffff7f"));
  let largest = 0;
  for (let piece = 0; piece < 1_000; piece++) {
    reader.push(new Uint8Array(100));
    drain(reader);
    largest = Math.max(largest, reader.heldBytes);
  }
  expect(largest).toBe(100_005);
  expect(reader.keptCapacity).toBeLessThanOrEqual(2 * largest);
});

test("a big packet in little chunks is copied a linear number of times", () => {
  const body = new Uint8Array(1_000_000).fill(7);
  const reader = new FrameReader(2_000_000);
  const capacities = new Set<number>();
  reader.push(hex("30 c0843d")); // 1,000,000
  for (const piece of piecesOf(body, 50)) {
    expect(reader.next()).toBe(false);
    capacities.add(reader.keptCapacity);
    reader.push(piece);
  }
  expect(reader.next()).toBe(true);
  expect(reader.body()).toEqual(body);
  expect(capacities.size).toBeLessThan(25);
});

function framesOf(chunks: Uint8Array[]): string[] {
  const reader = new FrameReader(1_000);
  return chunks.flatMap((chunk) => {
    reader.push(chunk);
    return drain(reader);
  });
}

function drain(reader: FrameReader): string[] {
  const frames: string[] = [];
  while (reader.next()) frames.push(Uint8Array.of(reader.firstByte, ...reader.body()).toHex());
  return frames;
}

function piecesOf(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
}

function reasonOf(run: () => unknown): MqttFault | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof MqttProtocolError) return error.reason;
    throw error;
  }
}
