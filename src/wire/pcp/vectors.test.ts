import { describe, expect, test } from "bun:test";
import { decodeDeviceMessage, decodePlatformMessage, encodeDeviceMessage, encodePlatformMessage } from ".";
import { PCP_VECTORS } from "./testing/vectors";

test("there are 52 vectors, and every message is among them", () => {
  expect(PCP_VECTORS.length).toBe(52);
  expect(new Set(PCP_VECTORS.map(({ message }) => message.type)).size).toBe(12);
});

describe.each(PCP_VECTORS)("$name", (vector) => {
  const { bytes, direction } = vector;
  const decode = direction === "platform-to-device" ? decodePlatformMessage : decodeDeviceMessage;

  test("decodes", () => expect(decode(bytes) as unknown).toEqual({ kind: "message", message: vector.message }));
  test("encodes to the same bytes", () => {
    const encoded =
      vector.direction === "platform-to-device"
        ? encodePlatformMessage(vector.message)
        : encodeDeviceMessage(vector.message);
    expect(encoded.toHex()).toBe(bytes.toHex());
  });
  test("is not PCP when cut anywhere", () => {
    for (let cut = 0; cut < bytes.length; cut++) expect(decode(bytes.subarray(0, cut)).kind).toBe("notPcp");
  });
  test("is not PCP with anything behind it", () => {
    for (const more of [1, 2, 13, 26]) {
      const longer = new Uint8Array(bytes.length + more);
      longer.set(bytes);
      expect(decode(longer).kind).toBe("notPcp");
    }
  });
  test("ignores the reserved half of the version byte", () => {
    const reserved = withCheckCode(bytes.with(2, 0xa1));
    expect(decode(reserved) as unknown).toEqual({ kind: "message", message: vector.message });
  });
});

test("the data of a shard are a view of its frame", () => {
  const { bytes } = PCP_VECTORS.find(({ name }) => name === "get-shard-response-max-500-byte-shard") ?? fail();
  const decoded = decodePlatformMessage(bytes);
  if (decoded.kind !== "message" || decoded.message.type !== "shardResponse") return fail();
  expect(decoded.message.data.buffer).toBe(bytes.buffer);
  expect(decoded.message.data.byteOffset).toBe(bytes.byteOffset + 11);
  expect(bytes.length).toBe(511);
});

function withCheckCode(frame: Uint8Array): Uint8Array {
  let code = 0;
  for (const byte of frame.with(4, 0).with(5, 0)) code = (code >> 8) ^ tableEntry((code ^ byte) & 0xff);
  return frame.with(4, code >> 8).with(5, code & 0xff);
}

/** Written anew, so that the codec is not checked with itself. */
function tableEntry(index: number): number {
  let value = index * 256;
  for (let bit = 0; bit < 8; bit++) value = value >= 0x8000 ? ((value * 2) ^ 0x1021) & 0xffff : value * 2;
  return value;
}

function fail(): never {
  throw new Error("not there");
}
