/** AES-128-CCM (RFC 3610; RFC 6655 uses it with 12 bytes of nonce and 8 of tag) built of CBC and ECB. */
import { type Cipheriv, createCipheriv, timingSafeEqual } from "node:crypto";

const BLOCK = 16;
/** A whole DTLS record with its additional data; longer input is a fault of the caller. */
const MAX_BYTES = 0x4000 + 0x800;
const ZERO_BLOCK = new Uint8Array(BLOCK);

// Working memory of one call, never read by the next: two arrays a key would cost a sleeping device 36 KB.
const macInput = new Uint8Array(MAX_BYTES);
const counters = new Uint8Array(MAX_BYTES);

export type AesCcm = {
  /** Encrypts `bytes` from `start` to `end` in place and writes the tag behind; there must be room for it. */
  seal(nonce: Uint8Array, additional: Uint8Array, bytes: Uint8Array, start: number, end: number): void;
  /** Decrypts in place if the tag behind `end` is right; otherwise false, and no byte has changed. */
  open(nonce: Uint8Array, additional: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean;
};

/**
 * One pair of cipher objects per key, made at first use: a new object costs three times what a record costs. The CBC
 * object remembers the last block it gave out; XORed into the first block of the next message, that memory is void.
 * A nonce must never be sealed twice under one key.
 */
export function createAesCcm(key: Uint8Array, tagLength = 8): AesCcm {
  if (key.length !== BLOCK) throw new RangeError(`an AES-128 key has 16 bytes, not ${key.length}`);
  if (tagLength < 4 || tagLength > BLOCK || tagLength % 2 !== 0) throw new RangeError(`no CCM tag of ${tagLength}`);
  const last = new Uint8Array(BLOCK);
  let chain: Cipheriv | undefined;
  let blocks: Cipheriv | undefined;

  /** Fills `macInput` with all but the message and says where that begins. */
  function startMac(nonce: Uint8Array, additional: Uint8Array, length: number): number {
    const width = BLOCK - 1 - nonce.length;
    if (width < 2 || width > 8) throw new RangeError(`no CCM nonce of ${nonce.length} bytes`);
    if (additional.length >= 0xff00 || 3 * BLOCK + additional.length + length > MAX_BYTES || length >= 256 ** width) {
      throw new RangeError(`${length} bytes are too long`);
    }
    macInput[0] = (additional.length > 0 ? 0x40 : 0) | (((tagLength - 2) / 2) << 3) | (width - 1);
    macInput.set(nonce, 1);
    putCount(macInput, BLOCK, width, length);
    if (additional.length === 0) return BLOCK;
    macInput[BLOCK] = additional.length >> 8;
    macInput[BLOCK + 1] = additional.length & 0xff;
    macInput.set(additional, BLOCK + 2);
    const end = BLOCK + 2 + additional.length;
    const padded = roundUp(end);
    macInput.fill(0, end, padded);
    return padded;
  }

  /** The last CBC block over `macInput`, whose message ends at `end`. */
  function finishMac(end: number): Uint8Array {
    const padded = roundUp(end);
    macInput.fill(0, end, padded);
    for (let at = 0; at < BLOCK; at++) (macInput[at] as number) ^= last[at] as number;
    chain ??= unpadded("aes-128-cbc", key, ZERO_BLOCK);
    const mac = chain.update(macInput.subarray(0, padded)).subarray(padded - BLOCK);
    last.set(mac);
    return mac;
  }

  /** Block 0 encrypts the tag, the others the message. */
  function keyStream(nonce: Uint8Array, length: number): Uint8Array {
    const width = BLOCK - 1 - nonce.length;
    const total = BLOCK + roundUp(length);
    for (let at = 0, count = 0; at < total; at += BLOCK, count++) {
      counters[at] = width - 1;
      counters.set(nonce, at + 1);
      putCount(counters, at + BLOCK, width, count);
    }
    blocks ??= unpadded("aes-128-ecb", key, null);
    return blocks.update(counters.subarray(0, total));
  }

  return {
    seal(nonce, additional, bytes, start, end) {
      const length = end - start;
      if (length < 0 || end + tagLength > bytes.length) throw new RangeError("no room for the tag");
      const messageAt = startMac(nonce, additional, length);
      for (let at = 0; at < length; at++) macInput[messageAt + at] = bytes[start + at] as number;
      const mac = finishMac(messageAt + length);
      const stream = keyStream(nonce, length);
      for (let at = 0; at < length; at++) (bytes[start + at] as number) ^= stream[BLOCK + at] as number;
      for (let at = 0; at < tagLength; at++) bytes[end + at] = (mac[at] as number) ^ (stream[at] as number);
    },
    open(nonce, additional, bytes, start, end) {
      const length = end - start;
      if (length < 0 || end + tagLength > bytes.length) return false;
      const messageAt = startMac(nonce, additional, length);
      const stream = keyStream(nonce, length);
      for (let at = 0; at < length; at++) {
        macInput[messageAt + at] = (bytes[start + at] as number) ^ (stream[BLOCK + at] as number);
      }
      const mac = finishMac(messageAt + length);
      for (let at = 0; at < tagLength; at++) (mac[at] as number) ^= stream[at] as number;
      if (!timingSafeEqual(mac.subarray(0, tagLength), bytes.subarray(end, end + tagLength))) return false;
      for (let at = 0; at < length; at++) bytes[start + at] = macInput[messageAt + at] as number;
      return true;
    },
  };
}

export function unpadded(mode: "aes-128-cbc" | "aes-128-ecb", key: Uint8Array, iv: Uint8Array | null): Cipheriv {
  return createCipheriv(mode, key, iv).setAutoPadding(false);
}

const roundUp = (length: number) => (length + BLOCK - 1) & ~(BLOCK - 1);

/** Big-endian in the `width` bytes before `end`; no message is so long that it needs more than four. */
function putCount(into: Uint8Array, end: number, width: number, value: number): void {
  let rest = value;
  for (let at = end - 1; at >= end - width; at--) {
    into[at] = rest & 0xff;
    rest >>>= 8;
  }
}
