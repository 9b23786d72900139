import { expect, test } from "bun:test";
import type { Peer } from "../datagram/peer";
import { EndedTokens } from "./ended-tokens";

const peer = (key: string): Peer => ({ key, deviceNo: undefined, address: "", port: 1, send() {} });
const token = (byte: number) => Uint8Array.of(byte);

test("tokens are remembered by their peer, for their time", () => {
  const ended = new EndedTokens(10, 1_000);
  ended.add(peer("a"), token(1), 0);
  expect([ended.has(peer("a"), token(1), 999), ended.has(peer("a"), token(1), 1_000)]).toEqual([true, false]);
  expect([ended.has(peer("b"), token(1), 0), ended.has(peer("a"), token(2), 0)]).toEqual([false, false]);
});

test("no more than so many: the oldest go", () => {
  const ended = new EndedTokens(10, 1_000);
  for (let n = 0; n < 100; n++) ended.add(peer("a"), token(n), n);
  expect([ended.size, ended.has(peer("a"), token(89), 99), ended.has(peer("a"), token(90), 99)]).toEqual([
    10,
    false,
    true,
  ]);
  ended.add(peer("a"), token(200), 5_000);
  expect(ended.size).toBe(1); // those whose time is over go as well
});
