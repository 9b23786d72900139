import { systemClock } from "../../platform/clock";
import { createLog } from "../../platform/log";
import { start } from "../start";
import { expectWords, parseArguments } from "./arguments";
import type { Command } from "./command";
import { readConfig } from "./read-config";

export const serveCommand: Command = {
  usage: "serve [--data DIR] [--config FILE] [--KEY VALUE]...",
  about: "runs the platform; prints one line of JSON when all listeners are open. KEY: see print-config",
  async run(words, { out, err, isTty, environment, stopped }) {
    const { positional, flags } = parseArguments(words);
    expectWords(positional);
    const config = readConfig(flags, environment);
    const format = config["log.format"] === "auto" ? (isTty ? "pretty" : "json") : config["log.format"];
    const log = createLog({ level: config["log.level"], format, clock: systemClock, write: err });
    // No packet, request or callback ends the process: what nobody caught is a fault of ours, told with its stack.
    for (const event of ["uncaughtException", "unhandledRejection"] as const)
      process.on(event, (error: unknown) => log.error("fault", { kind: event, error }));
    const platform = await start({ config, log, clock: systemClock, masterKey: environment.ISLET_MASTER_KEY });
    if (platform.madeAdminPassword !== undefined)
      err(`The password of admin is ${platform.madeAdminPassword} — it is shown this once.\n`);
    out(`${JSON.stringify({ event: "ready", ...platform.addresses })}\n`);

    const broken = await Promise.race([platform.failed, untilStopped(stopped)]);
    await platform.stop();
    if (!broken) return 0;
    log.error("stopped", { error: broken });
    return 1;
  },
};

const untilStopped = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
