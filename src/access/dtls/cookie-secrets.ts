import type { Clock } from "../../platform/clock";

const SECRET_BYTES = 32;

export type CookieSecrets = readonly [current: Uint8Array, ...earlier: Uint8Array[]];

/** Secrets of the stateless cookies: the current one makes them, the one before is still good. Replaced as they are used. */
export function cookieSecrets(
  clock: Pick<Clock, "monotonic">,
  random: (length: number) => Uint8Array,
  lifetimeMs: number,
): () => CookieSecrets {
  let current = random(SECRET_BYTES);
  let earlier: Uint8Array | undefined;
  let since = clock.monotonic();
  return () => {
    const age = clock.monotonic() - since;
    if (age >= lifetimeMs) {
      earlier = age < 2 * lifetimeMs ? current : undefined;
      current = random(SECRET_BYTES);
      since = clock.monotonic();
    }
    return earlier ? [current, earlier] : [current];
  };
}
