import { expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { checkCodeOf, crc16, decodeDeviceMessage, decodePlatformMessage, encodePlatformMessage } from ".";
import { PCP_VECTORS } from "./testing/vectors";

/** pcp.md §9, check values. */
test.each([
  ["123456789", Buffer.from("123456789"), 0xb955],
  ["a version query", Uint8Array.fromHex("FFFE011300000000"), 0x4c9a],
  ["nothing", new Uint8Array(0), 0],
])("over %s", (_name, bytes, code) => {
  expect(crc16(bytes)).toBe(code);
});

test("is none of its relatives", () => {
  for (const relative of [0x2677, 0x1749, 0x4efe, 0xcd8d])
    expect(crc16(Uint8Array.fromHex("FFFE011300000000"))).not.toBe(relative);
});

test("goes on from what is before", () => {
  const bytes = Buffer.from("123456789");
  for (let cut = 0; cut <= bytes.length; cut++)
    expect(crc16(bytes, cut, bytes.length, crc16(bytes, 0, cut))).toBe(0xb955);
});

test("does not depend on the check code that is there, and touches nothing", () => {
  for (const { bytes } of PCP_VECTORS) {
    const spoiled = bytes.with(4, 0xaa).with(5, 0x55);
    const before = spoiled.toHex();
    expect(checkCodeOf(spoiled)).toBe(((bytes[4] as number) << 8) | (bytes[5] as number));
    expect(spoiled.toHex()).toBe(before);
  }
});

test("sees every change of one byte, up to the largest frame", () => {
  const { bytes } = PCP_VECTORS.find(({ name }) => name.includes("max-500")) ?? { bytes: new Uint8Array(0) };
  expect(bytes.length).toBe(511);
  const frame = bytes.slice();
  const code = crc16(frame);
  let unseen = 0;
  for (let at = 0; at < frame.length; at++) {
    const byte = frame[at] as number;
    for (let mask = 1; mask <= 0xff; mask++) {
      frame[at] = byte ^ mask;
      if (crc16(frame) === code) unseen++;
    }
    frame[at] = byte;
  }
  expect(unseen).toBe(0);
});

test("so every vector with one wrong byte is no PCP", () => {
  for (const { bytes, direction } of PCP_VECTORS) {
    if (bytes.length > 100) continue;
    const decode = direction === "platform-to-device" ? decodePlatformMessage : decodeDeviceMessage;
    const frame = bytes.slice();
    for (let at = 0; at < frame.length; at++) {
      if (at === 2) continue; // its high half is checked too, but a new check code would make it right again
      const byte = frame[at] as number;
      for (let mask = 1; mask <= 0xff; mask++) {
        frame[at] = byte ^ mask;
        if (decode(frame).kind !== "notPcp") throw new Error(`${bytes.toHex()} at ${at} with ${mask}`);
      }
      frame[at] = byte;
    }
  }
});

/**
 * What the check code does not see (pcp.md §9, which says so of all frames; it holds for those that end in three zero
 * bytes, as padded versions do): why the length is checked as well.
 */
test(`does not see 13 zero bytes behind three (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 500; round++) {
    const bytes = new Uint8Array(60);
    const length = 3 + random.below(40);
    bytes.set(random.bytes(length - 3));
    expect(crc16(bytes, 0, length + 13)).toBe(crc16(bytes, 0, length));
  }
});

test("has the period 13 there, and none that is shorter", () => {
  const bytes = new Uint8Array(40);
  bytes[0] = 1;
  const codes = Array.from({ length: 13 }, (_, zeros) => crc16(bytes, 0, 4 + zeros));
  expect(new Set(codes).size).toBe(13);
  expect(crc16(bytes, 0, 17)).toBe(codes[0] as number);
});

test("does not see 127 of 255 masks when they come again 13 bytes later", () => {
  const unseen = Array.from({ length: 255 }, (_, at) => at + 1).filter((mask) => {
    const bytes = new Uint8Array(14);
    bytes[0] = mask;
    bytes[13] = mask;
    return crc16(bytes) === 0; // it is linear: what a mask alone leaves at zero it leaves everywhere
  });
  expect(unseen.length).toBe(127);
  expect(unseen).toContain(2);
});

test("does not see three pairs of masks side by side, and sees all others", () => {
  const unseen: string[] = [];
  for (let pair = 0; pair < 0x1_0000; pair++) {
    const bytes = Uint8Array.of(pair >> 8, pair & 0xff);
    if (pair !== 0 && crc16(bytes) === 0) unseen.push(bytes.toHex());
  }
  expect(unseen).toEqual(["0ac3", "8362", "89a1"]);
});

test("what is sent has it in its place", () => {
  expect(encodePlatformMessage({ type: "queryVersionRequest" }).toHex()).toBe("fffe01134c9a0000");
});
