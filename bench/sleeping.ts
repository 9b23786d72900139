import { registerNbDevices } from "../src/simulator";
import { type Bench, type BenchContext, defineBench, type Values } from "./bench";
import { NB_BENCH_PAYLOAD } from "./support/bench-product";
import { startChild } from "./support/child";
import { sumOf } from "./support/metrics-text";
import { cpuSeconds, residentBytes, type Server, startServer } from "./support/server";
import type { Sleeping, SleepingResult } from "./support/sleeping-child";

const SETTLE_MS = 5_000;
const AT_A_TIME = 200;
/** Minutes of silence in seconds, so that a run shows devices that have long been asleep. */
const SOON_ASLEEP = { "dtls.rest_after_ms": "1000", "dtls.drop_after_ms": "3000", "dtls.sweep_ms": "500" };

const defineSleeping = (name: string, isSecure: boolean, goals: Bench["goals"]): Bench =>
  defineBench({
    name,
    about: `50,000 ${isSecure ? "secure" : "plain"} devices asleep: memory of each, then kill -9, and all report again`,
    goals: [...goals, { value: "newRegistrations", below: 1 }, { value: "missing", below: 1 }],
    runs: 1,
    run: (context) => run(context, isSecure),
  });

export const sleeping = defineSleeping("sleeping", true, [
  { value: "kilobytesEach", below: 4 },
  { value: "kilobytesEachAsleepAgain", below: 4 },
  { value: "newHandshakes", below: 1 },
]);
export const sleepingPlain = defineSleeping("sleeping-plain", false, [{ value: "kilobytesEach", below: 4 }]);

async function run({ quick, print }: BenchContext, isSecure: boolean): Promise<Values> {
  const count = quick ? 2_000 : 50_000;
  const empty = await startServer({ settings: SOON_ASLEEP });
  const registering = await startServer({ settings: SOON_ASLEEP });
  const access = { url: registering.url, ...(await registering.setUpNb()) };
  const devices = await registerNbDevices(access, "sleeping", count, isSecure);
  const emptyBytes = residentBytes(empty.pid);
  await empty.dispose();
  await registering.stop();

  // A new process, so that memory of the calls does not hide that of the devices.
  const server = await startServer({ data: registering.data, settings: SOON_ASLEEP });
  const address = isSecure ? server.coaps : server.coap;
  const argument: Sleeping = { server: address, devices, payload: NB_BENCH_PAYLOAD, atATime: AT_A_TIME };
  const fleet = startChild("sleeping-child.ts", argument);
  const each = (bytes: number) => (bytes - emptyBytes) / count / 1024;
  /** All report once; the processor time of the server for each of them. */
  async function report({ pid }: Server, when: string) {
    const before = cpuSeconds(pid);
    fleet.tell("report");
    const result = await fleet.next<SleepingResult>();
    print(`${when}: ${JSON.stringify(result)}`);
    return { ...result, micros: ((cpuSeconds(pid) - before) / result.succeeded) * 1e6 };
  }

  const registered = await fleet.next<SleepingResult>();
  print(`registered: ${JSON.stringify(registered)}`);
  const awake = await report(server, "reported");
  await asleep(server);
  const asleepAgain = residentBytes(server.pid);
  await server.crash();

  const name = isSecure ? "coaps.listen" : "coap.listen";
  const again = await startServer({
    data: registering.data,
    settings: { ...SOON_ASLEEP, [name]: `${address.host}:${address.port}` },
  });
  await Bun.sleep(SETTLE_MS);
  const afterRestart = residentBytes(again.pid);
  const first = await report(again, "reported after the restart");
  await asleep(again);
  const asleepAfterRestart = residentBytes(again.pid);
  await fleet.stop();
  await again.dispose();
  return {
    kilobytesEach: each(afterRestart),
    kilobytesEachAsleepAgain: each(asleepAfterRestart),
    kilobytesEachAfterAllRegistered: each(asleepAgain),
    registeredPerSecond: registered.succeeded / registered.seconds,
    missing: 3 * count - registered.succeeded - awake.succeeded - first.succeeded,
    reportsPerSecond: awake.succeeded / awake.seconds,
    microsPerReport: awake.micros,
    restartMs: again.readyMs,
    // A port that another process took meanwhile is a new address, which without connection id needs a new session.
    newHandshakes: Math.max(0, first.handshakes - first.moved),
    newRegistrations: Math.max(0, first.registrations - first.moved),
    moved: first.moved,
    secondsUntilAllReported: first.seconds,
    microsPerFirstReport: first.micros,
  };
}

/** Until no session is in memory, and the memory that they had has had time to go back. */
async function asleep(server: Server): Promise<void> {
  while (sumOf(await server.metrics(), "islet_dtls_sessions_in_memory") > 0) await Bun.sleep(1_000);
  await Bun.sleep(SETTLE_MS);
}
