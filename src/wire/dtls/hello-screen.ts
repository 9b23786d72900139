/** What a server says to a ClientHello before it keeps anything (RFC 6347 §4.2.1). */
import { isCookieValid, makeCookie } from "./cookie";
import { decodeFragments, encodeMessage, HANDSHAKE_TYPE } from "./handshake";
import { decodeHelloStart, encodeHelloVerifyRequest, type HelloStart } from "./messages";
import { CONTENT_TYPE, DTLS_1_0, type DtlsRecord, encodeRecord } from "./record";

export type ScreenedHello =
  /** HelloVerifyRequest: shorter than any hello, so nobody is flooded through us. */
  | { type: "answer"; datagram: Uint8Array }
  /** The sender owns its address: `sequence` is of the message, perhaps of only its first fragment. */
  | { type: "accept"; hello: HelloStart; sequence: number };

/**
 * Undefined for what is no start of a hello: nobody answers it. `secrets`: the one for new cookies first. Malformed
 * if the first fragment ends before the cookie does.
 */
export function screenHello(
  record: DtlsRecord,
  address: string,
  secrets: readonly [current: Uint8Array, ...earlier: Uint8Array[]],
): ScreenedHello | undefined {
  if (record.type !== CONTENT_TYPE.handshake || record.epoch !== 0) return undefined;
  const [fragment] = decodeFragments(record.fragment);
  if (fragment?.type !== HANDSHAKE_TYPE.clientHello || fragment.offset !== 0) return undefined;
  const hello = decodeHelloStart(fragment);
  const { sequence } = fragment;
  if (isCookieValid(secrets, address, hello)) return { type: "accept", hello, sequence };
  const body = encodeHelloVerifyRequest({ version: DTLS_1_0, cookie: makeCookie(secrets[0], address, hello) });
  const message = encodeMessage({ type: HANDSHAKE_TYPE.helloVerifyRequest, sequence, body });
  const header = { type: CONTENT_TYPE.handshake, version: DTLS_1_0, epoch: 0, sequence: record.sequence };
  return { type: "answer", datagram: encodeRecord(header, message) };
}
