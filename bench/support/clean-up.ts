import { rmSync } from "node:fs";

/** Whatever the end is (Ctrl-C, a failed bench), no process and no folder of ours stays behind. */
const processes = new Set<number>();
const folders = new Set<string>();

export function endAtExit(pid: number): void {
  processes.add(pid);
}
export function removeAtExit(folder: string): void {
  folders.add(folder);
}
/** It has ended: its number may belong to somebody else soon. */
export function hasEnded(pid: number): void {
  processes.delete(pid);
}

process.on("exit", () => {
  for (const pid of processes) kill(pid);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it was faster
  }
}
