import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { operator } from "../../test/support/api";
import { startIslet } from "../../test/support/islet";
import { BENCH_PRODUCT, NB_BENCH_MESSAGES, NB_BENCH_PRODUCT, NORTHBOUND_BENCH_PRODUCT } from "./bench-product";
import { endAtExit, hasEnded, removeAtExit } from "./clean-up";
import { sumOf } from "./metrics-text";

const ROOT = join(import.meta.dir, "../..");
const BINARY = join(ROOT, "dist/islet");

/** The compiled binary if there is one, else the source on this Bun. */
export const programUnderTest = (): string[] =>
  existsSync(BINARY) ? [BINARY] : [process.execPath, join(ROOT, "src/main.ts")];

/** With its age: a binary may be older than the source beside it. */
export function describeProgram(): string {
  const program = programUnderTest();
  return program.length > 1 ? program.join(" ") : `${program[0]}, built ${statSync(BINARY).mtime.toISOString()}`;
}

type Access = { readonly appId: string; readonly secret: string; readonly productId: string };
export type Server = Awaited<ReturnType<typeof startServer>>;

/** The whole program as a user starts it, with fsync before every acknowledgement; `data` is kept, or a new folder. */
export async function startServer({ data, settings = {} }: { data?: string; settings?: Record<string, string> } = {}) {
  const folder = data ?? temporaryFolder();
  const since = performance.now();
  const islet = await startIslet({
    data: folder,
    program: withManyFiles(programUnderTest()),
    settings: {
      durability: "full",
      "https.listen": "off",
      "mqtts.listen": "off",
      "api.calls_per_minute": "1000000000", // the throttle is for applications, not for this
      ...settings,
    },
  });
  const readyMs = performance.now() - since;
  endAtExit(islet.pid);
  const address = (text: string) => ({
    host: text.slice(0, text.lastIndexOf(":")),
    port: Number(text.slice(text.lastIndexOf(":") + 1)),
  });

  const datagrams = (name: "coap" | "coaps") => {
    const listening = (islet.ready as Readonly<Record<string, string>>)[name];
    if (listening === undefined) throw new Error(`the server has no ${name} listener`);
    return address(listening);
  };

  const metrics = async (): Promise<string> => (await fetch(`http://${islet.ready.http}/metrics`)).text();

  async function addApplication(model: unknown) {
    const manage = await operator(islet);
    const { appId, secret } = (await manage<{ appId: string; secret: string }>("POST", "/apps", { name: "bench" }))
      .body;
    const product = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, model);
    if (product.status !== 201) throw new Error(`product: ${JSON.stringify(product)}`);
    const access: Access = { appId, secret, productId: product.body.productId };
    return { manage, access };
  }

  async function stop(): Promise<void> {
    await islet.stop();
    hasEnded(islet.pid);
  }

  return {
    pid: islet.pid,
    data: folder,
    readyMs,
    mqtt: address(islet.ready.mqtt),
    url: `http://${islet.ready.http}`,
    /** UDP; only if the settings switch that listener on. */
    get coap() {
      return datagrams("coap");
    },
    get coaps() {
      return datagrams("coaps");
    },
    /** A fresh application with the product of the bench. */
    setUp: async () => (await addApplication(BENCH_PRODUCT)).access,
    /** The same for NB-IoT: a product whose codec is declared field by field. */
    async setUpNb(): Promise<Access> {
      const { manage, access } = await addApplication(NB_BENCH_PRODUCT);
      const codec = { kind: "messages", messages: NB_BENCH_MESSAGES };
      const put = await manage("PUT", `/products/${access.productId}/codec`, codec);
      if (put.status !== 200) throw new Error(`codec: ${JSON.stringify(put)}`);
      return access;
    },
    /** The same for whoever only asks for devices and sends them commands. */
    setUpNorthbound: async () => (await addApplication(NORTHBOUND_BENCH_PRODUCT)).access,
    metrics,
    /** Reports that fitted the model and are on disk. */
    stored: async (): Promise<number> => sumOf(await metrics(), "islet_reports_total", 'outcome="stored"'),
    /** Ends the process; the folder stays. */
    stop,
    /** The same without a word (SIGKILL). */
    async crash(): Promise<void> {
      await islet.crash();
      hasEnded(islet.pid);
    },
    async dispose(): Promise<void> {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "islet-bench-"));
  removeAtExit(folder);
  return folder;
}

/** A copy to be spoiled by one run. */
export function copyFolder(folder: string): string {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
}

/** Ten thousand connections are more than the usual limit of open files. */
export const withManyFiles = (command: readonly string[]): string[] => [
  "sh",
  "-c",
  'ulimit -n 65535 2>/dev/null || ulimit -n "$(ulimit -H -n)"; exec "$@"',
  "sh",
  ...command,
];

/** Bytes of resident memory, as Linux counts them. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (!line) throw new Error(`no VmRSS of process ${pid}`);
  return Number(line[1]) * 1024;
}

const TICKS_PER_SECOND = 100; // USER_HZ, which Linux fixes for all its interfaces

/** Processor time that a process has used, all its threads together. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
