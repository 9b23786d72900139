import { boundedMemory } from "../datagram/bounded-memory";

/** Longer texts are rare, and a device that makes up new ones all the time must not fill the memory with them. */
const MAX_CHARS = 4_096;
const TEXTS_PER_GENERATION = 128;

/**
 * Reads JSON, and gives the same value for the same text: devices of one model name the same objects, and a value of its
 * own for each of 20,000 registrations was a quarter of their memory. Nobody may change what it gives.
 */
export function sharedJson(): <T>(text: string) => T {
  const known = boundedMemory<string, { readonly value: unknown }>(TEXTS_PER_GENERATION);
  return <T>(text: string): T => {
    const before = known.get(text);
    if (before) return before.value as T;
    const value: unknown = JSON.parse(text);
    if (text.length <= MAX_CHARS) known.set(text, { value });
    return value as T;
  };
}
