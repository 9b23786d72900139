import type { Clock } from "../platform/clock";
import { createHistogram } from "./histogram";
import type { Network } from "./network";
import type { NbCredentials } from "./register-devices";
import { type SecureSettings, secureChannel } from "./secure-channel";

export type HandshakeLoadOptions = {
  readonly network: Network;
  /** A socket for each, which makes one handshake after the other. */
  readonly devices: readonly NbCredentials[];
  readonly secure: SecureSettings;
  readonly warmUpSeconds: number;
  readonly seconds: number;
};

export type HandshakeLoadResult = {
  readonly handshakesPerSecond: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

/** Full handshakes, each closed when it is done, as many as the server makes. */
export async function runHandshakeLoad(options: HandshakeLoadOptions, clock: Clock): Promise<HandshakeLoadResult> {
  const stopping = new AbortController();
  const latencies = createHistogram();
  let opened = 0;
  let failed = 0;

  async function lane({ nodeId, psk = "" }: NbCredentials): Promise<void> {
    const socket = await options.network.open({ host: undefined, port: 0 }, (datagram) => channel.receive(datagram));
    const channel = secureChannel({
      send: (datagram) => socket.send(datagram),
      deliver() {},
      identity: Buffer.from(nodeId),
      psk: Uint8Array.fromHex(psk),
      settings: options.secure,
      clock,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      on: { handshake() {} },
    });
    stopping.signal.addEventListener("abort", () => channel.forget());
    while (!stopping.signal.aborted) {
      const start = clock.monotonic();
      const isOpen = await channel.ready();
      if (isOpen) {
        opened++;
        latencies.record((clock.monotonic() - start) * 1_000);
      } else if (!stopping.signal.aborted) failed++;
      channel.close();
      channel.forget();
    }
    socket.close();
  }

  const lanes = Promise.all(options.devices.map(lane));
  await clock.sleep(options.warmUpSeconds * 1_000, stopping.signal);
  latencies.clear();
  const before = { opened, failed };
  const start = clock.monotonic();
  await clock.sleep(options.seconds * 1_000, stopping.signal);
  const seconds = (clock.monotonic() - start) / 1_000;
  const result = {
    handshakesPerSecond: Math.round((opened - before.opened) / seconds),
    failed: failed - before.failed,
    p50Ms: latencies.quantile(0.5) / 1_000,
    p99Ms: latencies.quantile(0.99) / 1_000,
  };
  stopping.abort();
  await lanes;
  return result;
}
