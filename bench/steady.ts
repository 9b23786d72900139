import { defineBench } from "./bench";
import { anonymousDevices, registerLoadDevices } from "./support/devices";
import { startLoad } from "./support/load";
import { bucketsOf, quantileBetween } from "./support/metrics-text";
import { hasMosquitto, startMosquitto } from "./support/mosquitto";
import { cpuSeconds, startServer } from "./support/server";

const CONNECTIONS = 1_000;
const RATE = 20_000;
const LOOP_DELAY = "islet_event_loop_delay_seconds";

export const steady = defineBench({
  name: "steady",
  about: `${CONNECTIONS} connections at a steady ${RATE} reports/s: from PUBLISH to PUBACK, and what the event loop is late`,
  goals: [
    { value: "p99Ms", below: 50, peer: "mosquittoP99Ms" },
    { value: "loopDelayP99Ms", below: 20 },
  ],
  runs: 3,
  async run({ quick }) {
    const load = { rate: RATE, seconds: quick ? 3 : 15, warmUpSeconds: 2 };
    const server = await startServer();
    const running = startLoad({
      ...load,
      address: server.mqtt,
      devices: await registerLoadDevices(server, CONNECTIONS),
    });
    await running.reached("measuring");
    const before = bucketsOf(await server.metrics(), LOOP_DELAY);
    const cpuBefore = cpuSeconds(server.pid);
    await running.reached("measured");
    const cpu = cpuSeconds(server.pid) - cpuBefore;
    const after = bucketsOf(await server.metrics(), LOOP_DELAY);
    const { acknowledgedPerSecond, skipped, latencyMs, seconds } = await running.result;
    await server.dispose();
    const values = {
      acknowledgedPerSecond,
      skipped,
      p50Ms: latencyMs.p50,
      p99Ms: latencyMs.p99,
      p999Ms: latencyMs.p999,
      cores: cpu / seconds,
      loopDelayP99Ms: quantileBetween(before, after, 0.99) * 1_000,
    };
    if (!hasMosquitto) return values;

    const mosquitto = await startMosquitto();
    const peer = await startLoad({ ...load, address: mosquitto.mqtt, devices: anonymousDevices(CONNECTIONS) }).result;
    await mosquitto.dispose();
    return { ...values, mosquittoP50Ms: peer.latencyMs.p50, mosquittoP99Ms: peer.latencyMs.p99 };
  },
});
