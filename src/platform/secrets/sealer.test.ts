import { describe, expect, test } from "bun:test";
import { createDecipheriv } from "node:crypto";
import { createSealer, SealError } from "./sealer";

const KEY = new Uint8Array(32).fill(7);
const sealer = createSealer(KEY);

describe("a sealed secret", () => {
  test.each(["", "0123456789abcdef0123", "密钥 with ünïcode \u0000", "x".repeat(10_000)])(
    "opens again: %#",
    (plain) => {
      expect(sealer.open(sealer.seal(plain, "device:1"), "device:1")).toBe(plain);
    },
  );

  test("is AES-256-GCM: version, nonce, ciphertext, tag", () => {
    const sealed = sealer.seal("secret", "device:1");
    const cipher = createDecipheriv("aes-256-gcm", KEY, sealed.subarray(1, 13));
    cipher.setAAD(Buffer.from("device:1"));
    cipher.setAuthTag(sealed.subarray(19));
    expect(sealed[0]).toBe(1);
    expect(cipher.update(sealed.subarray(13, 19), undefined, "utf8") + cipher.final("utf8")).toBe("secret");
  });

  test("never repeats a nonce", () => {
    const nonces = Array.from({ length: 2_000 }, () => Buffer.from(sealer.seal("a", "b")).toString("hex", 1, 13));
    expect(new Set(nonces).size).toBe(2_000);
  });

  test("does not open in another context", () => {
    expect(() => sealer.open(sealer.seal("secret", "device:1"), "device:2")).toThrow(SealError);
  });

  test("does not open with another key", () => {
    const other = createSealer(new Uint8Array(32).fill(8));
    expect(() => other.open(sealer.seal("secret", "device:1"), "device:1")).toThrow(SealError);
  });

  test("does not open when a bit of it was changed, or when cut anywhere", () => {
    const sealed = sealer.seal("secret", "device:1");
    for (let at = 0; at < sealed.length; at++) {
      const changed = sealed.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => sealer.open(changed, "device:1")).toThrow(SealError);
      expect(() => sealer.open(sealed.subarray(0, at), "device:1")).toThrow(SealError);
    }
  });
});
