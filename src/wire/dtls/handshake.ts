/** Handshake messages and their fragments (RFC 6347 §4.2.2, §4.2.3), bodies still as bytes. */
import { ByteReader, ByteWriter } from "../bytes";
import { MalformedError } from "../malformed-error";

export const HANDSHAKE_TYPE = {
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
  serverKeyExchange: 12,
  serverHelloDone: 14,
  clientKeyExchange: 16,
  finished: 20,
} as const;
export type HandshakeName = keyof typeof HANDSHAKE_TYPE;

export const HANDSHAKE_HEADER_LENGTH = 12;

export type HandshakeMessage = { readonly type: number; readonly sequence: number; readonly body: Uint8Array };
export type HandshakeFragment = {
  readonly type: number;
  /** Of the whole body. */
  readonly length: number;
  readonly sequence: number;
  readonly offset: number;
  /** A view of the part that is here. */
  readonly part: Uint8Array;
};

/** All fragments of a record; it has at least one. */
export function decodeFragments(content: Uint8Array): HandshakeFragment[] {
  if (content.length === 0) throw new MalformedError("a handshake record without a message");
  const reader = new ByteReader(content);
  const fragments: HandshakeFragment[] = [];
  while (reader.remaining > 0) {
    const type = reader.uint(1);
    const length = reader.uint(3);
    const sequence = reader.uint(2);
    const offset = reader.uint(3);
    const part = reader.bytes(reader.uint(3));
    if (offset + part.length > length) throw new MalformedError("a fragment reaches behind its message");
    if (part.length === 0 && length > 0) throw new MalformedError("an empty fragment");
    fragments.push({ type, length, sequence, offset, part });
  }
  return fragments;
}

export function encodeFragment({ type, length, sequence, offset, part }: HandshakeFragment): Uint8Array {
  const writer = new ByteWriter();
  writer.uint(type, 1);
  writer.uint(length, 3);
  writer.uint(sequence, 2);
  writer.uint(offset, 3);
  writer.uint(part.length, 3);
  writer.bytes(part);
  return writer.finish();
}

/** In one fragment: so it goes into the transcript, however it travelled (RFC 6347 §4.2.6). */
export function encodeMessage({ type, sequence, body }: HandshakeMessage): Uint8Array {
  return encodeFragment({ type, length: body.length, sequence, offset: 0, part: body });
}

/** In as many fragments as needed, none with more than `maxPartBytes` of the body. */
export function encodeFragments(message: HandshakeMessage, maxPartBytes: number): Uint8Array[] {
  if (maxPartBytes < 1) throw new RangeError(`no fragments of ${maxPartBytes} bytes`);
  const { type, sequence, body } = message;
  if (body.length <= maxPartBytes) return [encodeMessage(message)];
  const fragments: Uint8Array[] = [];
  for (let offset = 0; offset < body.length; offset += maxPartBytes) {
    const part = body.subarray(offset, offset + maxPartBytes);
    fragments.push(encodeFragment({ type, length: body.length, sequence, offset, part }));
  }
  return fragments;
}
