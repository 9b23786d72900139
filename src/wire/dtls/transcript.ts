/** What Finished and the extended master secret hash (RFC 6347 §4.2.6, RFC 7627 §3). */
import { encodeMessage, HANDSHAKE_TYPE, type HandshakeMessage } from "./handshake";
import { sha256 } from "./prf";

/** Pure: messages as they would travel unfragmented, in order. A PSK handshake has well under two kilobytes of them. */
export type Transcript = readonly Uint8Array[];

/**
 * Begins anew with every ClientHello, since all before the last one (a hello without the right cookie, and the
 * HelloVerifyRequest that answered it) does not count; Finished and ChangeCipherSpec are the caller's to leave out.
 */
export function withMessage(transcript: Transcript, message: HandshakeMessage): Transcript {
  if (message.type === HANDSHAKE_TYPE.helloVerifyRequest) return [];
  const bytes = encodeMessage(message);
  return message.type === HANDSHAKE_TYPE.clientHello ? [bytes] : [...transcript, bytes];
}

export const transcriptHash = (transcript: Transcript): Uint8Array => sha256(...transcript);
