import { endAtExit, hasEnded } from "./clean-up";

const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;
const PROGRAMS = {
  plain: Bun.which("coap-server-notls", { PATH }),
  secure: Bun.which("coap-server-openssl", { PATH }),
};
export const hasLibcoap = (kind: keyof typeof PROGRAMS) => PROGRAMS[kind] !== null;
/** Of any identity. */
export const LIBCOAP_PSK = Buffer.from("0123456789abcdef").toString("hex");

/** libcoap's example server on a free port. */
export async function startLibcoap(kind: keyof typeof PROGRAMS) {
  const program = PROGRAMS[kind];
  if (!program) throw new Error("libcoap's server is not installed");
  const port = await freePorts();
  const key = kind === "secure" ? ["-k", "0123456789abcdef", "-h", "bench"] : [];
  const child = Bun.spawn([program, "-A", "127.0.0.1", "-p", String(port), "-v", "3", ...key], {
    stdout: "ignore",
    stderr: "ignore",
  });
  endAtExit(child.pid);
  await Bun.sleep(300); // it says nothing when it is ready; a load that comes early repeats itself
  if (child.exitCode !== null) throw new Error(`libcoap's server ended with ${child.exitCode}`);
  return {
    pid: child.pid,
    /** The secure one listens on the next port too. */
    address: { host: "127.0.0.1", port: kind === "secure" ? port + 1 : port },
    async dispose(): Promise<void> {
      child.kill("SIGKILL");
      await child.exited;
      hasEnded(child.pid);
    },
  };
}

/** Two UDP ports side by side that nobody has. */
async function freePorts(): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const one = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const { port } = one;
    const other = await Bun.udpSocket({ hostname: "127.0.0.1", port: port + 1 }).catch(() => undefined);
    one.close();
    other?.close();
    if (other) return port;
  }
  throw new Error("no two free ports side by side");
}
