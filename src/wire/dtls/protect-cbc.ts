/** AES_128_CBC_SHA256 records, MAC-then-encrypt (RFC 5246 §6.2.3.2) and encrypt-then-MAC (RFC 7366). */
import { type Cipheriv, createDecipheriv, createHash, createHmac, type Decipheriv, timingSafeEqual } from "node:crypto";
import { unpadded } from "./aes-ccm";
import type { DirectionKeys } from "./prf";
import { authenticatedHeader, headerOf, innerLength, openInner, putInner, recordNumber } from "./protected-header";
import { encodeHeader, headerLength } from "./record";
import type { RecordProtection } from "./record-protection";

const BLOCK = 16;
const MAC = 32;
const HASH_BLOCK = 64;
const MAX_PADDING = 255;

export function createCbcProtection({ key, macKey }: DirectionKeys, encryptThenMac: boolean): RecordProtection {
  const last = new Uint8Array(BLOCK);
  let chain: Cipheriv | undefined;
  let blocks: Decipheriv | undefined;

  const mac = (header: Uint8Array, bytes: Uint8Array): Buffer =>
    createHmac("sha256", macKey).update(header).update(bytes).digest();

  /**
   * In place, and `bytes` begins with one block more than its plain text: the record's number, which as the first
   * plain block over a void chain becomes the IV. So the IV is unique, nobody can foretell it (NIST SP 800-38A
   * appendix C, first method), and no randomness has to come in.
   */
  function encrypt(bytes: Uint8Array): void {
    for (let at = 0; at < BLOCK; at++) (bytes[at] as number) ^= last[at] as number;
    chain ??= unpadded("aes-128-cbc", key, new Uint8Array(BLOCK));
    bytes.set(chain.update(bytes));
    last.set(bytes.subarray(bytes.length - BLOCK));
  }

  /** Without the IV, which is the first block. */
  function decrypt(bytes: Uint8Array): Uint8Array {
    blocks ??= createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false);
    const plain = new Uint8Array(blocks.update(bytes.subarray(BLOCK)));
    for (let at = 0; at < plain.length; at++) (plain[at] as number) ^= bytes[at] as number;
    return plain;
  }

  /** Looks at the padding only after the MAC proved who wrote it. */
  function openEncrypted(header: Uint8Array, connectionId: Uint8Array | undefined, fragment: Uint8Array) {
    const end = fragment.length - MAC;
    if (end < 2 * BLOCK || end % BLOCK !== 0) return undefined;
    const body = fragment.subarray(0, end);
    const expected = mac(authenticatedHeader(header, connectionId, end), body);
    if (!timingSafeEqual(expected, fragment.subarray(end))) return undefined;
    const plain = decrypt(body);
    const padding = paddingOf(plain, plain.length - 1);
    return padding === undefined ? undefined : plain.subarray(0, plain.length - 1 - padding);
  }

  /**
   * Bad padding and bad MAC must look the same, in time as well: both compute a MAC, and the hash blocks that a
   * longer padding saves are made up for (RFC 5246 §6.2.3.2; what remains is the garbage collector's noise).
   */
  function openMacced(header: Uint8Array, connectionId: Uint8Array | undefined, fragment: Uint8Array) {
    if (fragment.length < 2 * BLOCK + MAC || fragment.length % BLOCK !== 0) return undefined;
    const plain = decrypt(fragment);
    const longest = plain.length - 1 - MAC;
    const padding = paddingOf(plain, longest);
    const length = longest - (padding ?? 0);
    const head = authenticatedHeader(header, connectionId, length);
    const expected = mac(head, plain.subarray(0, length));
    const spared = hashBlocks(head.length + longest) - hashBlocks(head.length + length);
    createHash("sha256")
      .update(new Uint8Array(spared * HASH_BLOCK))
      .digest();
    const isAuthentic = timingSafeEqual(expected, plain.subarray(length, length + MAC));
    return isAuthentic && padding !== undefined ? plain.subarray(0, length) : undefined;
  }

  return {
    seal(plain) {
      const header = headerOf(plain);
      const length = innerLength(plain);
      const secret = length + (encryptThenMac ? 0 : MAC);
      const padded = (Math.floor(secret / BLOCK) + 1) * BLOCK; // at least the byte that says how much
      const fragmentLength = BLOCK + padded + (encryptThenMac ? MAC : 0);
      const record = new Uint8Array(headerLength(header) + fragmentLength);
      const at = encodeHeader(header, fragmentLength, record);
      const headerBytes = record.subarray(0, at);
      record.set(recordNumber(headerBytes), at);
      const contentAt = at + BLOCK;
      putInner(plain, record, contentAt);
      record.fill(padded - secret - 1, contentAt + secret, contentAt + padded);
      const body = record.subarray(at, contentAt + padded);
      if (encryptThenMac) {
        encrypt(body);
        record.set(mac(authenticatedHeader(headerBytes, plain.connectionId, body.length), body), contentAt + padded);
      } else {
        const head = authenticatedHeader(headerBytes, plain.connectionId, length);
        record.set(mac(head, record.subarray(contentAt, contentAt + length)), contentAt + length);
        encrypt(body);
      }
      return record;
    },
    open(record) {
      const { header, connectionId, fragment } = record;
      const inner = (encryptThenMac ? openEncrypted : openMacced)(header, connectionId, fragment);
      return inner === undefined ? undefined : openInner(record, inner);
    },
  };
}

/** Looks at as many bytes as the longest padding has, whatever the last byte says; undefined if they are not all alike. */
function paddingOf(plain: Uint8Array, longest: number): number | undefined {
  const end = plain.length - 1;
  const padding = plain[end] as number;
  let wrong = padding > longest ? 1 : 0;
  for (let back = 1; back <= Math.min(MAX_PADDING, end); back++) {
    const counts = (back - padding - 1) >> 31; // all ones while back <= padding
    wrong |= ((plain[end - back] as number) ^ padding) & counts;
  }
  return wrong === 0 ? padding : undefined;
}

/** How often SHA-256 turns for a message of so many bytes; the HMAC's own key block is the same for all. */
const hashBlocks = (length: number) => Math.floor((length + 8) / HASH_BLOCK) + 1;
