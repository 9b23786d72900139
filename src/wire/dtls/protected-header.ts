/** What the three protections share: the header that they authenticate, and the plain text inside it. */
import { CONTENT_TYPE, DTLS_1_2, type DtlsRecord, MAX_CONTENT_LENGTH, type RecordHeader } from "./record";
import type { OpenedRecord, PlainRecord } from "./record-protection";

/** Where epoch and sequence number stand in a record header. */
const NUMBER_START = 3;
const NUMBER_END = 11;
const PLACEHOLDER = 0xff;

/** Epoch and sequence number as the eight bytes of the wire. */
export const recordNumber = (header: Uint8Array) => header.subarray(NUMBER_START, NUMBER_END);

/** `header` as on the wire; `length` is of what is authenticated (RFC 5246 §6.2.3.3, RFC 9146 §5). */
export function authenticatedHeader(header: Uint8Array, connectionId: Uint8Array | undefined, length: number) {
  if (connectionId === undefined) {
    const bytes = new Uint8Array(13);
    for (let at = 0; at < 8; at++) bytes[at] = header[NUMBER_START + at] as number;
    for (let at = 0; at < 3; at++) bytes[8 + at] = header[at] as number; // type and version
    bytes[11] = length >> 8;
    bytes[12] = length & 0xff;
    return bytes;
  }
  const bytes = new Uint8Array(23 + connectionId.length);
  bytes.fill(PLACEHOLDER, 0, 8);
  bytes[8] = CONTENT_TYPE.connectionId;
  bytes[9] = connectionId.length;
  bytes.set(header.subarray(0, header.length - 2), 10); // type, version, epoch, number, connection id
  bytes[bytes.length - 2] = length >> 8;
  bytes[bytes.length - 1] = length & 0xff;
  return bytes;
}

export function headerOf({ type, epoch, sequence, connectionId }: PlainRecord): RecordHeader {
  const outerType = connectionId === undefined ? type : CONTENT_TYPE.connectionId;
  return { type: outerType, version: DTLS_1_2, epoch, sequence, connectionId };
}

/** Behind the content stands its type if there is a connection id (RFC 9146 §4). */
export function innerLength({ content, connectionId }: PlainRecord): number {
  const length = content.length + (connectionId === undefined ? 0 : 1);
  if (length > MAX_CONTENT_LENGTH) throw new RangeError(`${content.length} bytes do not fit a record`);
  return length;
}

export function putInner({ content, connectionId, type }: PlainRecord, into: Uint8Array, at: number): void {
  into.set(content, at);
  if (connectionId !== undefined) into[at + content.length] = type;
}

/** The type is the last byte that is not zero; the zeros behind it hide the length. */
export function openInner({ type, connectionId }: DtlsRecord, inner: Uint8Array): OpenedRecord | undefined {
  if (inner.length > MAX_CONTENT_LENGTH) return undefined;
  if (connectionId === undefined) return { type, content: inner };
  let end = inner.length;
  while (end > 0 && inner[end - 1] === 0) end--;
  if (end === 0) return undefined;
  return { type: inner[end - 1] as number, content: inner.subarray(0, end - 1) };
}
