/**
 * The check code of PCP (pcp.md §9): the table of 0x1021 with the most significant bit first, walked with the step that
 * belongs to the other bit order. No library has it; the examples of the protocol prove it.
 */

const POLYNOMIAL = 0x1021;
const CHECK_CODE_AT = 4;
const BEHIND_CHECK_CODE = 6;

/** Built, because the tables that are printed in the protocol's document are damaged. */
const TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let value = index << 8;
  for (let bit = 0; bit < 8; bit++) value = value & 0x8000 ? (value << 1) ^ POLYNOMIAL : value << 1;
  return value;
});

/** Over `bytes[from, to)`, going on from `before`. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length, before = 0): number {
  let crc = before;
  for (let at = from; at < to; at++) crc = (crc >> 8) ^ (TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return crc;
}

/** Of a frame of at least 8 bytes, as if its own check code were zero. The frame is not touched. */
export function checkCodeOf(frame: Uint8Array): number {
  let crc = crc16(frame, 0, CHECK_CODE_AT);
  for (let at = CHECK_CODE_AT; at < BEHIND_CHECK_CODE; at++) crc = (crc >> 8) ^ (TABLE[crc & 0xff] as number);
  return crc16(frame, BEHIND_CHECK_CODE, frame.length, crc);
}
