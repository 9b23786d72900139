import { join } from "node:path";
import { registerDevices } from "../src/simulator";
import { type BenchContext, defineBench } from "./bench";
import { endAtExit, hasEnded } from "./support/clean-up";
import { lines, startLoad } from "./support/load";
import type { ReceiverCounts } from "./support/receiver-child";
import { startServer } from "./support/server";

const DEVICES = 200;
const RATE = 20_000; // far over the goal, so that the push worker never waits for reports
const PATIENCE_S = 120;

export const push = defineBench({
  name: "push",
  about: `deviceDataChanged to a receiver in another process, ${DEVICES} devices, while ${RATE} reports/s come in and after`,
  goals: [
    { value: "pushesPerSecond", atLeast: 5_000 },
    { value: "overtaken", below: 1 },
    { value: "lost", below: 1 },
  ],
  runs: 3,
  async run({ quick, print }) {
    const receiver = await startReceiver();
    const server = await startServer();
    const application = await server.setUp();
    const devices = await registerDevices({ url: server.url, ...application }, "push", DEVICES);
    await subscribe(server.url, application, receiver.url);
    const load = startLoad({ address: server.mqtt, devices, rate: RATE, seconds: quick ? 1 : 5, warmUpSeconds: 0 });
    await load.result;
    const stored = await server.stored();
    const counts = await receiver.until(stored, print);
    await server.dispose();
    await receiver.stop();
    return {
      pushesPerSecond: (counts.received / counts.elapsedMs) * 1_000,
      overtaken: counts.overtaken,
      duplicates: counts.duplicates,
      lost: stored - counts.received,
    };
  },
});

async function subscribe(url: string, { appId, secret }: { appId: string; secret: string }, callbackUrl: string) {
  const login = await fetch(`${url}/iocm/app/sec/v1.1.0/login`, {
    method: "POST",
    body: new URLSearchParams({ appId, secret }),
  });
  const { accessToken } = (await login.json()) as { accessToken: string };
  const answer = await fetch(`${url}/iocm/app/sub/v1.2.0/subscriptions`, {
    method: "POST",
    headers: { app_key: appId, authorization: `Bearer ${accessToken}`, "content-type": "application/json" },
    body: JSON.stringify({ notifyType: "deviceDataChanged", callbackUrl }),
  });
  if (answer.status !== 201) throw new Error(`subscription: ${answer.status} ${await answer.text()}`);
}

async function startReceiver() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "support/receiver-child.ts")], { stdout: "pipe" });
  endAtExit(child.pid);
  const { value: port } = await lines(child.stdout).next();
  const url = `http://127.0.0.1:${port}/`;
  return {
    url,
    async stop(): Promise<void> {
      child.kill();
      await child.exited;
      hasEnded(child.pid);
    },
    /** Waits until so many have come, or nothing more comes. */
    async until(wanted: number, print: BenchContext["print"]): Promise<ReceiverCounts> {
      let counts: ReceiverCounts;
      for (let second = 0; ; second++) {
        counts = (await (await fetch(url)).json()) as ReceiverCounts;
        print(`push: ${counts.received} of ${wanted} received`);
        if (counts.received >= wanted || second === PATIENCE_S) return counts;
        await Bun.sleep(1_000);
      }
    },
  };
}
