import { MAX_SEQUENCE } from "../../wire/dtls";

/**
 * Record numbers that one process may use for a session beyond what it last wrote to disk: a hundred thousand a second
 * for three quarters of an hour, and 2^20 generations.
 */
export const SEQUENCE_SPAN = 2 ** 28;

export type StoredSequence = { readonly generation: number; readonly nextSequence: number };
export type SequenceRange = { readonly start: number; readonly limit: number };

/**
 * Which record numbers the process of this `generation` may use for a session that was stored so (docs/decisions/0005).
 * Each generation since then may have used as many as the span; the one that wrote the row was exact, and is over for
 * this session unless it is still the same. Undefined: none are left, the device has to open another session.
 */
export function sequenceRange(
  stored: StoredSequence,
  generation: number,
  span: number = SEQUENCE_SPAN,
): SequenceRange | undefined {
  const start = stored.nextSequence + (generation - stored.generation) * span;
  if (generation < stored.generation || start + span > MAX_SEQUENCE) return undefined;
  return { start, limit: start + span };
}

/** The first number that may not be used after this one was written to disk as the next. */
export const limitBehind = (nextSequence: number): number => Math.min(nextSequence + SEQUENCE_SPAN, MAX_SEQUENCE + 1);
