import { type Islet, startIslet } from "./islet";

/** A process that is killed and started again, on the same data and the same ports of the devices. */
export async function restartingIslet({ data, settings }: { data: string; settings: Record<string, string> }) {
  let islet: Islet = await startIslet({ data, settings });
  const { coap, coaps } = islet.ready;
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
      islet = await startIslet({ data, settings: { ...settings, "coap.listen": coap, "coaps.listen": coaps } });
      return islet;
    },
    [Symbol.asyncDispose]: () => islet[Symbol.asyncDispose](),
  };
}
export type RestartingIslet = Awaited<ReturnType<typeof restartingIslet>>;
