import { runCli } from "./app/cli";
import { systemClock } from "./platform/clock";

const stopping = new AbortController();
// One Ctrl-C under npm arrives several times: from the terminal, from npm, from the script between. A later one does not wait.
const SAME_KEY_MS = 1_000;
let interruptedAt: number | undefined;
process.on("SIGTERM", () => stopping.abort());
process.on("SIGINT", () => {
  interruptedAt ??= systemClock.monotonic();
  if (systemClock.monotonic() - interruptedAt > SAME_KEY_MS) process.exit(130);
  stopping.abort();
});

process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
  environment: process.env,
  stopped: stopping.signal,
});
process.exit();
