import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../platform/clock";
import { createLog } from "../../platform/log";
import { loadConfig } from "../config";
import { runDemo } from "../demo/demo";
import { AWAKE_MS } from "../demo/detectors";
import { start } from "../start";
import { expectWords, parseArguments, UsageError } from "./arguments";
import type { Command } from "./command";

const ADMIN_PASSWORD = "islet-demo";

export const demoCommand: Command = {
  usage: "demo [--once] [--data DIR]",
  about: "starts a server with sample devices and shows what happens; --once: one round, then a check",
  async run(words, { out, err, environment, stopped }) {
    const { positional, flags } = parseArguments(words, new Set(["once"]));
    expectWords(positional);
    const { once = "false", data, ...unknown } = flags;
    const strange = Object.keys(unknown)[0];
    if (strange) throw new UsageError(`--${strange} is not expected`);

    const folder = data ?? mkdtempSync(join(tmpdir(), "islet-demo-"));
    const config = loadConfig({
      flags: {
        data: folder,
        "admin.password": ADMIN_PASSWORD,
        "api.access_token_ms": String(24 * 60 * 60 * 1_000), // the printed curl lines work all day
        "lwm2m.awake_ms": String(AWAKE_MS), // detectors fall asleep in seconds, not in minutes
        "http.listen": await freeTcp(8080),
        "https.listen": await freeTcp(8743),
        "mqtt.listen": await freeTcp(1883),
        "mqtts.listen": await freeTcp(8883),
        "coap.listen": await freeUdp(5683),
        "coaps.listen": await freeUdp(5684),
      },
    });
    try {
      const log = createLog({ level: "warn", format: "pretty", clock: systemClock, write: err });
      const platform = await start({ config, log, clock: systemClock, masterKey: environment.ISLET_MASTER_KEY });
      try {
        const { http = "", mqtt = "", coap = "", coaps = "" } = platform.addresses;
        const print = (line: string) => out(`${line}\n`);
        const well = await runDemo({
          addresses: { http, mqtt, coap, coaps },
          ...{ adminPassword: ADMIN_PASSWORD, clock: systemClock },
          ...{ print, stopped, once: once === "true" },
        });
        return well ? 0 : 1;
      } finally {
        await platform.stop();
      }
    } finally {
      if (data === undefined) rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** The port itself on loopback, or port 0 when somebody listens there. */
const address = (port: number, isFree: boolean) => `127.0.0.1:${isFree ? port : 0}`;

async function freeTcp(port: number): Promise<string> {
  const probe = createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
  return address(port, isFree);
}

async function freeUdp(port: number): Promise<string> {
  const probe = createSocket("udp4");
  const isFree = await new Promise<boolean>((resolve) => {
    probe.once("error", () => resolve(false));
    probe.bind(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
  return address(port, isFree);
}
