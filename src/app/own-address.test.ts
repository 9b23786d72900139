import { expect, test } from "bun:test";
import { ownAddress } from "./own-address";

const LOOPBACK = { address: "127.0.0.1", cidr: "127.0.0.1/8", family: "IPv4", internal: true } as const;
const LAN = { address: "192.0.2.2", cidr: "192.0.2.2/24", family: "IPv4", internal: false } as const;
const FIELD = { address: "10.1.0.1", cidr: "10.1.0.1/16", family: "IPv4", internal: false } as const;
const SIX = { address: "fd00::2", cidr: "fd00::2/64", family: "IPv6", internal: false } as const;
const ALL = [LOOPBACK, LAN, FIELD, SIX];

test.each([
  ["on this machine", "127.3.2.1", "127.0.0.1"],
  ["in the same network", "192.0.2.77", "192.0.2.2"],
  ["in a second network", "10.1.200.9", "10.1.0.1"],
  ["an IPv4 address of an IPv6 socket", "::ffff:10.1.200.9", "10.1.0.1"],
  ["IPv6", "[fd00::9]", "fd00::2"],
  ["from afar", "203.0.113.5", "192.0.2.2"],
  ["from afar, IPv6", "2001:db8::1", "192.0.2.2"],
  ["of unknown address", "", "192.0.2.2"],
])("%s", (_name, peer, own) => expect(ownAddress(peer, ALL)).toBe(own));

test("a machine without a network only reaches itself", () => {
  expect(ownAddress("203.0.113.5", [LOOPBACK])).toBe("127.0.0.1");
  expect(ownAddress("203.0.113.5", [])).toBe("127.0.0.1");
  expect(ownAddress("127.0.0.1")).toBe("127.0.0.1");
});
