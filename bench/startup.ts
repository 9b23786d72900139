import { rmSync } from "node:fs";
import { join } from "node:path";
import { defineBench } from "./bench";
import { registerLoadDevices } from "./support/devices";
import { multiplyDevice } from "./support/many-devices";
import { residentBytes, startServer } from "./support/server";

const SETTLE_MS = 2_000;

export const startup = defineBench({
  name: "startup",
  about: "start with 100,000 registered devices: to the ready line, and the memory two seconds later",
  goals: [
    { value: "readyMs", below: 1_500 },
    { value: "residentMegabytes", below: 400 },
  ],
  runs: 5,
  async prepare({ quick }) {
    const server = await startServer();
    await registerLoadDevices(server, 1);
    await server.stop();
    multiplyDevice(join(server.data, "registry.db"), quick ? 10_000 : 100_000);
    return { folder: server.data, dispose: () => rmSync(server.data, { recursive: true, force: true }) };
  },
  async run(_context, { folder }) {
    const server = await startServer({ data: folder });
    await Bun.sleep(SETTLE_MS);
    const residentMegabytes = residentBytes(server.pid) / 2 ** 20;
    await server.stop();
    return { readyMs: server.readyMs, residentMegabytes };
  },
});
