import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endAtExit, hasEnded } from "./clean-up";
import { lines } from "./load";
import { temporaryFolder, withManyFiles } from "./server";

/** A script of this folder in a process of its own, with JSON as its argument; one JSON value a line comes back. */
export function startChild(script: string, argument: unknown) {
  const folder = temporaryFolder();
  const file = join(folder, "argument.json");
  writeFileSync(file, JSON.stringify(argument));
  const child = Bun.spawn(withManyFiles([process.execPath, join(import.meta.dir, script), file]), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  endAtExit(child.pid);
  const output = lines(child.stdout);
  const ended = child.exited.then((code) => {
    hasEnded(child.pid);
    rmSync(folder, { recursive: true, force: true });
    return code;
  });
  return {
    pid: child.pid,
    /** The next value. */
    async next<T>(): Promise<T> {
      const { value, done } = await output.next();
      if (done) throw new Error(`${script} ended with ${await ended}`);
      return JSON.parse(value) as T;
    },
    tell(line: string): void {
      child.stdin.write(`${line}\n`);
      child.stdin.flush();
    },
    async stop(): Promise<void> {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
