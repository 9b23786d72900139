import { afterEach, beforeEach, expect, test } from "bun:test";
import { RegistrationError, registerDevices, registerNbDevices } from "./register-devices";

type Received = { path: string; authorization: string | null; body: Record<string, unknown> };
let received: Received[];
let refuses = false;
let server: ReturnType<typeof serve>;
const serve = () =>
  Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname.endsWith("/login")) return Response.json({ accessToken: "token" });
      const body = (await request.json()) as Record<string, unknown>;
      received.push({ path: pathname, authorization: request.headers.get("authorization"), body });
      if (refuses)
        return Response.json({ error_code: "100426", error_desc: "The nodeId is duplicated." }, { status: 400 });
      return Response.json({ deviceId: "d", secret: "s", psk: "00112233", verifyCode: body.verifyCode, timeout: 0 });
    },
  });
beforeEach(() => {
  received = [];
  refuses = false;
  server = serve();
});
afterEach(() => server.stop(true));
const access = () => ({ url: server.url.origin, appId: "app", secret: "secret", productId: "product" });

test("secure NB-IoT devices bring the psk that the platform made", async () => {
  const devices = await registerNbDevices(access(), "sim", 2, true); // several at a time: in any order
  expect(devices.toSorted((a, b) => a.nodeId.localeCompare(b.nodeId))).toEqual([
    { nodeId: "sim-1", psk: "00112233" },
    { nodeId: "sim-2", psk: "00112233" },
  ]);
  expect(received.find(({ body }) => body.nodeId === "sim-1")).toEqual({
    path: "/iocm/app/reg/v1.1.0/deviceCredentials",
    authorization: "Bearer token",
    body: {
      verifyCode: "sim-1",
      nodeId: "sim-1",
      deviceName: "sim-1",
      timeout: 0,
      isSecure: true,
      productId: "product",
    },
  });
});

test("plain ones need none", async () => {
  expect(await registerNbDevices(access(), "sim", 1, false)).toEqual([{ nodeId: "sim-1" }]);
  expect(received[0]?.body.isSecure).toBe(false);
});

test("those of MQTT have a deviceId and a secret", async () => {
  expect(await registerDevices(access(), "sim", 1)).toEqual([{ deviceId: "d", secret: "s" }]);
  expect(received[0]?.path).toBe("/iocm/app/reg/v2.0.0/deviceCredentials");
});

test("a refusal says why, and not the secret", async () => {
  refuses = true;
  const call = registerNbDevices(access(), "sim", 1, true);
  expect(call).rejects.toThrow(RegistrationError);
  const message = await call.catch((error: Error) => error.message);
  expect(message).toContain("The nodeId is duplicated.");
  expect(message).not.toContain("secret");
});
