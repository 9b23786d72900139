/** Our CoAP endpoint on a real loopback socket, plain UDP, with the system's clock: for tests with foreign programs. */
import { createSocket } from "node:dgram";
import type { CoapEndpoint, CoapHandlers } from "../../src/access/coap/coap-endpoint";
import { createCoapEndpoint } from "../../src/access/coap/create-coap-endpoint";
import { COAP_DEFAULTS, type CoapSettings } from "../../src/access/coap/settings";
import type { Peer } from "../../src/access/datagram/peer";
import { systemClock } from "../../src/platform/clock";
import { createMetrics } from "../../src/platform/metrics";

export type CoapSocket = AsyncDisposable & {
  readonly endpoint: CoapEndpoint;
  readonly port: number;
  readonly faults: string[];
  /** The peer at a port of this machine; the same object every time. */
  peer(port: number): Peer;
};

export async function openCoapSocket(
  handlers: Partial<CoapHandlers>,
  settings: Partial<CoapSettings> = {},
): Promise<CoapSocket> {
  const socket = createSocket("udp4");
  socket.on("error", () => {}); // an ICMP error of a peer that has gone
  const faults: string[] = [];
  const peers = new Map<number, Peer>();
  const peer = (port: number): Peer => {
    const known = peers.get(port);
    if (known) return known;
    const address = "127.0.0.1";
    const made: Peer = {
      ...{ key: `${address}:${port}`, deviceNo: undefined, address, port },
      send: (datagram) => socket.send(datagram, port, address, () => {}),
    };
    peers.set(port, made);
    return made;
  };
  const endpoint = createCoapEndpoint({
    handlers: { request: () => ({ code: 0x84 }), notification: () => "unknown", ...handlers },
    clock: systemClock,
    metrics: createMetrics(),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    log: { debug() {}, info() {}, warn() {}, error: (event, fields) => void faults.push(`${event} ${fields?.error}`) },
    settings: { ...COAP_DEFAULTS, ...settings },
  });
  socket.on("message", (datagram, { port }) => endpoint.receive(peer(port), datagram));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    ...{ endpoint, faults, peer, port: socket.address().port },
    async [Symbol.asyncDispose]() {
      endpoint.stop();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

/** A port that nobody had a moment ago, for programs that cannot choose one themselves and tell. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}
