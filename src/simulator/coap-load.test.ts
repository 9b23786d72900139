import { afterEach, beforeEach, expect, test } from "bun:test";
import { systemClock } from "../platform/clock";
import { CIPHER_SUITES } from "../wire/dtls";
import { CoapLoadError, type CoapLoadOptions, runCoapLoad } from "./coap-load";
import { runHandshakeLoad } from "./handshake-load";
import { SECURE_SETTINGS } from "./secure-channel";
import { serveDatagrams } from "./testing/serve-datagrams";
import { type StubPlatform, stubPlatform } from "./testing/stub-nb-platform";
import { udpNetwork } from "./udp-network";

const PSK = "00112233445566778899aabbccddeeff";
const devices = Array.from({ length: 4 }, (_, index) => ({ nodeId: `load-${index}`, psk: PSK }));
const SECURE = { ...SECURE_SETTINGS, suites: CIPHER_SUITES };
const LOAD: Omit<CoapLoadOptions, "network"> = {
  devices,
  secure: undefined,
  send: { kind: "reports", style: "lwm2m", payload: new Uint8Array(6) },
  window: 3,
  repeatAfterMs: 300,
  warmUpSeconds: 0.1,
  seconds: 0.5,
  connecting: 4,
};

let socket: Awaited<ReturnType<typeof serveDatagrams>>;
let stub: StubPlatform;
beforeEach(async () => {
  socket = await serveDatagrams((...received) => stub.receive(...received));
});
afterEach(() => socket.close());
const network = () => udpNetwork({ host: "127.0.0.1", port: socket.port });
const psks = new Map(devices.map(({ nodeId, psk }) => [nodeId, Uint8Array.fromHex(psk)]));

test.each([
  ["plain", "lwm2m"],
  ["plain", "tup"],
  ["secure", "lwm2m"],
] as const)("%s reports of style %s: every acknowledged one has arrived, none twice", async (kind, style) => {
  stub = stubPlatform({ clock: systemClock, random: Math.random, ...(kind === "secure" && { psks }) });
  const send = { kind: "reports", style, payload: new Uint8Array(6) } as const;
  const result = await runCoapLoad(
    { ...LOAD, network: network(), send, secure: kind === "secure" ? SECURE : undefined },
    systemClock,
  );
  expect(result.sockets).toBe(4);
  expect(result.acknowledged).toBeGreaterThan(100);
  expect(stub.reports.length).toBeGreaterThanOrEqual(result.acknowledgedInAll);
  const distinct = new Set(stub.reports.map(({ ep, payload }) => `${ep} ${payload}`));
  expect(distinct.size).toBe(stub.reports.length);
});

test("what gets no ACK is sent again", async () => {
  stub = stubPlatform({ clock: systemClock, random: Math.random });
  const deafen = systemClock.after(300, () => {
    stub.behaviour.isDeaf = true;
  });
  const hear = systemClock.after(900, () => {
    stub.behaviour.isDeaf = false;
  });
  const result = await runCoapLoad({ ...LOAD, network: network(), seconds: 2 }, systemClock);
  deafen();
  hear();
  expect(result.repeated).toBeGreaterThan(11);
  expect(result.latencyMs.max).toBeGreaterThan(300);
});

test("a device that is not let in ends the load with its reason", async () => {
  stub = stubPlatform({ clock: systemClock, random: Math.random });
  stub.behaviour.registers = false;
  expect(runCoapLoad({ ...LOAD, network: network() }, systemClock)).rejects.toThrow(CoapLoadError);
});

test("against a bare echo", async () => {
  socket.close();
  socket = await serveDatagrams((_address, datagram, answer) => answer(datagram));
  const send = { kind: "echo", payload: new Uint8Array(6) } as const;
  const result = await runCoapLoad({ ...LOAD, network: network(), send }, systemClock);
  expect(result.acknowledged).toBeGreaterThan(100);
});

test("full handshakes, one after the other", async () => {
  stub = stubPlatform({ clock: systemClock, random: Math.random, psks });
  const result = await runHandshakeLoad(
    { network: network(), devices, secure: SECURE, warmUpSeconds: 0.1, seconds: 0.5 },
    systemClock,
  );
  expect(result.handshakesPerSecond).toBeGreaterThan(20);
  expect(result.failed).toBe(0);
});
