import { expect, test } from "bun:test";
import { PSK_AES_128_CBC_SHA256, PSK_AES_128_CCM_8 } from "./cipher-suite";
import { masterSecret, prf, pskPremasterSecret, sessionKeys, verifyData } from "./prf";
import { hex } from "./testing/hex";

test("P_SHA256 gives the published vector of the TLS working group", () => {
  const secret = hex("9bbe436ba940f017b17652849a71db35");
  const seed = hex("a0ba9f936cda311827a6f796ffd5198c");
  expect(prf(secret, "test label", seed, 100).toHex()).toBe(
    "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa0" +
      "22f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
  );
});

test.each([
  ["", "0000 0000"],
  ["aa", "0001 00 0001 aa"],
  ["000102030405060708090a0b0c0d0e0f", `0010 ${"00".repeat(16)} 0010 000102030405060708090a0b0c0d0e0f`],
])("premaster secret of key %p", (psk, expected) => {
  expect(pskPremasterSecret(hex(psk))).toEqual(hex(expected));
});

const randoms = { client: new Uint8Array(32).fill(1), server: new Uint8Array(32).fill(2) };

test("the key block has each suite's lengths, and no two parts alike", () => {
  const master = masterSecret(pskPremasterSecret(hex("aabb")), randoms);
  expect(master.length).toBe(48);
  const ccm = sessionKeys(PSK_AES_128_CCM_8, master, randoms);
  expect([ccm.client.macKey.length, ccm.client.key.length, ccm.client.salt.length]).toEqual([0, 16, 4]);
  const cbc = sessionKeys(PSK_AES_128_CBC_SHA256, master, randoms);
  const parts = [cbc.client.macKey, cbc.server.macKey, cbc.client.key, cbc.server.key];
  expect(parts.map(({ length }) => length)).toEqual([32, 32, 16, 16]);
  expect(new Set(parts.map((part) => part.toHex())).size).toBe(4);
});

test("client and server finish differently", () => {
  const hash = new Uint8Array(32);
  expect(verifyData(hash, "client", hash)).not.toEqual(verifyData(hash, "server", hash));
});
