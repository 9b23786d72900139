import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endAtExit, hasEnded } from "./clean-up";
import { temporaryFolder, withManyFiles } from "./server";

const PROGRAM = Bun.which("mosquitto", { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` });
export const hasMosquitto = PROGRAM !== null;

/** mosquitto on a free port: anybody may come in, nothing is kept on disk, no limits on what is in flight. */
export async function startMosquitto() {
  if (!PROGRAM) throw new Error("mosquitto is not installed");
  const folder = temporaryFolder();
  const port = await freePort();
  const config = join(folder, "mosquitto.conf");
  writeFileSync(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\nlog_type error\n`,
  );
  const child = Bun.spawn(withManyFiles([PROGRAM, "-c", config]), { stdout: "ignore", stderr: "ignore" });
  endAtExit(child.pid);
  await untilAccepts(port);
  return {
    pid: child.pid,
    mqtt: { host: "127.0.0.1", port },
    async dispose(): Promise<void> {
      child.kill("SIGTERM");
      await child.exited;
      hasEnded(child.pid);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function untilAccepts(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      (await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })).terminate();
      return;
    } catch {
      await Bun.sleep(50);
    }
  }
  throw new Error("mosquitto does not listen");
}
