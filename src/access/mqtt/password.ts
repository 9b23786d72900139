import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const DIGEST_BYTES = 32;
const HEX_DIGEST = /^[0-9a-fA-F]{64}$/;

/** Stands for the secret of a device that does not exist, so that asking for one takes as long as guessing. */
const NOBODY = randomBytes(DIGEST_BYTES).toString("hex");

/** The digest that a password claims: 64 hex digits in either case; undefined for anything else. */
export function parsePassword(password: Uint8Array): Buffer | undefined {
  if (password.length !== 2 * DIGEST_BYTES) return undefined;
  const text = Buffer.from(password.buffer, password.byteOffset, password.length).toString("latin1");
  return HEX_DIGEST.test(text) ? Buffer.from(text, "hex") : undefined;
}

/** HMAC-SHA256 of the secret with the timestamp as key. Without a secret (no such device) never true, in the same time. */
export function isPasswordOf(secret: string | undefined, timestamp: string, claimed: Uint8Array): boolean {
  const expected = createHmac("sha256", timestamp)
    .update(secret ?? NOBODY)
    .digest();
  return timingSafeEqual(expected, claimed) && secret !== undefined;
}
