import { type Islet, startIslet } from "./islet";

/** A process that is killed and started again, on the same data and the same ports of the devices; `keeps` others too. */
export async function restartingIslet({
  data,
  settings,
  keeps = [],
}: {
  data: string;
  settings: Record<string, string>;
  keeps?: readonly ("http" | "mqtt")[];
}) {
  let islet: Islet = await startIslet({ data, settings });
  const { ready } = islet;
  const kept = Object.fromEntries(
    (["coap", "coaps", ...keeps] as const).map((name) => [`${name}.listen`, ready[name]]),
  );
  let runs = 1;
  const isRunning = () => islet.isRunning;
  return {
    get islet() {
      return islet;
    },
    /** How often it was started. */
    get runs() {
      return runs;
    },
    get isRunning() {
      return isRunning();
    },
    /** SIGKILL, in this very moment; resolves when the process is gone. */
    kill: () => islet.crash(),
    stop: () => islet.stop(),
    async start(): Promise<Islet> {
      if (isRunning()) throw new Error("the process still runs");
      runs++;
      islet = await startIslet({ data, settings: { ...settings, ...kept } });
      return islet;
    },
    [Symbol.asyncDispose]: () => islet[Symbol.asyncDispose](),
  };
}
export type RestartingIslet = Awaited<ReturnType<typeof restartingIslet>>;
