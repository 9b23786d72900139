/** Extensions of the hellos that change a PSK session: RFC 5746, RFC 7366, RFC 7627, RFC 9146. */
import { ByteReader, ByteWriter } from "../bytes";
import { MalformedError } from "../malformed-error";
import { EMPTY_RENEGOTIATION_INFO_SCSV } from "./cipher-suite";
import type { ClientHello, Extension } from "./messages";

export const EXTENSION = {
  encryptThenMac: 22,
  extendedMasterSecret: 23,
  connectionId: 54,
  renegotiationInfo: 0xff01,
} as const;

export type HelloExtensions = {
  readonly encryptThenMac: boolean;
  readonly extendedMasterSecret: boolean;
  /** To be put into records for the one who sent this; empty: it reads ids, but wants none itself. */
  readonly connectionId: Uint8Array | undefined;
  readonly secureRenegotiation: boolean;
};

export function readHelloExtensions(extensions: readonly Extension[] | undefined): HelloExtensions {
  const dataOf = (type: number) => extensions?.find((extension) => extension.type === type)?.data;
  return {
    encryptThenMac: isFlagged(dataOf(EXTENSION.encryptThenMac)),
    extendedMasterSecret: isFlagged(dataOf(EXTENSION.extendedMasterSecret)),
    connectionId: sizedData(dataOf(EXTENSION.connectionId)),
    // Empty in a first handshake; ours never renegotiates.
    secureRenegotiation: sizedData(dataOf(EXTENSION.renegotiationInfo))?.length === 0,
  };
}

/** With the suite that stands for an extension where a client has no extensions block. */
export function readClientExtensions({ extensions, cipherSuites }: ClientHello): HelloExtensions {
  const read = readHelloExtensions(extensions);
  return {
    ...read,
    secureRenegotiation: read.secureRenegotiation || cipherSuites.includes(EMPTY_RENEGOTIATION_INFO_SCSV),
  };
}

/** Undefined when there is nothing to say: a client without extensions must not see an empty block. */
export function writeHelloExtensions(chosen: HelloExtensions): Extension[] | undefined {
  const extensions: Extension[] = [];
  if (chosen.secureRenegotiation) extensions.push({ type: EXTENSION.renegotiationInfo, data: Uint8Array.of(0) });
  if (chosen.extendedMasterSecret) extensions.push({ type: EXTENSION.extendedMasterSecret, data: new Uint8Array(0) });
  if (chosen.encryptThenMac) extensions.push({ type: EXTENSION.encryptThenMac, data: new Uint8Array(0) });
  if (chosen.connectionId) extensions.push({ type: EXTENSION.connectionId, data: withLength(chosen.connectionId) });
  return extensions.length === 0 ? undefined : extensions;
}

function isFlagged(data: Uint8Array | undefined): boolean {
  if (data !== undefined && data.length > 0) throw new MalformedError("an extension without data has some");
  return data !== undefined;
}

function sizedData(data: Uint8Array | undefined): Uint8Array | undefined {
  if (data === undefined) return undefined;
  const reader = new ByteReader(data);
  const value = reader.bytes(reader.uint(1));
  if (reader.remaining > 0) throw new MalformedError("bytes behind an extension's data");
  return value;
}

function withLength(bytes: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  writer.uint(bytes.length, 1);
  writer.bytes(bytes);
  return writer.finish();
}
