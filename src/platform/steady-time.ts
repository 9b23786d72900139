import type { Clock } from "./clock";

/**
 * Milliseconds since 1970 as the wall clock had it when the process started, going on without jumps. Ages and limits
 * are measured on it, so that setting the clock drops nothing early; after a restart it is the new wall clock's.
 */
export function steadyTime(clock: Clock): () => number {
  const offset = clock.now() - clock.monotonic();
  return () => Math.floor(offset + clock.monotonic());
}
