import { describe, expect, test } from "bun:test";
import {
  decodeDeviceMessage,
  decodePlatformMessage,
  encodeDeviceMessage,
  encodePlatformMessage,
  NOT_PCP_REASONS,
  type NotPcpReason,
  recognizeFrame,
} from ".";
import { openFrame, seal } from "./frame";

const hex = (text: string) => Uint8Array.fromHex(text);

/** pcp.md §11, N1 to N11. N12 and N13 are about the product; here their bytes are plainly PCP. */
const BUSINESS: [name: string, payload: string, reason: NotPcpReason][] = [
  ["N1", "FFFE01138DE300110056302E390000000000000000000000000000", "checkCode"],
  ["N2", "FFFE011402F7001656312E30000000000000000000000000000001F400011234", "checkCode"],
  ["N3", "FFFE01155618001256312E3000", "dataLength"],
  ["N4", "FFFE0118C7D200110056312E300000000000000000000000000000", "checkCode"],
  ["N5", "FFFE0116850E00010000000000000000000000000000", "dataLength"],
  ["N6 start", "FFFF0113D9A10000", "startMark"],
  ["N6 swapped", "FEFF01135E0C0000", "startMark"],
  ["N7 version 2", "FFFE02132CD70000", "protocolVersion"],
  ["N7 version 0", "FFFE00137EB10000", "protocolVersion"],
  ["N8 code 0", "FFFE0100DB2E0000", "messageCode"],
  ["N8 code 18", "FFFE0112B5010000", "messageCode"],
  ["N8 code 25", "FFFE0119D34E0000", "messageCode"],
  ["N8 code 127", "FFFE017F58AF0000", "messageCode"],
  ["N8 code 128", "FFFE0180FB6C0000", "messageCode"],
  ["N8 code 255", "FFFE01FF78ED0000", "messageCode"],
  ["N9 one bit", "FFFE01134C9B0000", "checkCode"],
  ["N9 swapped bytes", "FFFE01139A4C0000", "checkCode"],
  ["N9 XMODEM", "FFFE011326770000", "checkCode"],
  ["N10 length too big", "FFFE0116D9FB000200", "dataLength"],
  ["N10 length too small", "FFFE0116B15D000000", "dataLength"],
  ["N11 empty", "", "tooShort"],
  ["N11 one byte", "FF", "tooShort"],
  ["N11 the mark", "FFFE", "tooShort"],
  ["N11 seven bytes", "FFFE01134C9A00", "tooShort"],
];

describe.each(BUSINESS)("%s is business data", (_name, payload, reason) => {
  const outcome = { kind: "notPcp", reason, offset: NOT_PCP_REASONS[reason] } as const;
  test("from a device", () => expect(decodeDeviceMessage(hex(payload))).toEqual(outcome));
  test("to a device", () => expect(decodePlatformMessage(hex(payload))).toEqual(outcome));
});

test("N12, N13: what the product says is not looked at here", () => {
  expect(decodeDeviceMessage(hex("FFFE0116850E000100")).kind).toBe("message");
});

/** PCP, and wrong: data of the frame, and the first wrong byte of it. */
const MALFORMED: [name: string, payload: Uint8Array, reason: string, offset: number][] = [
  ["N14, a version answer without data", hex("FFFE1113CB1F0000"), "dataLength", 6],
  ["N15, 18 bytes of data", hex("FFFE0113AD8D00120056302E3900000000000000000000000000"), "dataLength", 6],
  ["an empty version", frame(19, new Uint8Array(17)), "emptyVersion", 9],
  ["a line feed in a version", frame(24, padded([0, 0x56, 0x0a], 17)), "versionCharacter", 10],
  ["a byte above ASCII", frame(21, padded([0x56, 0x31, 0xe9], 18)), "versionCharacter", 10],
  ["a zero inside a version", frame(19, padded([0, 0x56, 0, 0x31], 17)), "versionCharacter", 10],
  ["a version that begins with zero", frame(19, padded([0, 0, 0x31], 17)), "versionCharacter", 9],
];

test.each(MALFORMED)("%s: PCP, and dropped", (_name, payload, reason, offset) => {
  expect(recognizeFrame(payload).kind).toBe("frame");
  const code = payload[3];
  expect(decodeDeviceMessage(payload) as unknown).toEqual({ kind: "malformed", code, reason, offset });
});

const notice = (size: number, total: number) =>
  frame(20, [...padded([0x56], 16), size >> 8, size & 0xff, total >> 8, total & 0xff, 0, 0]);
const MALFORMED_DOWN: [name: string, payload: Uint8Array, reason: string, offset: number][] = [
  ["a query with data", frame(19, [0]), "dataLength", 6],
  ["an order with data", frame(23, [0]), "dataLength", 6],
  ["a notice that is too short", frame(20, new Uint8Array(21)), "dataLength", 6],
  ["an answer without a result", frame(22, []), "dataLength", 6],
  ["an answer that is too long", frame(24, [0, 0]), "dataLength", 6],
  ["a shard without its index", frame(21, [0, 0]), "dataLength", 6],
  ["a shard of 501 bytes", frame(21, new Uint8Array(504)), "dataLength", 6],
  ["shards of 31 bytes", notice(31, 1), "shardSize", 24],
  ["shards of 501 bytes", notice(501, 1), "shardSize", 24],
  ["no shards", notice(500, 0), "shardTotal", 26],
  ["success without data", frame(21, [0, 0, 7]), "shardData", 11],
  ["no success, and data", frame(21, [0x80, 0, 7, 1]), "shardData", 11],
];

test.each(MALFORMED_DOWN)("to a device, %s: PCP, and dropped", (_name, payload, reason, offset) => {
  const code = payload[3];
  expect(decodePlatformMessage(payload) as unknown).toEqual({ kind: "malformed", code, reason, offset });
});

test("a result code that no table has is still a message", () => {
  expect(decodeDeviceMessage(frame(20, [0x42])) as unknown).toEqual({
    kind: "message",
    message: { type: "newVersionResponse", resultCode: 0x42 },
  });
});

const IMPOSSIBLE: [name: string, encode: () => unknown][] = [
  ["a version of 17 characters", () => queryAnswer("V1.0.10-202401311")],
  ["an empty version", () => queryAnswer("")],
  ["a version that is not ASCII", () => queryAnswer("版本1")],
  ["a result code above a byte", () => encodeDeviceMessage({ type: "executeResponse", resultCode: 256 })],
  ["a negative index", () => encodeDeviceMessage({ type: "shardRequest", targetVersion: "V", shardIndex: -1 })],
  [
    "an index above a word",
    () => encodeDeviceMessage({ type: "shardRequest", targetVersion: "V", shardIndex: 65_536 }),
  ],
  ["a shard of 501 bytes", () => shardAnswer(0, 501)],
  ["success without data", () => shardAnswer(0, 0)],
  ["no success, and data", () => shardAnswer(0x80, 1)],
  ["a shard size of 31", () => announcement(31, 1)],
  ["a shard size of 501", () => announcement(501, 1)],
  ["no shards", () => announcement(500, 0)],
  ["65536 shards", () => announcement(500, 65_536)],
];

test.each(IMPOSSIBLE)("%s cannot be sent", (_name, encode) => {
  expect(encode).toThrow(RangeError);
});

const queryAnswer = (currentVersion: string) =>
  encodeDeviceMessage({ type: "queryVersionResponse", resultCode: 0, currentVersion });
const shardAnswer = (resultCode: number, length: number) =>
  encodePlatformMessage({ type: "shardResponse", resultCode, shardIndex: 0, data: new Uint8Array(length) });
const announcement = (shardSize: number, shardTotal: number) =>
  encodePlatformMessage({
    type: "newVersionRequest",
    targetVersion: "V",
    shardSize,
    shardTotal,
    packageCheckCode: 0,
  });

function frame(code: 19 | 20 | 21 | 22 | 23 | 24, data: ArrayLike<number>): Uint8Array {
  const bytes = openFrame(code, data.length);
  bytes.set(data, 8);
  return seal(bytes);
}

function padded(data: readonly number[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(data);
  return bytes;
}
