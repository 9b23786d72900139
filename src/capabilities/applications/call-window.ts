const BUCKETS = 60;

/** Counts calls in a sliding window, in 60 steps: a call leaves after 59/60 to 60/60 of it. Constant memory. */
export function callWindow(windowMs: number) {
  const stepMs = windowMs / BUCKETS;
  const counts = new Uint32Array(BUCKETS);
  let total = 0;
  let newest = 0; // number of the newest step

  function moveTo(step: number): void {
    const passed = Math.min(step - newest, BUCKETS);
    for (let index = 1; index <= passed; index++) {
      const bucket = (newest + index) % BUCKETS;
      total -= counts[bucket] ?? 0;
      counts[bucket] = 0;
    }
    if (step > newest) newest = step;
  }

  return {
    /** True, and counted, when fewer than `limit` calls are in the window. `now` (ms) must not go back. */
    take(now: number, limit: number): boolean {
      moveTo(Math.floor(now / stepMs));
      if (total >= limit) return false;
      const bucket = newest % BUCKETS;
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      total++;
      return true;
    },
  };
}
