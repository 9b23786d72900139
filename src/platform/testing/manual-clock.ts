import type { Clock } from "../clock";

export type ManualClock = Clock & {
  /** Moves time forward; whatever falls due runs in the order of its deadline. */
  advance(ms: number): Promise<void>;
};

/** Time that moves only when a test says so. */
export function manualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let now = start;
  let due: { at: number; run: () => void }[] = [];
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

  function after(ms: number, run: () => void): () => void {
    const entry = { at: now + Math.max(0, ms), run };
    due.push(entry);
    return () => {
      due = due.filter((it) => it !== entry);
    };
  }

  return {
    now: () => now,
    monotonic: () => now - start,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const cancel = after(ms, resolve);
        signal.addEventListener(
          "abort",
          () => {
            cancel();
            resolve();
          },
          { once: true },
        );
      }),
    async advance(ms) {
      await settle();
      const end = now + ms;
      for (;;) {
        const next = due.filter((it) => it.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        due = due.filter((it) => it !== next);
        now = next.at;
        next.run();
        await settle();
      }
      now = end;
      await settle();
    },
  };
}
