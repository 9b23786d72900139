import { runCli } from "./app/cli";

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted && signal === "SIGINT") process.exit(130); // a second Ctrl-C does not wait
    stopping.abort();
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
  environment: process.env,
  stopped: stopping.signal,
});
process.exit();
