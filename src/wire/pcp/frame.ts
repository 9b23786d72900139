/** The frame of PCP, and how it is told from business data (pcp.md §3, §7). */

import { checkCodeOf } from "./crc";
import { MESSAGE_CODES, type MessageCode } from "./message";

export const HEADER_LENGTH = 8;
const MARK = 0xff;
const MARK_END = 0xfe;
const PROTOCOL_VERSION = 1;
const FIRST_CODE = MESSAGE_CODES.queryVersion;
const LAST_CODE = MESSAGE_CODES.upgradeResult;

/** Why bytes are business data, in the order of the checks; steps 3 to 7 of pcp.md §7 and the place of what is wrong. */
export const NOT_PCP_REASONS = {
  tooShort: 0,
  startMark: 0, // step 3
  protocolVersion: 2, // step 4
  messageCode: 3, // step 5
  checkCode: 4, // step 6
  dataLength: 6, // step 7
} as const;
export type NotPcpReason = keyof typeof NOT_PCP_REASONS;

/** Belongs to the codec of the product. */
export type NotPcp = { readonly kind: "notPcp"; readonly reason: NotPcpReason; readonly offset: number };
/** `data` is a view. Whether it fits the code is not known yet. */
export type Frame = { readonly kind: "frame"; readonly code: MessageCode; readonly data: Uint8Array };

/**
 * Steps 3 to 7 of the recognition. Steps 1 and 2 are facts about the product: who calls this has checked them. The check
 * code alone does not do: it does not see 13 zero bytes more or less at the end (pcp.md §9).
 */
export function recognizeFrame(bytes: Uint8Array): Frame | NotPcp {
  if (bytes.length < HEADER_LENGTH) return notPcp("tooShort");
  if (bytes[0] !== MARK || bytes[1] !== MARK_END) return notPcp("startMark");
  if (((bytes[2] as number) & 0x0f) !== PROTOCOL_VERSION) return notPcp("protocolVersion"); // the high half is reserved
  const code = bytes[3] as number;
  if (code < FIRST_CODE || code > LAST_CODE) return notPcp("messageCode");
  if (checkCodeOf(bytes) !== uint16(bytes, 4)) return notPcp("checkCode");
  if (bytes.length !== HEADER_LENGTH + uint16(bytes, 6)) return notPcp("dataLength");
  return { kind: "frame", code: code as MessageCode, data: bytes.subarray(HEADER_LENGTH) };
}

/** A frame whose data are still zero; `seal` it when they are written. */
export function openFrame(code: MessageCode, dataLength: number): Uint8Array {
  const frame = new Uint8Array(HEADER_LENGTH + dataLength);
  frame[0] = MARK;
  frame[1] = MARK_END;
  frame[2] = PROTOCOL_VERSION;
  frame[3] = code;
  putUint16(frame, 6, dataLength);
  return frame;
}

export function seal(frame: Uint8Array): Uint8Array {
  putUint16(frame, 4, checkCodeOf(frame));
  return frame;
}

export const uint16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

export function putUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}

const notPcp = (reason: NotPcpReason): NotPcp => ({ kind: "notPcp", reason, offset: NOT_PCP_REASONS[reason] });
