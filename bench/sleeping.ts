import { registerNbDevices } from "../src/simulator";
import { defineBench } from "./bench";
import { NB_BENCH_PAYLOAD } from "./support/bench-product";
import { startChild } from "./support/child";
import { residentBytes, startServer } from "./support/server";
import type { Sleeping, SleepingResult } from "./support/sleeping-child";

const SETTLE_MS = 5_000;
const AT_A_TIME = 200;

export const sleeping = defineBench({
  name: "sleeping",
  about: "50,000 secure devices asleep: memory of each, then kill -9, and all report again without a new handshake",
  goals: [
    { value: "kilobytesEach", below: 4 },
    { value: "newHandshakes", below: 1 },
    { value: "newRegistrations", below: 1 },
    { value: "missing", below: 1 },
  ],
  runs: 1,
  async run({ quick, print }) {
    const count = quick ? 2_000 : 50_000;
    const settings = { "coaps.listen": "127.0.0.1:0" };
    const registering = await startServer({ settings });
    const access = { url: registering.url, ...(await registering.setUpNb()) };
    const devices = await registerNbDevices(access, "sleeping", count, true);
    await registering.stop();

    // A new process, so that memory of the registrations does not hide that of the sessions.
    const server = await startServer({ data: registering.data, settings });
    const { coaps } = server;
    await Bun.sleep(SETTLE_MS);
    const before = residentBytes(server.pid);
    const argument: Sleeping = { server: coaps, devices, payload: NB_BENCH_PAYLOAD, atATime: AT_A_TIME };
    const fleet = startChild("sleeping-child.ts", argument);
    const registered = await fleet.next<SleepingResult>();
    print(`registered: ${JSON.stringify(registered)}`);
    await Bun.sleep(SETTLE_MS);
    const after = residentBytes(server.pid);
    fleet.tell("report");
    const awake = await fleet.next<SleepingResult>();
    print(`reported: ${JSON.stringify(awake)}`);

    await server.crash();
    const again = await startServer({
      data: registering.data,
      settings: { "coaps.listen": `${coaps.host}:${coaps.port}` },
    });
    fleet.tell("report");
    const result = await fleet.next<SleepingResult>();
    print(`reported after the restart: ${JSON.stringify(result)}`);
    const residentAgain = residentBytes(again.pid);
    await fleet.stop();
    await again.dispose();
    return {
      kilobytesEach: (after - before) / count / 1024,
      registeredPerSecond: registered.succeeded / registered.seconds,
      missing: 3 * count - registered.succeeded - awake.succeeded - result.succeeded,
      reportsPerSecond: awake.succeeded / awake.seconds,
      restartMs: again.readyMs,
      newHandshakes: result.handshakes,
      newRegistrations: result.registrations,
      secondsUntilAllReported: result.seconds,
      residentMegabytesAfterRestart: residentAgain / 2 ** 20,
    };
  },
});
