import { expectWords, parseArguments } from "./arguments";
import type { Command } from "./command";
import { readConfig } from "./read-config";

/** For container health checks: images without curl need nothing else. */
export const healthCommand: Command = {
  usage: "health [--config FILE] [--KEY VALUE]...",
  about: "asks the running server's /healthz; exit code 0 when it is well",
  async run(words, { out, environment }) {
    const { positional, flags } = parseArguments(words);
    expectWords(positional);
    const { "http.listen": listen } = readConfig(flags, environment);
    const port = listen.slice(listen.lastIndexOf(":") + 1);
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) });
    out(`${await response.text()}\n`);
    return response.ok ? 0 : 1;
  },
};
