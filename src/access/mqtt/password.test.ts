import { expect, test } from "bun:test";
import { isPasswordOf, parsePassword } from "./password";

const SECRET = "secret0123456789abcd";
// printf 'secret0123456789abcd' | openssl dgst -sha256 -hmac 2018072417
const DIGEST = "f84ef6c959576dd2de6745fcc0daecc0a5e3d69c0dbf3b82fd20055a06efda41";
const digest = (text: string) => parsePassword(Buffer.from(text)) as Buffer;

test("the digest is the one that OpenSSL makes, in either case", () => {
  expect(isPasswordOf(SECRET, "2018072417", digest(DIGEST))).toBe(true);
  expect(isPasswordOf(SECRET, "2018072417", digest(DIGEST.toUpperCase()))).toBe(true);
});
test("another secret, timestamp or digest does not fit", () => {
  expect(isPasswordOf(`${SECRET}x`, "2018072417", digest(DIGEST))).toBe(false);
  expect(isPasswordOf(SECRET, "2018072418", digest(DIGEST))).toBe(false);
  expect(isPasswordOf(SECRET, "2018072417", digest(DIGEST.replace(/.$/, (last) => (last === "0" ? "1" : "0"))))).toBe(
    false,
  );
});
test("nobody has a password", () => expect(isPasswordOf(undefined, "2018072417", digest(DIGEST))).toBe(false));
test.each(["", "abc", DIGEST.slice(1), `${DIGEST}0`, `g${DIGEST.slice(1)}`, `${DIGEST.slice(0, 62)}é`])(
  "%p is no digest",
  (text) => expect(parsePassword(Buffer.from(text))).toBeUndefined(),
);
