import { createCipheriv, createDecipheriv, createSecretKey, randomFillSync } from "node:crypto";

/** Encrypts secrets that must be readable again (device secrets, PSKs). Synchronous, a few microseconds each. */
export interface Sealer {
  /** `context` says what the secret belongs to (`device:17`): a sealed value does not open in another context. */
  seal(plain: string, context: string): Uint8Array;
  /** Throws `SealError` when the bytes were not sealed with this key in this context, or were changed. */
  open(sealed: Uint8Array, context: string): string;
}

/** A sealed value that cannot be opened. Says nothing of the content. */
export class SealError extends Error {
  override name = "SealError";
}

// Version byte, nonce, ciphertext, tag. Random 96-bit nonces are safe for some 2^32 values under one key (NIST SP 800-38D §8.3).
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCES_AT_ONCE = 256; // the system's generator costs more per call than per byte

/** `key` has 32 bytes. */
export function createSealer(key: Uint8Array): Sealer {
  const secretKey = createSecretKey(key);
  const nonces = new Uint8Array(NONCE_BYTES * NONCES_AT_ONCE);
  let used = nonces.length;

  function nextNonce(): Uint8Array {
    if (used === nonces.length) {
      randomFillSync(nonces);
      used = 0;
    }
    used += NONCE_BYTES;
    return nonces.subarray(used - NONCE_BYTES, used);
  }

  return {
    seal(plain, context) {
      const nonce = nextNonce();
      const cipher = createCipheriv("aes-256-gcm", secretKey, nonce);
      cipher.setAAD(Buffer.from(context));
      const body = cipher.update(plain, "utf8");
      cipher.final(); // GCM holds nothing back
      const sealed = new Uint8Array(1 + NONCE_BYTES + body.length + TAG_BYTES);
      sealed[0] = VERSION;
      sealed.set(nonce, 1);
      sealed.set(body, 1 + NONCE_BYTES);
      sealed.set(cipher.getAuthTag(), 1 + NONCE_BYTES + body.length);
      return sealed;
    },

    open(sealed, context) {
      if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES) throw new SealError("too short for a sealed value");
      if (sealed[0] !== VERSION) throw new SealError(`sealed in format ${sealed[0]}, which this build does not know`);
      const end = sealed.length - TAG_BYTES;
      const cipher = createDecipheriv("aes-256-gcm", secretKey, sealed.subarray(1, 1 + NONCE_BYTES));
      cipher.setAAD(Buffer.from(context));
      cipher.setAuthTag(sealed.subarray(end));
      try {
        const plain = cipher.update(sealed.subarray(1 + NONCE_BYTES, end));
        cipher.final();
        return plain.toString("utf8");
      } catch {
        throw new SealError(`not sealed with this key for ${context}`);
      }
    },
  };
}
