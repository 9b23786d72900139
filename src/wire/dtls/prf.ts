/** Key derivation of TLS 1.2 with SHA-256 and pre-shared keys (RFC 5246 §5, §6.3, §8.1; RFC 4279 §2; RFC 7627 §4). */
import { createHash, createHmac } from "node:crypto";
import { ByteReader } from "../bytes";
import type { CipherSuite } from "./cipher-suite";

export const MASTER_SECRET_LENGTH = 48;
export const VERIFY_DATA_LENGTH = 12;

export type HelloRandoms = { readonly client: Uint8Array; readonly server: Uint8Array };
export type DirectionKeys = { macKey: Uint8Array; key: Uint8Array; salt: Uint8Array };
export type SessionKeys = { client: DirectionKeys; server: DirectionKeys };

export const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return plain(hash.digest());
};

/** P_SHA256 (RFC 5246 §5): A(i) = HMAC(A(i-1)), output = HMAC(A(i) + seed) for i = 1, 2, … */
export function prf(secret: Uint8Array, label: string, seed: Uint8Array, length: number): Uint8Array {
  const labelled = Buffer.concat([Buffer.from(label, "latin1"), seed]);
  const output = new Uint8Array(length);
  let chain: Uint8Array = labelled;
  for (let at = 0; at < length; ) {
    chain = createHmac("sha256", secret).update(chain).digest();
    const block = createHmac("sha256", secret).update(chain).update(labelled).digest();
    output.set(block.subarray(0, length - at), at);
    at += block.length;
  }
  return output;
}

/** As many zeros as the key has bytes, and the key, each behind its length (RFC 4279 §2). */
export function pskPremasterSecret(psk: Uint8Array): Uint8Array {
  const secret = new Uint8Array(4 + 2 * psk.length);
  const view = new DataView(secret.buffer);
  view.setUint16(0, psk.length);
  view.setUint16(2 + psk.length, psk.length);
  secret.set(psk, 4 + psk.length);
  return secret;
}

export function masterSecret(premaster: Uint8Array, { client, server }: HelloRandoms): Uint8Array {
  return prf(premaster, "master secret", Buffer.concat([client, server]), MASTER_SECRET_LENGTH);
}

/** `sessionHash` covers the handshake up to and with ClientKeyExchange (RFC 7627 §3). */
export function extendedMasterSecret(premaster: Uint8Array, sessionHash: Uint8Array): Uint8Array {
  return prf(premaster, "extended master secret", sessionHash, MASTER_SECRET_LENGTH);
}

/** Cuts the key block in its order: MAC keys, keys, salts, the client's first (RFC 5246 §6.3). */
export function sessionKeys(suite: CipherSuite, master: Uint8Array, { client, server }: HelloRandoms): SessionKeys {
  const { macKeyLength, keyLength, saltLength } = suite;
  const length = 2 * (macKeyLength + keyLength + saltLength);
  const block = prf(master, "key expansion", Buffer.concat([server, client]), length); // the server's first: §6.3
  const reader = new ByteReader(block);
  const take = (width: number) => reader.bytes(width).slice(); // copies: a device that sleeps keeps few bytes
  const macKeys = [take(macKeyLength), take(macKeyLength)] as const;
  const keys = [take(keyLength), take(keyLength)] as const;
  const salts = [take(saltLength), take(saltLength)] as const;
  return {
    client: { macKey: macKeys[0], key: keys[0], salt: salts[0] },
    server: { macKey: macKeys[1], key: keys[1], salt: salts[1] },
  };
}

/** Body of Finished (RFC 5246 §7.4.9); `transcriptHash` covers all before it. */
export function verifyData(master: Uint8Array, sender: "client" | "server", transcriptHash: Uint8Array): Uint8Array {
  return prf(master, `${sender} finished`, transcriptHash, VERIFY_DATA_LENGTH);
}

/** Equal to other byte arrays in tests, and no view into a pool that keeps others' secrets. */
const plain = (bytes: Buffer): Uint8Array => new Uint8Array(bytes);
