/** Bodies of the handshake messages of a PSK handshake (RFC 5246 §7.4, RFC 6347 §4.2.1, RFC 4279 §2) and back. */
import { ByteReader, ByteWriter } from "../bytes";
import { MalformedError } from "../malformed-error";
import { HANDSHAKE_TYPE, type HandshakeFragment, type HandshakeMessage } from "./handshake";
import { VERIFY_DATA_LENGTH } from "./prf";

export const RANDOM_LENGTH = 32;
const MAX_SESSION_ID_LENGTH = 32;

export type Extension = { readonly type: number; readonly data: Uint8Array };
/** All that a stateless answer needs to know of a ClientHello; stands in front of its long parts. */
export type HelloStart = { version: number; random: Uint8Array; sessionId: Uint8Array; cookie: Uint8Array };
export type ClientHello = HelloStart & {
  cipherSuites: readonly number[];
  compressionMethods: Uint8Array;
  /** Undefined: there is no extensions block at all, which old clients insist on in the answer too. */
  extensions: readonly Extension[] | undefined;
};
export type HelloVerifyRequest = { version: number; cookie: Uint8Array };
export type ServerHello = {
  version: number;
  random: Uint8Array;
  sessionId: Uint8Array;
  cipherSuite: number;
  compressionMethod: number;
  extensions: readonly Extension[] | undefined;
};
export type ServerKeyExchange = { identityHint: Uint8Array };
export type ClientKeyExchange = { identity: Uint8Array };
export type Finished = { verifyData: Uint8Array };

export function decodeClientHello(body: Uint8Array): ClientHello {
  const reader = new ByteReader(body);
  const start = readHelloStart(reader);
  const suites = reader.bytes(reader.uint(2));
  if (suites.length === 0 || suites.length % 2 !== 0) throw new MalformedError(`${suites.length} bytes of suites`);
  const cipherSuites: number[] = [];
  const suiteReader = new ByteReader(suites);
  while (suiteReader.remaining > 0) cipherSuites.push(suiteReader.uint(2));
  const compressionMethods = sized(reader, 1);
  if (compressionMethods.length === 0) throw new MalformedError("no compression method");
  return { ...start, cipherSuites, compressionMethods, extensions: readExtensions(reader) };
}

/**
 * From the first fragment alone, so that no byte has to be kept before the cookie is right; malformed if not even
 * the cookie is in it.
 */
export function decodeHelloStart({ type, offset, part }: HandshakeFragment): HelloStart {
  if (type !== HANDSHAKE_TYPE.clientHello || offset !== 0) throw new MalformedError("not the start of a ClientHello");
  return readHelloStart(new ByteReader(part));
}

function readHelloStart(reader: ByteReader): HelloStart {
  const version = reader.uint(2);
  if (version >> 8 !== 0xfe) throw new MalformedError(`client version ${version}`);
  return {
    version,
    random: copy(reader.bytes(RANDOM_LENGTH)),
    sessionId: readSessionId(reader),
    cookie: sized(reader, 1),
  };
}

export function encodeClientHello(hello: ClientHello): Uint8Array {
  const writer = new ByteWriter();
  writer.uint(hello.version, 2);
  writer.bytes(hello.random);
  putSized(writer, hello.sessionId, 1);
  putSized(writer, hello.cookie, 1);
  writer.uint(hello.cipherSuites.length * 2, 2);
  for (const suite of hello.cipherSuites) writer.uint(suite, 2);
  putSized(writer, hello.compressionMethods, 1);
  putExtensions(writer, hello.extensions);
  return writer.finish();
}

export function decodeHelloVerifyRequest(body: Uint8Array): HelloVerifyRequest {
  const reader = new ByteReader(body);
  return whole(reader, { version: reader.uint(2), cookie: sized(reader, 1) });
}

export function encodeHelloVerifyRequest({ version, cookie }: HelloVerifyRequest): Uint8Array {
  const writer = new ByteWriter();
  writer.uint(version, 2);
  putSized(writer, cookie, 1);
  return writer.finish();
}

export function decodeServerHello(body: Uint8Array): ServerHello {
  const reader = new ByteReader(body);
  const version = reader.uint(2);
  const random = copy(reader.bytes(RANDOM_LENGTH));
  const sessionId = readSessionId(reader);
  const cipherSuite = reader.uint(2);
  const compressionMethod = reader.uint(1);
  return { version, random, sessionId, cipherSuite, compressionMethod, extensions: readExtensions(reader) };
}

export function encodeServerHello(hello: ServerHello): Uint8Array {
  const writer = new ByteWriter();
  writer.uint(hello.version, 2);
  writer.bytes(hello.random);
  putSized(writer, hello.sessionId, 1);
  writer.uint(hello.cipherSuite, 2);
  writer.uint(hello.compressionMethod, 1);
  putExtensions(writer, hello.extensions);
  return writer.finish();
}

/** Left out by a server that has no hint. */
export function decodeServerKeyExchange(body: Uint8Array): ServerKeyExchange {
  const reader = new ByteReader(body);
  return whole(reader, { identityHint: sized(reader, 2) });
}

export function encodeServerKeyExchange({ identityHint }: ServerKeyExchange): Uint8Array {
  const writer = new ByteWriter();
  putSized(writer, identityHint, 2);
  return writer.finish();
}

export function decodeClientKeyExchange(body: Uint8Array): ClientKeyExchange {
  const reader = new ByteReader(body);
  return whole(reader, { identity: sized(reader, 2) });
}

export function encodeClientKeyExchange({ identity }: ClientKeyExchange): Uint8Array {
  const writer = new ByteWriter();
  putSized(writer, identity, 2);
  return writer.finish();
}

export function decodeFinished(body: Uint8Array): Finished {
  if (body.length !== VERIFY_DATA_LENGTH) throw new MalformedError(`${body.length} bytes of verify data`);
  return { verifyData: copy(body) };
}

/** The body of a message that must be of this type; another one is malformed here. */
export function bodyOf(message: HandshakeMessage, name: keyof typeof HANDSHAKE_TYPE): Uint8Array {
  if (message.type !== HANDSHAKE_TYPE[name]) throw new MalformedError(`message ${message.type} is no ${name}`);
  return message.body;
}

function readSessionId(reader: ByteReader): Uint8Array {
  const sessionId = sized(reader, 1);
  if (sessionId.length > MAX_SESSION_ID_LENGTH) throw new MalformedError(`session id of ${sessionId.length} bytes`);
  return sessionId;
}

function readExtensions(reader: ByteReader): Extension[] | undefined {
  if (reader.remaining === 0) return undefined;
  const block = new ByteReader(whole(reader, reader.bytes(reader.uint(2)), "behind the extensions"));
  const extensions: Extension[] = [];
  const types = new Set<number>();
  while (block.remaining > 0) {
    const type = block.uint(2);
    if (types.has(type)) throw new MalformedError(`extension ${type} twice`); // RFC 5246 §7.4.1.4
    types.add(type);
    extensions.push({ type, data: sized(block, 2) });
  }
  return extensions;
}

function putExtensions(writer: ByteWriter, extensions: readonly Extension[] | undefined): void {
  if (extensions === undefined) return;
  const block = new ByteWriter();
  for (const { type, data } of extensions) {
    block.uint(type, 2);
    putSized(block, data, 2);
  }
  putSized(writer, block.finish(), 2);
}

/** Copies: a hello outlives the datagram it came in, and must not keep it alive. */
const copy = (bytes: Uint8Array) => bytes.slice();
const sized = (reader: ByteReader, width: number) => copy(reader.bytes(reader.uint(width)));

function putSized(writer: ByteWriter, bytes: Uint8Array, width: number): void {
  writer.uint(bytes.length, width);
  writer.bytes(bytes);
}

function whole<T>(reader: ByteReader, value: T, where = "behind the message"): T {
  if (reader.remaining > 0) throw new MalformedError(`${reader.remaining} bytes ${where}`);
  return value;
}
