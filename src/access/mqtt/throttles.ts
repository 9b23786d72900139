import type { Clock } from "../../platform/clock";

const GENERATION = 5_000;

/**
 * Something that is remembered per key for a while, with a bound: of two generations the older one goes when the younger
 * is full. (Deleting the first entry of a Map over and over is slow: the iterator walks over all that were deleted.)
 */
function boundedMemory<T>() {
  let younger = new Map<string, T>();
  let older = new Map<string, T>();
  return {
    get: (key: string): T | undefined => younger.get(key) ?? older.get(key),
    set(key: string, value: T): void {
      if (younger.size >= GENERATION && !younger.has(key)) {
        older = younger;
        younger = new Map();
      }
      younger.set(key, value);
    },
    delete(key: string): void {
      younger.delete(key);
      older.delete(key);
    },
  };
}

/** Connections per second and remote address, as a token bucket. */
export function connectThrottle(clock: Clock, perSecond: number, burst: number) {
  const buckets = boundedMemory<{ tokens: number; at: number }>();
  return {
    /** False: one too many just now. */
    admit(address: string): boolean {
      const now = clock.monotonic();
      const { tokens, at } = buckets.get(address) ?? { tokens: burst, at: now };
      const available = Math.min(burst, tokens + ((now - at) * perSecond) / 1_000);
      const admitted = available >= 1;
      buckets.set(address, { tokens: admitted ? available - 1 : available, at: now });
      return admitted;
    },
  };
}

type LoginLimits = { loginFailuresAllowed: number; loginDelayMs: number; maxLoginDelayMs: number };

/**
 * Slows down guessing: after some failures every refusal takes longer than the one before, and meanwhile nothing else is
 * looked at. Keyed by identity and address together, so that a stranger cannot lock a device out of its own place.
 */
export function loginThrottle(clock: Clock, limits: LoginLimits) {
  const failures = boundedMemory<{ count: number; blockedUntil: number }>();
  const keyOf = (address: string, id: string) => `${address} ${id}`;
  return {
    /** An earlier refusal is still being held back. */
    isBlocked(address: string, id: string): boolean {
      const entry = failures.get(keyOf(address, id));
      return entry !== undefined && clock.monotonic() < entry.blockedUntil;
    },
    /** For how long to hold the refusal back, ms. */
    failed(address: string, id: string): number {
      const key = keyOf(address, id);
      const count = (failures.get(key)?.count ?? 0) + 1;
      const excess = count - limits.loginFailuresAllowed;
      const delayMs =
        excess <= 0 ? 0 : Math.min(limits.loginDelayMs * 2 ** Math.min(excess - 1, 30), limits.maxLoginDelayMs);
      failures.set(key, { count, blockedUntil: clock.monotonic() + delayMs });
      return delayMs;
    },
    succeeded(address: string, id: string): void {
      failures.delete(keyOf(address, id));
    },
  };
}
export type LoginThrottle = ReturnType<typeof loginThrottle>;
