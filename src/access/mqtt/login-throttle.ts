import type { Clock } from "../../platform/clock";
import { boundedMemory } from "../datagram/bounded-memory";

const REMEMBERED_GUESSERS = 5_000;

type LoginLimits = { loginFailuresAllowed: number; loginDelayMs: number; maxLoginDelayMs: number };

/**
 * Slows down guessing: after some failures every refusal takes longer than the one before, and meanwhile nothing else is
 * looked at. Keyed by identity and address together, so that a stranger cannot lock a device out of its own place.
 */
export function loginThrottle(clock: Clock, limits: LoginLimits) {
  const failures = boundedMemory<string, { count: number; blockedUntil: number }>(REMEMBERED_GUESSERS);
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
