import type { Terminal } from "./command";

/** Asks on the terminal, without showing what is typed; a new one twice. Throws when there is no terminal. */
export async function readPassword({ err, stopped }: Terminal, which: "new" | "known"): Promise<string> {
  if (process.stdin.isTTY !== true) throw new Error("there is no terminal to ask for the password at");
  err(which === "new" ? "Password for the private key: " : "Password of the private key: ");
  const password = await readHidden(stopped);
  err("\n");
  if (which === "known") return password;
  err("Once more: ");
  const again = await readHidden(stopped);
  err("\n");
  if (again !== password) throw new Error("the two passwords differ");
  return password;
}

const [CTRL_C, CTRL_D, BACKSPACE, DELETE] = ["\u0003", "\u0004", "\b", "\u007f"];

function readHidden(stopped: AbortSignal): Promise<string> {
  const input = process.stdin;
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const end = (finish: () => void) => {
      input.off("data", onData);
      stopped.removeEventListener("abort", onStop);
      input.setRawMode(false);
      input.pause();
      finish();
    };
    const onStop = () => end(() => reject(new Error("interrupted")));
    const onData = (data: Buffer) => {
      for (const sign of data.toString("utf8")) {
        if (sign === "\r" || sign === "\n" || sign === CTRL_D) return end(() => resolve(typed.join("")));
        if (sign === CTRL_C) return onStop();
        if (sign === BACKSPACE || sign === DELETE) typed = typed.slice(0, -1);
        else typed.push(sign);
      }
    };
    input.setRawMode(true);
    input.resume();
    input.on("data", onData);
    stopped.addEventListener("abort", onStop);
  });
}
