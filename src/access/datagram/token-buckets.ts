import type { Clock } from "../../platform/clock";
import { boundedMemory } from "./bounded-memory";

const ADDRESSES = 10_000;

/** So many events per second and key, `burst` at once. Of keys the ones used last are remembered. */
export function tokenBuckets(clock: Pick<Clock, "monotonic">, perSecond: number, burst: number) {
  const buckets = boundedMemory<string, { tokens: number; at: number }>(ADDRESSES);
  return {
    /** False: one too many just now. */
    admit(key: string): boolean {
      const now = clock.monotonic();
      const bucket = buckets.get(key);
      const available = bucket ? Math.min(burst, bucket.tokens + ((now - bucket.at) * perSecond) / 1_000) : burst;
      const isAdmitted = available >= 1;
      buckets.set(key, { tokens: isAdmitted ? available - 1 : available, at: now });
      return isAdmitted;
    },
  };
}
