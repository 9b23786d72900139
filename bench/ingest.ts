import { defineBench } from "./bench";
import { anonymousDevices, registerLoadDevices } from "./support/devices";
import { startLoad } from "./support/load";
import { hasMosquitto, startMosquitto } from "./support/mosquitto";
import { startServer } from "./support/server";

const CONNECTIONS = 100;

export const ingest = defineBench({
  name: "ingest",
  about: `reports acknowledged when they are on disk: ${CONNECTIONS} connections, QoS 1, window 20, model, history and shadow`,
  goals: [
    { value: "ratio", atLeast: 1, wish: 2 },
    { value: "acknowledgedPerSecond", peer: "mosquittoPerSecond" },
  ],
  runs: 3,
  async run({ quick }) {
    const load = { rate: "flood", seconds: quick ? 2 : 10, warmUpSeconds: quick ? 1 : 3 } as const;
    const server = await startServer();
    const devices = await registerLoadDevices(server, CONNECTIONS);
    const ours = await startLoad({ ...load, address: server.mqtt, devices }).result;
    const stored = await server.stored();
    if (stored < ours.acknowledged) throw new Error(`acknowledged ${ours.acknowledged}, but stored only ${stored}`);
    await server.dispose();
    const values = { acknowledgedPerSecond: ours.acknowledgedPerSecond, p99Ms: ours.latencyMs.p99 };
    if (!hasMosquitto) return values;

    const mosquitto = await startMosquitto();
    const peer = await startLoad({ ...load, address: mosquitto.mqtt, devices: anonymousDevices(CONNECTIONS) }).result;
    await mosquitto.dispose();
    return {
      ...values,
      mosquittoPerSecond: peer.acknowledgedPerSecond,
      mosquittoP99Ms: peer.latencyMs.p99,
      ratio: ours.acknowledgedPerSecond / peer.acknowledgedPerSecond,
    };
  },
});
