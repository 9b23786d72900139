/** Stateless cookies (RFC 6347 §4.2.1): only who gets our answers at its address can make us keep anything. */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { HelloStart } from "./messages";

export const COOKIE_LENGTH = 32;

/**
 * Over the address and what stands in front of the cookie: a fragmented hello shows no more in its first part, and
 * what follows (suites, extensions) is protected by Finished. `secret` is random, 32 bytes, and replaced by time.
 */
export function makeCookie(secret: Uint8Array, address: string, hello: Omit<HelloStart, "cookie">): Uint8Array {
  const { version, random, sessionId } = hello;
  const head = Uint8Array.of(version >> 8, version & 0xff, sessionId.length);
  const mac = createHmac("sha256", secret).update(head).update(random).update(sessionId).update(address);
  return new Uint8Array(mac.digest());
}

/** `secrets`: the current one, and the one before it for hellos that were under way. */
export function isCookieValid(secrets: readonly Uint8Array[], address: string, hello: HelloStart): boolean {
  if (hello.cookie.length !== COOKIE_LENGTH) return false;
  return secrets.some((secret) => timingSafeEqual(makeCookie(secret, address, hello), hello.cookie));
}
