import { describe, expect, test } from "bun:test";
import {
  isKnownResult,
  isPcpVersion,
  parseCheckCode,
  RESULT_CODES,
  type ResultCarrier,
  renderCheckCode,
  resultCodesOf,
  resultText,
  shardTotalOf,
} from ".";

/** pcp.md §5.1 to §5.6, as they stand there; the codec has them by code. */
const COLUMNS: [type: ResultCarrier, codes: number[]][] = [
  ["queryVersionResponse", [0x00]],
  ["newVersionResponse", [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x09, 0x7f]],
  ["shardResponse", [0x00, 0x80, 0x81]],
  ["downloadResultRequest", [0x00, 0x05, 0x06, 0x07, 0x08]],
  ["downloadResultResponse", [0x00, 0x80]],
  ["executeResponse", [0x00, 0x01, 0x04, 0x05, 0x09]],
  ["upgradeResultRequest", [0x00, 0x01, 0x04, 0x05, 0x09, 0x0a, 0x7f]],
  ["upgradeResultResponse", [0x00, 0x80]],
];

describe.each(COLUMNS)("%s", (type, codes) => {
  test("knows its codes", () => expect(resultCodesOf(type)).toEqual(codes));
  test("has a text for every byte, and a name for those it does not know", () => {
    for (let code = 0; code <= 0xff; code++) {
      const isKnown = codes.includes(code);
      expect(isKnownResult(type, code)).toBe(isKnown);
      const unknown = `unknown result code 0x${code.toString(16).toUpperCase().padStart(2, "0")}`;
      if (isKnown) expect(resultText(type, code)).not.toBe(unknown);
      else expect(resultText(type, code)).toBe(unknown);
    }
  });
});

test("texts (pcp.md §5.7)", () => {
  expect(Object.fromEntries(RESULT_CODES.map(({ code, text }) => [code, text]))).toEqual({
    0: "success",
    1: "device in use",
    2: "poor signal",
    3: "already the latest version",
    4: "low battery",
    5: "insufficient storage space",
    6: "download timeout",
    7: "upgrade package verification failure",
    8: "unsupported upgrade package type",
    9: "insufficient memory",
    10: "upgrade package installation failure",
    127: "internal exception",
    128: "upgrade task does not exist",
    129: "shard does not exist",
  });
  expect(resultText("executeResponse", 0x02)).toBe("unknown result code 0x02"); // not of this message
});

test.each([
  ["V1.0", true],
  ["V1.0.10-20240131", true],
  [" ~", true],
  ["V1.0.10-202401311", false],
  ["", false],
  ["V1\n", false],
  ["V1\u0000", false],
  ["é", false],
])("%p as a version: %p", (text, isOne) => expect(isPcpVersion(text)).toBe(isOne));

test.each([
  ["1234", 0x1234],
  ["abcD", 0xabcd],
  ["0000", 0],
  ["123", undefined],
  ["12345", undefined],
  ["12g4", undefined],
  ["+123", undefined],
  ["", undefined],
])("%p as a check code: %p", (text, code) => {
  expect(parseCheckCode(text)).toBe(code);
  if (code !== undefined) expect(renderCheckCode(code)).toBe(text.toUpperCase());
});

test.each([
  [70, 32, 3],
  [64, 32, 2],
  [1, 500, 1],
  [32_767_500, 500, 65_535],
])("%d bytes in shards of %d are %d", (size, shardSize, total) => expect(shardTotalOf(size, shardSize)).toBe(total));
