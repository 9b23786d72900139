import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Compares in a time that depends on the lengths only. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

/** A fast digest whose key lives and dies with this process: to recognise a secret in memory without keeping it. */
export function processDigest(): (text: string) => Uint8Array {
  const key = randomBytes(32);
  return (text) => createHmac("sha256", key).update(text).digest();
}
