import { createHash } from "node:crypto";
import type { Sealer } from "../../platform/secrets";
import { ByteReader, ByteWriter } from "../../wire/bytes";
import { cipherSuiteById, type DirectionKeys, type DtlsSession, MASTER_SECRET_LENGTH } from "../../wire/dtls";

/** What of a session is secret, and what belongs to it. The rest of its row says where and when. */
export type SealedSession = {
  readonly session: DtlsSession;
  /** Of the key that the device had: a session ends when the device gets another one. */
  readonly keyMark: Uint8Array;
};

const VERSION = 1;
const KEY_MARK_LENGTH = 8;
const FLAG = { extendedMasterSecret: 1, encryptThenMac: 2, ownConnectionId: 4, peerConnectionId: 8 } as const;

export const keyMark = (pskHex: string): Uint8Array =>
  new Uint8Array(
    createHash("sha256").update(`islet dtls psk ${pskHex.toLowerCase()}`).digest().subarray(0, KEY_MARK_LENGTH),
  );

/** Sealed under the session's id and device, so that a row does not open in another one's place. */
export function sealSession(sealer: Sealer, deviceNo: number, { session, keyMark: mark }: SealedSession): Uint8Array {
  const { suite, keys, ownConnectionId, peerConnectionId } = session;
  const writer = new ByteWriter();
  writer.uint(VERSION, 1);
  writer.uint(suite.id, 2);
  writer.uint(
    (session.extendedMasterSecret ? FLAG.extendedMasterSecret : 0) |
      (session.encryptThenMac ? FLAG.encryptThenMac : 0) |
      (ownConnectionId ? FLAG.ownConnectionId : 0) |
      (peerConnectionId ? FLAG.peerConnectionId : 0),
    1,
  );
  writer.bytes(mark);
  writer.bytes(session.masterSecret);
  for (const { macKey, key, salt } of [keys.client, keys.server]) {
    writer.bytes(macKey);
    writer.bytes(key);
    writer.bytes(salt);
  }
  for (const part of [session.sessionId, session.identity, ownConnectionId, peerConnectionId]) {
    if (part === undefined) continue;
    writer.uint(part.length, 1);
    writer.bytes(part);
  }
  return sealer.seal(Buffer.from(writer.finish()).toString("base64"), contextOf(deviceNo, session.sessionId));
}

/** Throws SealError, or MalformedError for a version that this build does not know. */
export function openSession(
  sealer: Sealer,
  deviceNo: number,
  sessionId: Uint8Array,
  sealed: Uint8Array,
): SealedSession {
  const reader = new ByteReader(Buffer.from(sealer.open(sealed, contextOf(deviceNo, sessionId)), "base64"));
  const version = reader.uint(1);
  if (version !== VERSION) throw new Error(`a DTLS session stored in format ${version}`);
  const suite = cipherSuiteById(reader.uint(2));
  if (suite === undefined) throw new Error("a DTLS session stored with a suite that this build does not know");
  const flags = reader.uint(1);
  const take = (length: number) => new Uint8Array(reader.bytes(length)); // copies: no view keeps the whole alive
  const mark = take(KEY_MARK_LENGTH);
  const masterSecret = take(MASTER_SECRET_LENGTH);
  const direction = (): DirectionKeys => ({
    macKey: take(suite.macKeyLength),
    key: take(suite.keyLength),
    salt: take(suite.saltLength),
  });
  const keys = { client: direction(), server: direction() };
  const sized = () => take(reader.uint(1));
  const has = (flag: number) => (flags & flag) !== 0;
  return {
    keyMark: mark,
    session: {
      suite,
      masterSecret,
      keys,
      extendedMasterSecret: has(FLAG.extendedMasterSecret),
      encryptThenMac: has(FLAG.encryptThenMac),
      sessionId: sized(),
      identity: sized(),
      ownConnectionId: has(FLAG.ownConnectionId) ? sized() : undefined,
      peerConnectionId: has(FLAG.peerConnectionId) ? sized() : undefined,
    },
  };
}

const contextOf = (deviceNo: number, sessionId: Uint8Array) => `dtls-session:${deviceNo}:${sessionId.toHex()}`;
