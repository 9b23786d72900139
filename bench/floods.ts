import { systemClock } from "../src/platform/clock";
import {
  compileReport,
  createHistogram,
  type Lwm2mDevice,
  type NbCredentials,
  registerNbDevices,
  SECURE_SETTINGS,
  startLwm2mDevice,
  udpNetwork,
} from "../src/simulator";
import { DEFAULT_TRANSMISSION } from "../src/wire/coap";
import { PSK_AES_128_CCM_8 } from "../src/wire/dtls";
import { defineBench } from "./bench";
import { NB_BENCH_PAYLOAD } from "./support/bench-product";
import { startChild } from "./support/child";
import type { Flood, FloodResult } from "./support/flood-child";
import { bucketsOf, quantileBetween, sumOf } from "./support/metrics-text";
import { cpuSeconds, residentBytes, startServer } from "./support/server";

const RATE = 20_000;
const DEVICES = 10;
const PAUSE_MS = 100;
const IN = 'direction="in"';
const FLOODED = 'reason="flooded"';
const LOOP_DELAY = "islet_event_loop_delay_seconds";

export const floods = defineBench({
  name: "floods",
  about: `${RATE} datagrams/s of strangers, from new addresses all the time, and ${2 * DEVICES} devices that report through it`,
  goals: [
    { value: "lost", below: 1 },
    { value: "p99Ms", below: 1_000 },
    { value: "secureP99Ms", below: 1_000 },
    { value: "loopDelayP99Ms", below: 100 },
    { value: "grownMegabytes", below: 200 },
    { value: "grownInSecondHalfMegabytes", below: 50 },
  ],
  runs: 1,
  async run({ quick }) {
    const seconds = quick ? 6 : 60;
    const server = await startServer();
    const access = { url: server.url, ...(await server.setUpNb()) };
    const plain = await startReporting(await registerNbDevices(access, "plain", DEVICES, false), server.coap);
    const secure = await startReporting(await registerNbDevices(access, "secure", DEVICES, true), server.coaps);
    await Bun.sleep(quick ? 1_000 : 10_000); // to its working temperature
    for (const { latencies } of [plain, secure]) latencies.clear();

    const before = bucketsOf(await server.metrics(), LOOP_DELAY);
    const cpuBefore = cpuSeconds(server.pid);
    const resident = [residentBytes(server.pid)];
    const timer = setInterval(() => resident.push(residentBytes(server.pid)), 1_000);
    const argument: Flood = { coap: server.coap, coaps: server.coaps, seconds, rate: RATE };
    const flood = startChild("flood-child.ts", argument);
    const { sent, sources, ...took } = await flood.next<FloodResult>();
    clearInterval(timer);
    const cpu = cpuSeconds(server.pid) - cpuBefore;
    const metrics = await server.metrics();
    const lost = (await plain.stop()) + (await secure.stop());
    await server.dispose();
    const received = sumOf(metrics, "islet_coap_messages_total", IN) + sumOf(metrics, "islet_dtls_records_total", IN);
    const grown = (from: number) => (Math.max(...resident.slice(from)) - (resident[from] ?? 0)) / 2 ** 20;
    return {
      floodPerSecond: sent / took.seconds,
      sources,
      received,
      shed: sumOf(metrics, "islet_coap_drops_total", FLOODED) + sumOf(metrics, "islet_dtls_drops_total", FLOODED),
      microsPerDatagram: (cpu / received) * 1e6,
      cores: cpu / took.seconds,
      reports: plain.latencies.count + secure.latencies.count,
      lost,
      p50Ms: plain.latencies.quantile(0.5) / 1_000,
      p99Ms: plain.latencies.quantile(0.99) / 1_000,
      maxMs: plain.latencies.max / 1_000,
      secureP50Ms: secure.latencies.quantile(0.5) / 1_000,
      secureP99Ms: secure.latencies.quantile(0.99) / 1_000,
      secureMaxMs: secure.latencies.max / 1_000,
      loopDelayP99Ms: quantileBetween(before, bucketsOf(metrics, LOOP_DELAY), 0.99) * 1_000,
      residentMegabytes: (resident.at(-1) ?? 0) / 2 ** 20,
      grownMegabytes: grown(0),
      grownInSecondHalfMegabytes: grown(Math.floor(resident.length / 2)),
    };
  },
});

/** Well-behaved devices, each of which reports all the time. */
async function startReporting(devices: readonly NbCredentials[], server: { host: string; port: number }) {
  const latencies = createHistogram();
  const render = compileReport(NB_BENCH_PAYLOAD);
  let isOver = false;
  let lost = 0;
  const report = async (device: Lwm2mDevice): Promise<void> => {
    for (let count = 0; !isOver; count++) {
      const since = performance.now();
      const outcome = await device.report(render(count, Math.random));
      if (outcome === "accepted") latencies.record((performance.now() - since) * 1_000);
      else lost++;
      await Bun.sleep(PAUSE_MS);
    }
  };
  const fleet = devices.map((credentials) => startDevice(credentials, server));
  if ((await Promise.all(fleet.map((device) => device.register()))).includes(false))
    throw new Error("a device was not let in");
  const reporting = Promise.all(fleet.map(report));
  return {
    latencies,
    /** Resolves with the number of reports that were not acknowledged. */
    async stop(): Promise<number> {
      isOver = true;
      await reporting;
      for (const device of fleet) device.stop();
      return lost;
    },
  };
}

function startDevice({ nodeId, psk }: NbCredentials, server: { host: string; port: number }): Lwm2mDevice {
  const nothing = () => {};
  return startLwm2mDevice({
    nodeId,
    psk: psk === undefined ? undefined : Uint8Array.fromHex(psk),
    network: udpNetwork(server),
    clock: systemClock,
    random: Math.random,
    settings: {
      style: "lwm2m",
      queueMode: false,
      awakeMs: 60_000,
      lifetimeSeconds: 86_400,
      confirmable: true,
      observeWaitMs: 10_000,
      rebootMs: 5_000,
      logBytes: 100,
      transmission: DEFAULT_TRANSMISSION,
      secure: psk === undefined ? undefined : { ...SECURE_SETTINGS, suites: [PSK_AES_128_CCM_8] },
      answers: [],
    },
    on: {
      ...{ registered: nothing, registrationFailed: nothing, updated: nothing, handshake: nothing, command: nothing },
      ...{ answered: nothing, duplicate: nothing, rebooted: nothing, slept: nothing, moved: nothing },
    },
  });
}
