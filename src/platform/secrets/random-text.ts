import { randomBytes } from "node:crypto";

const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const EVEN = 256 - (256 % LETTERS_AND_DIGITS.length); // bytes from here on would make the first characters likelier

/** Letters and digits, 5.95 random bits each: can be typed, and needs no escaping in forms, URLs or shells. */
export function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < EVEN && text.length < length) text += LETTERS_AND_DIGITS[byte % LETTERS_AND_DIGITS.length];
    }
  }
  return text;
}
