import { MalformedError } from "../malformed-error";
import type { MessageType } from "./message";

/** What can be wrong with a datagram; counted by name. */
export const COAP_FAULTS = [
  "truncated", // less than the header and the token it announces
  "version", // not 1: ignored without a word (RFC 7252 §3)
  "token_length", // 9 to 15 are reserved
  "reserved_class", // 1.xx, 6.xx and 7.xx
  "empty_format", // 0.00 with a token or with anything behind the message id
  "type_and_code", // a pair that RFC 7252 §4.3 table 1 does not have: empty NON, RST that is not empty, ACK with a request
  "option_nibble", // 15 outside the payload marker
  "option_number", // beyond 65535
  "option_length", // the value would end behind the datagram
  "payload_marker", // nothing behind it
  "too_many_options", // our own limit
] as const;
export type CoapFault = (typeof COAP_FAULTS)[number];

/** The bytes break RFC 7252 §3. */
export class CoapMalformedError extends MalformedError {
  override name = "CoapMalformedError";
  readonly reason: CoapFault;
  /** Known, like `messageId`, when the first four bytes were good enough to answer with RST. */
  readonly type: MessageType | undefined;
  readonly messageId: number | undefined;
  constructor(reason: CoapFault, type?: MessageType, messageId?: number) {
    super(reason);
    this.reason = reason;
    this.type = type;
    this.messageId = messageId;
  }
}

/**
 * RFC 7252 §4.2, 4.3: only a broken CON has to be answered, with RST and its message id. A broken NON may be; it is
 * not here, because a spoofed sender would get something for nothing.
 */
export function answerToMalformed({ type, messageId }: CoapMalformedError): { resetMessageId: number } | undefined {
  return type === "con" && messageId !== undefined ? { resetMessageId: messageId } : undefined;
}
