import { expect, test } from "bun:test";
import { plainPeers } from "./plain-peers";

test("an address and port is one object while it is used, and sends where it says", () => {
  const sent: unknown[] = [];
  const peers = plainPeers({ send: (...datagram) => sent.push(datagram) }, 10);
  const peer = peers.of("203.0.113.5", 56_830);
  for (let port = 1; port < 100; port++) {
    peers.of("198.51.100.7", port);
    expect(peers.of("203.0.113.5", 56_830)).toBe(peer);
  }
  expect([peer.key, peer.deviceNo, peers.of("2001:db8::1", 5).key]).toEqual([
    "203.0.113.5:56830",
    undefined,
    "[2001:db8::1]:5",
  ]);
  peer.send(Uint8Array.of(1));
  expect(sent).toEqual([[Uint8Array.of(1), "203.0.113.5", 56_830]]);
});

test("made-up addresses do not fill the memory", () => {
  const peers = plainPeers({ send() {} }, 100);
  for (let port = 1; port < 10_000; port++) peers.of("192.0.2.1", port);
  expect(peers.size).toBeLessThanOrEqual(100);
});
