/** One CoAP message of one datagram (RFC 7252 §3). Bytes in, values out: no I/O, no clock, no logger. */

import { type CoapFault, CoapMalformedError } from "./coap-malformed-error";
import { CODES, codeKind, isRequest } from "./codes";
import { MAX_OPTIONS, MessageView } from "./message-view";

export const MESSAGE_TYPES = ["con", "non", "ack", "rst"] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];
export type CoapOption = { readonly number: number; readonly value: Uint8Array };
export type CoapMessage = {
  readonly type: MessageType;
  /** See `CODES`. */
  readonly code: number;
  readonly messageId: number;
  /** Up to eight bytes. */
  readonly token: Uint8Array;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
};

const HEADER_LENGTH = 4;
const VERSION = 1;
const MAX_TOKEN_LENGTH = 8;
const PAYLOAD_MARKER = 0xff;
const MAX_OPTION_NUMBER = 0xffff;

/** Values are views of `bytes`, not copies. Throws nothing but CoapMalformedError. */
export function decodeMessage(bytes: Uint8Array): CoapMessage {
  return decodeMessageView(bytes).toMessage();
}

/**
 * The same without garbage, into a view that is used again for the next datagram. Checks the format only; whether the
 * options are acceptable says `checkOptions`.
 */
export function decodeMessageView(bytes: Uint8Array, into = new MessageView()): MessageView {
  const length = bytes.length;
  if (length < HEADER_LENGTH) throw new CoapMalformedError("truncated");
  const first = bytes[0] as number;
  if (first >> 6 !== VERSION) throw new CoapMalformedError("version");
  into.bytes = bytes;
  into.type = MESSAGE_TYPES[(first >> 4) & 0b11] as MessageType; // two bits, four types
  into.code = bytes[1] as number;
  into.messageId = uint16(bytes, 2);
  const tokenLength = first & 0x0f;
  const headFault = faultOfHead(into.type, into.code, tokenLength, length);
  if (headFault) throw new CoapMalformedError(headFault, into.type, into.messageId);
  into.tokenEnd = HEADER_LENGTH + tokenLength;
  const bodyFault = readOptions(into, bytes, length);
  if (bodyFault) throw new CoapMalformedError(bodyFault, into.type, into.messageId);
  return into;
}

function faultOfHead(type: MessageType, code: number, tokenLength: number, length: number): CoapFault | undefined {
  if (tokenLength > MAX_TOKEN_LENGTH) return "token_length";
  if (code === CODES.empty) {
    if (type === "non") return "type_and_code";
    return tokenLength === 0 && length === HEADER_LENGTH ? undefined : "empty_format";
  }
  if (codeKind(code) === "reserved") return "reserved_class";
  if (type === "rst" || (type === "ack" && isRequest(code))) return "type_and_code";
  return length < HEADER_LENGTH + tokenLength ? "truncated" : undefined;
}

/** Numbers are deltas, so they cannot be out of order; they can only grow too large. */
function readOptions(into: MessageView, bytes: Uint8Array, length: number): CoapFault | undefined {
  let at = into.tokenEnd;
  let number = 0;
  let count = 0;
  into.optionCount = 0;
  while (at < length) {
    const head = bytes[at++] as number;
    if (head === PAYLOAD_MARKER) {
      if (at === length) return "payload_marker";
      break;
    }
    let delta = head >> 4;
    let size = head & 0x0f;
    if (delta === 15 || size === 15) return "option_nibble";
    if (delta === 13) {
      if (at + 1 > length) return "option_length";
      delta = 13 + (bytes[at++] as number);
    } else if (delta === 14) {
      if (at + 2 > length) return "option_length";
      delta = 269 + uint16(bytes, at);
      at += 2;
    }
    if (size === 13) {
      if (at + 1 > length) return "option_length";
      size = 13 + (bytes[at++] as number);
    } else if (size === 14) {
      if (at + 2 > length) return "option_length";
      size = 269 + uint16(bytes, at);
      at += 2;
    }
    number += delta;
    if (number > MAX_OPTION_NUMBER) return "option_number";
    if (size > length - at) return "option_length";
    if (count === MAX_OPTIONS) return "too_many_options";
    into.numbers[count] = number;
    into.starts[count] = at;
    at += size;
    into.ends[count] = at;
    count++;
  }
  into.optionCount = count;
  into.payloadStart = at;
  return undefined;
}

/**
 * Options may come in any order; those with the same number keep theirs. Throws RangeError for what the format or its
 * rules cannot carry: that is a fault of the caller.
 */
export function encodeMessage(message: CoapMessage): Uint8Array {
  const { type, code, messageId, token, payload } = message;
  requireEncodable(message);
  const options = inOrder(message.options) ? message.options : message.options.toSorted(byNumber);
  const bytes = new Uint8Array(messageLength(options, token, payload));
  bytes[0] = (VERSION << 6) | (MESSAGE_TYPES.indexOf(type) << 4) | token.length;
  bytes[1] = code;
  bytes[2] = messageId >> 8;
  bytes[3] = messageId & 0xff;
  bytes.set(token, HEADER_LENGTH);
  let at = HEADER_LENGTH + token.length;
  let previous = 0;
  for (const { number, value } of options) {
    const delta = number - previous;
    previous = number;
    const head = at++;
    bytes[head] = (nibble(delta) << 4) | nibble(value.length);
    at = putExtension(delta, bytes, at);
    at = putExtension(value.length, bytes, at);
    bytes.set(value, at);
    at += value.length;
  }
  if (payload.length > 0) {
    bytes[at++] = PAYLOAD_MARKER;
    bytes.set(payload, at);
  }
  return bytes;
}

/** The four bytes of an empty ACK or RST, or of an empty CON, which is a ping (RFC 7252 §4.3). */
export function encodeEmpty(type: Exclude<MessageType, "non">, messageId: number): Uint8Array {
  if (!isUint16(messageId)) throw new RangeError(`${messageId} is no message id`);
  const bytes = new Uint8Array(HEADER_LENGTH);
  bytes[0] = (VERSION << 6) | (type === "con" ? 0 : type === "ack" ? 0x20 : 0x30);
  bytes[2] = messageId >> 8;
  bytes[3] = messageId & 0xff;
  return bytes;
}

function requireEncodable({ type, code, messageId, token, options, payload }: CoapMessage): void {
  if (!isUint16(messageId)) throw new RangeError(`${messageId} is no message id`);
  if (!Number.isInteger(code) || code < 0 || code > 0xff) throw new RangeError(`${code} is no code`);
  const rest = options.length + payload.length;
  const fault = faultOfHead(type, code, token.length, HEADER_LENGTH + token.length + rest);
  if (fault) throw new RangeError(`cannot be sent: ${fault}`);
  if (options.length > MAX_OPTIONS) throw new RangeError(`${options.length} options`);
  for (const { number, value } of options) {
    if (!isUint16(number)) throw new RangeError(`${number} is no option number`);
    if (value.length > 269 + 0xffff) throw new RangeError(`an option of ${value.length} bytes`);
  }
}

function messageLength(options: readonly CoapOption[], token: Uint8Array, payload: Uint8Array): number {
  let length = HEADER_LENGTH + token.length + (payload.length > 0 ? 1 + payload.length : 0);
  let previous = 0;
  for (const { number, value } of options) {
    length += 1 + extensionLength(number - previous) + extensionLength(value.length) + value.length;
    previous = number;
  }
  return length;
}

function inOrder(options: readonly CoapOption[]): boolean {
  let previous = 0;
  for (const { number } of options) {
    if (number < previous) return false;
    previous = number;
  }
  return true;
}

function putExtension(value: number, into: Uint8Array, offset: number): number {
  if (value < 13) return offset;
  if (value < 269) {
    into[offset] = value - 13;
    return offset + 1;
  }
  into[offset] = (value - 269) >> 8;
  into[offset + 1] = (value - 269) & 0xff;
  return offset + 2;
}

const byNumber = (one: CoapOption, other: CoapOption) => one.number - other.number;
const nibble = (value: number) => (value < 13 ? value : value < 269 ? 13 : 14);
const extensionLength = (value: number) => (value < 13 ? 0 : value < 269 ? 1 : 2);
const isUint16 = (value: number) => Number.isInteger(value) && value >= 0 && value <= 0xffff;
const uint16 = (bytes: Uint8Array, at: number) => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
