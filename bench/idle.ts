import { defineBench } from "./bench";
import { anonymousDevices, registerLoadDevices } from "./support/devices";
import { startLoad } from "./support/load";
import { hasMosquitto, startMosquitto } from "./support/mosquitto";
import { residentBytes, startServer } from "./support/server";

const SETTLE_MS = 5_000;

export const idle = defineBench({
  name: "idle",
  about: "resident memory of a connection that is idle and subscribed to its commands; 10,000 of them",
  goals: [{ value: "kilobytesEach", below: 12, peer: "mosquittoKilobytesEach" }],
  runs: 3,
  async run({ quick }) {
    const count = quick ? 1_000 : 10_000;
    const registering = await startServer();
    const devices = await registerLoadDevices(registering, count);
    await registering.stop();
    // A new process, so that memory of the registrations does not hide that of the connections.
    const server = await startServer({ data: registering.data });
    const each = await measure(server, devices);
    await server.dispose();
    if (!hasMosquitto) return { kilobytesEach: each };

    const mosquitto = await startMosquitto();
    const mosquittoKilobytesEach = await measure(mosquitto, anonymousDevices(count));
    await mosquitto.dispose();
    return { kilobytesEach: each, mosquittoKilobytesEach };
  },
});

async function measure(
  { pid, mqtt }: { pid: number; mqtt: { host: string; port: number } },
  devices: Parameters<typeof startLoad>[0]["devices"],
): Promise<number> {
  await Bun.sleep(SETTLE_MS);
  const before = residentBytes(pid);
  const load = startLoad({ address: mqtt, devices, rate: 0, seconds: 0, warmUpSeconds: 0, commands: true });
  await load.reached("connected");
  await Bun.sleep(SETTLE_MS);
  const after = residentBytes(pid);
  const { connected } = await load.stop();
  if (connected !== devices.length) throw new Error(`only ${connected} of ${devices.length} were connected`);
  return (after - before) / devices.length / 1024;
}
