import { expect, test } from "bun:test";
import { parseQuery } from "./query";

const NAMES = new Set(["a", "b"]);

test.each([
  ["http://x/p", {}],
  ["http://x/p?", {}],
  ["http://x/p?a=1&b=2", { a: "1", b: "2" }],
  ["http://x/p?a=%E4%BD%A0+%2B&b", { a: "你 +" }],
  ["http://x/p?a=&&b=x=y", { b: "x=y" }],
  ["http://x/p?a=1#b=2", { a: "1" }],
  ["http://x/p?c=1&c=2&%zz=3", {}],
  ["http://x/p?__proto__=1&constructor=2", {}],
])("%s is %j", (url, expected) => {
  expect(parseQuery(url, NAMES)).toEqual(expected);
});

test.each(["http://x/p?a=1&a=1", "http://x/p?a=&a=1", "http://x/p?a=%zz", "http://x/p?b=%ff"])(
  "%s is refused",
  (url) => {
    expect(() => parseQuery(url, NAMES)).toThrow("INPUT_INVALID");
  },
);
