import { describe, expect, test } from "bun:test";
import { equalBytes, processDigest } from "./compare";
import { randomText } from "./random-text";
import { secretHashes } from "./secret-hashes";

const CHEAP = { memoryKib: 64, passes: 1, maxConcurrent: 1, maxWaiting: 1 };
const hashes = secretHashes({ ...CHEAP, maxWaiting: 100 });

describe("a slow hash", () => {
  test("fits its secret only", async () => {
    const hash = await hashes.hash("secret");
    expect(hash).toStartWith("$argon2id$v=19$m=64,t=1,p=1$");
    expect(await hashes.verify("secret", hash)).toBe(true);
    expect(await hashes.verify("Secret", hash)).toBe(false);
  });

  test("is salted", async () => expect(await hashes.hash("secret")).not.toBe(await hashes.hash("secret")));

  test.each(["", "x".repeat(1_025)])("is neither made nor verified for an unusable secret: %#", async (secret) => {
    const hash = await hashes.hash("secret");
    expect(await hashes.verify(secret, hash)).toBe(false);
    await expect(hashes.hash(secret)).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });

  test("of nobody costs the same work and fits nothing", async () => {
    for (const guess of ["nobody", "secret", ""]) expect(await hashes.verify(guess, undefined)).toBe(false);
  });

  test("does not hold up the event loop", async () => {
    const slow = secretHashes({ memoryKib: 65_536, passes: 3, maxConcurrent: 1, maxWaiting: 1 });
    let done = false;
    const hashing = slow.hash("secret").then(() => {
      done = true;
    });
    let turns = 0;
    while (!done && turns < 5) {
      await new Promise(setImmediate);
      turns++;
    }
    expect({ done, turns }).toEqual({ done: false, turns: 5 });
    await hashing;
  });

  test("is refused when too many wait, and goes on afterwards", async () => {
    const busy = secretHashes(CHEAP);
    const first = busy.hash("a");
    const second = busy.hash("b");
    await expect(busy.hash("c")).rejects.toMatchObject({ code: "CONGESTED" });
    await Promise.all([first, second]);
    expect(await busy.verify("a", await first)).toBe(true);
  });
});

test("bytes are compared by content and length", () => {
  const digest = processDigest();
  expect(equalBytes(digest("a"), digest("a"))).toBe(true);
  expect(equalBytes(digest("a"), digest("b"))).toBe(false);
  expect(equalBytes(digest("a"), digest("a").subarray(1))).toBe(false);
  expect(equalBytes(digest("a"), processDigest()("a"))).toBe(false);
});

test("random text has its length, its alphabet and no repetition", () => {
  const texts = Array.from({ length: 500 }, () => randomText(20));
  for (const text of texts) expect(text).toMatch(/^[A-Za-z0-9]{20}$/);
  expect(new Set(texts).size).toBe(500);
  expect(new Set(texts.join("")).size).toBe(62);
});
