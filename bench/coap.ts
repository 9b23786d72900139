import { registerNbDevices } from "../src/simulator";
import { defineBench } from "./bench";
import { NB_BENCH_PAYLOAD } from "./support/bench-product";
import { startChild } from "./support/child";
import { hasLibcoap, startLibcoap } from "./support/libcoap";
import { anonymousNbDevices, runNbLoad } from "./support/nb-load";
import { cpuSeconds, startServer } from "./support/server";

const SOCKETS = 100;
/** All together fit into the receive buffer that Linux gives a UDP socket, so that no peer is measured by its losses. */
const WINDOW = 2;

export const coap = defineBench({
  name: "coap",
  about: `confirmable reports through a codec to disk, acknowledged after fsync; ${SOCKETS} sockets, window ${WINDOW}`,
  goals: [
    { value: "ratioToEcho", atLeast: 0.3 },
    { value: "ratioToLibcoap" },
    { value: "acknowledgedPerSecond", peer: "libcoapPerSecond" },
    { value: "lost", below: 1 },
  ],
  runs: 3,
  async run({ quick }) {
    const load = { window: WINDOW, seconds: quick ? 2 : 10, warmUpSeconds: quick ? 1 : 2 };

    const echo = startChild("echo-child.ts", {});
    const bare = await runNbLoad({
      ...load,
      server: { host: "127.0.0.1", port: await echo.next<number>() },
      devices: anonymousNbDevices(SOCKETS),
      send: { kind: "echo", payload: NB_BENCH_PAYLOAD },
    });
    const microsPerEcho = (cpuSeconds(echo.pid) / bare.acknowledgedInAll) * 1e6;
    await echo.stop();

    const server = await startServer({ settings: { "coap.listen": "127.0.0.1:0" } });
    const access = { url: server.url, ...(await server.setUpNb()) };
    const devices = await registerNbDevices(access, "load", SOCKETS, false);
    const send = { kind: "reports", style: "lwm2m", payload: NB_BENCH_PAYLOAD } as const;
    const cpuBefore = cpuSeconds(server.pid);
    const ours = await runNbLoad({ ...load, server: server.coap, devices, send });
    const cpu = cpuSeconds(server.pid) - cpuBefore;
    const stored = await server.stored();
    await server.dispose();

    const values = {
      acknowledgedPerSecond: ours.acknowledgedPerSecond,
      p50Ms: ours.latencyMs.p50,
      p99Ms: ours.latencyMs.p99,
      repeated: ours.repeated,
      lost: Math.max(0, ours.acknowledgedInAll - stored),
      // All threads; the compiler is among them, and in a short run much of it.
      microsPerReport: (cpu / ours.acknowledgedInAll) * 1e6,
      microsPerEcho,
      echoPerSecond: bare.acknowledgedPerSecond,
      ratioToEcho: ours.acknowledgedPerSecond / bare.acknowledgedPerSecond,
    };
    if (!hasLibcoap("plain")) return values;

    const libcoap = await startLibcoap("plain");
    const peer = await runNbLoad({
      ...load,
      server: libcoap.address,
      devices: anonymousNbDevices(SOCKETS),
      send: { kind: "gets", path: "time" },
    });
    await libcoap.dispose();
    return {
      ...values,
      libcoapPerSecond: peer.acknowledgedPerSecond,
      ratioToLibcoap: ours.acknowledgedPerSecond / peer.acknowledgedPerSecond,
    };
  },
});
