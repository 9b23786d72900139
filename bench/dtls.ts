import { type NbCredentials, registerNbDevices } from "../src/simulator";
import { defineBench } from "./bench";
import { NB_BENCH_PAYLOAD } from "./support/bench-product";
import { hasLibcoap, LIBCOAP_PSK, startLibcoap } from "./support/libcoap";
import { anonymousNbDevices, runHandshakes, runNbLoad } from "./support/nb-load";
import { cpuSeconds, startServer } from "./support/server";

const SOCKETS = 100;
const WINDOW = 2;

export const dtls = defineBench({
  name: "dtls",
  about: `DTLS-PSK with CCM_8: confirmable reports to disk, a record each way, and full handshakes; ${SOCKETS} sockets`,
  goals: [
    { value: "recordsPerSecond", atLeast: 20_000, peer: "libcoapPerSecond" },
    { value: "handshakesPerSecond", atLeast: 1_500, peer: "libcoapHandshakesPerSecond" },
    { value: "failedHandshakes", below: 1 },
    { value: "lost", below: 1 },
  ],
  runs: 3,
  async run({ quick }) {
    const times = { seconds: quick ? 2 : 10, warmUpSeconds: quick ? 1 : 2 };
    const records = { ...times, cipher: "ccm8", window: WINDOW } as const;

    const server = await startServer({ settings: { "coaps.listen": "127.0.0.1:0" } });
    const access = { url: server.url, ...(await server.setUpNb()) };
    const devices: NbCredentials[] = await registerNbDevices(access, "load", SOCKETS, true);
    const send = { kind: "reports", style: "lwm2m", payload: NB_BENCH_PAYLOAD } as const;
    const cpuBefore = cpuSeconds(server.pid);
    const ours = await runNbLoad({ ...records, server: server.coaps, devices, send });
    const cpuBetween = cpuSeconds(server.pid);
    const stored = await server.stored();
    const shaken = await runHandshakes({ ...times, cipher: "ccm8", server: server.coaps, devices });
    const cpuAfter = cpuSeconds(server.pid);
    const handshakes = shaken.handshakesPerSecond * (times.seconds + times.warmUpSeconds);
    await server.dispose();

    const values = {
      // One up and one down for each report.
      recordsPerSecond: 2 * ours.acknowledgedPerSecond,
      reportsPerSecond: ours.acknowledgedPerSecond,
      microsPerReport: ((cpuBetween - cpuBefore) / ours.acknowledgedInAll) * 1e6,
      microsPerHandshake: ((cpuAfter - cpuBetween) / handshakes) * 1e6,
      p99Ms: ours.latencyMs.p99,
      repeated: ours.repeated,
      lost: Math.max(0, ours.acknowledgedInAll - stored),
      handshakesPerSecond: shaken.handshakesPerSecond,
      failedHandshakes: shaken.failed,
      handshakeP99Ms: shaken.p99Ms,
    };
    if (!hasLibcoap("secure")) return values;

    const libcoap = await startLibcoap("secure");
    const strangers = anonymousNbDevices(SOCKETS, LIBCOAP_PSK);
    const target = { server: libcoap.address, devices: strangers };
    const peer = await runNbLoad({ ...records, ...target, send: { kind: "gets", path: "time" } });
    const peerShaken = await runHandshakes({ ...times, ...target, cipher: "ccm8" });
    await libcoap.dispose();
    return {
      ...values,
      libcoapPerSecond: 2 * peer.acknowledgedPerSecond,
      libcoapHandshakesPerSecond: peerShaken.handshakesPerSecond,
    };
  },
});
