/** Record layer of DTLS 1.2 (RFC 6347 §4.1) and its records with a connection id (RFC 9146 §4): cutting and headers. */
import { MalformedError } from "../malformed-error";

export const CONTENT_TYPE = {
  changeCipherSpec: 20,
  alert: 21,
  handshake: 22,
  applicationData: 23,
  /** The real type is inside, encrypted. */
  connectionId: 25,
} as const;

export const DTLS_1_0 = 0xfeff;
export const DTLS_1_2 = 0xfefd;
export const RECORD_HEADER_LENGTH = 13;
export const MAX_CONTENT_LENGTH = 0x4000; // RFC 5246 §6.2.1
export const MAX_FRAGMENT_LENGTH = 0x4000 + 0x800; // RFC 5246 §6.2.3
export const MAX_SEQUENCE = 2 ** 48 - 1;

export type RecordHeader = {
  readonly type: number;
  readonly version: number;
  readonly epoch: number;
  /** 48 bits: counts from 0 in every epoch. */
  readonly sequence: number;
  /** With type 25 only; of the length that its receiver has given out. */
  readonly connectionId?: Uint8Array | undefined;
};

/** Views into the datagram. */
export type DtlsRecord = RecordHeader & { readonly header: Uint8Array; readonly fragment: Uint8Array };

/**
 * All records of a datagram. `connectionIdLength` is that of the ids which the receiver gives out: it is written
 * nowhere in the record. Any minor version passes, as first hellos come with FE FF, FE FD and FE 00.
 */
export function decodeDatagram(datagram: Uint8Array, connectionIdLength = 0): DtlsRecord[] {
  const records: DtlsRecord[] = [];
  for (let at = 0; at < datagram.length; ) {
    const record = decodeRecord(datagram, at, connectionIdLength);
    records.push(record);
    at += record.header.length + record.fragment.length;
  }
  return records;
}

export function decodeRecord(bytes: Uint8Array, start = 0, connectionIdLength = 0): DtlsRecord {
  const left = bytes.length - start;
  if (left < RECORD_HEADER_LENGTH) throw new MalformedError(`${left} bytes are no DTLS record`);
  const type = bytes[start] as number;
  const known = (type >= CONTENT_TYPE.changeCipherSpec && type <= CONTENT_TYPE.applicationData) || isCid(type);
  if (!known) throw new MalformedError(`content type ${type}`);
  if (isCid(type) && connectionIdLength === 0) throw new MalformedError("a connection id where none was given out");
  if (bytes[start + 1] !== 0xfe) throw new MalformedError(`record version ${bytes[start + 1]}`);
  const idLength = isCid(type) ? connectionIdLength : 0;
  const fragmentAt = start + RECORD_HEADER_LENGTH + idLength;
  if (fragmentAt > bytes.length) throw new MalformedError("record header cut off");
  const length = uint16(bytes, fragmentAt - 2);
  if (length > MAX_FRAGMENT_LENGTH) throw new MalformedError(`record of ${length} bytes`);
  if (fragmentAt + length > bytes.length) throw new MalformedError(`record of ${length} bytes is cut off`);
  return {
    type,
    version: uint16(bytes, start + 1),
    epoch: uint16(bytes, start + 3),
    sequence: uint16(bytes, start + 5) * 2 ** 32 + uint16(bytes, start + 7) * 2 ** 16 + uint16(bytes, start + 9),
    connectionId: idLength > 0 ? bytes.subarray(start + 11, start + 11 + idLength) : undefined,
    header: bytes.subarray(start, fragmentAt),
    fragment: bytes.subarray(fragmentAt, fragmentAt + length),
  };
}

/** Bytes of the header alone. */
export const headerLength = ({ connectionId }: RecordHeader) => RECORD_HEADER_LENGTH + (connectionId?.length ?? 0);

/** Writes the header of a fragment of `length` bytes to the front of `into` and returns the offset behind it. */
export function encodeHeader(header: RecordHeader, length: number, into: Uint8Array): number {
  const { type, version, epoch, sequence, connectionId } = header;
  if (epoch > 0xffff || sequence > MAX_SEQUENCE) throw new RangeError(`no record ${sequence} in epoch ${epoch}`);
  if ((connectionId !== undefined) !== isCid(type)) throw new RangeError(`connection id with content type ${type}`);
  into[0] = type;
  putUint16(version, into, 1);
  putUint16(epoch, into, 3);
  putUint16(Math.floor(sequence / 2 ** 32), into, 5);
  putUint16(Math.floor(sequence / 2 ** 16) & 0xffff, into, 7);
  putUint16(sequence & 0xffff, into, 9);
  if (connectionId) into.set(connectionId, 11);
  const end = headerLength(header);
  putUint16(length, into, end - 2);
  return end;
}

/** A record as it is, unprotected: epoch 0. */
export function encodeRecord(header: RecordHeader, fragment: Uint8Array): Uint8Array {
  if (fragment.length > MAX_FRAGMENT_LENGTH) throw new RangeError(`${fragment.length} bytes do not fit a record`);
  const record = new Uint8Array(headerLength(header) + fragment.length);
  record.set(fragment, encodeHeader(header, fragment.length, record));
  return record;
}

const isCid = (type: number) => type === CONTENT_TYPE.connectionId;
const uint16 = (bytes: Uint8Array, at: number) => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

function putUint16(value: number, into: Uint8Array, at: number): void {
  into[at] = value >> 8;
  into[at + 1] = value & 0xff;
}
