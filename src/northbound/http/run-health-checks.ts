import type { Clock } from "../../platform/clock";

/** Throws or rejects when its part is broken. Must be cheap: it is called at every `GET /healthz`. */
export type HealthCheck = { readonly name: string; readonly check: () => void | Promise<void> };

/** A part that does not answer within this is broken. */
const ANSWER_WITHIN_MS = 2_000;

export type HealthReport = {
  readonly healthy: boolean;
  readonly status: "ok" | "broken";
  readonly checks: Readonly<Record<string, "ok" | "broken">>;
};

/** Which parts are broken; why goes to `reportFault` only, for the page is open to everybody. */
export async function runHealthChecks(
  checks: readonly HealthCheck[],
  clock: Clock,
  reportFault: (error: unknown) => void,
): Promise<HealthReport> {
  const results = await Promise.all(
    checks.map(async ({ name, check }) => {
      try {
        await within(ANSWER_WITHIN_MS, clock, async () => check());
        return [name, "ok"] as const;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        reportFault(new Error(`health check ${name}: ${reason}`, { cause: error }));
        return [name, "broken"] as const;
      }
    }),
  );
  const healthy = results.every(([, result]) => result === "ok");
  return {
    healthy,
    status: healthy ? "ok" : "broken",
    checks: { process: "ok", ...Object.fromEntries(results) },
  };
}

async function within(ms: number, clock: Clock, run: () => Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(ms, () => reject(new Error(`no answer within ${ms} ms`)));
  try {
    await Promise.race([run(), promise]);
  } finally {
    cancel();
  }
}
