import { expect, test } from "bun:test";
import { deviceLogin } from "./device-login";

test("the password is the hexadecimal HMAC-SHA256 of the secret, keyed with the hour", () => {
  // Expected: printf %s 0123456789abcdef0123 | openssl dgst -sha256 -hmac 2018072417
  const login = deviceLogin({ deviceId: "d_1", secret: "0123456789abcdef0123" }, Date.UTC(2018, 6, 24, 17, 56, 20));
  expect(login).toEqual({
    clientId: "d_1_0_0_2018072417",
    username: "d_1",
    password: "066decdb9d159476cf3117cbf3e818f41aa9c014e5204ae6b05d6349f04fc3fa",
  });
});
