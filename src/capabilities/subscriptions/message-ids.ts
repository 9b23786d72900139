/** One rising sequence for messages of both outboxes, attempts and dead letters. */
export interface MessageIds {
  next(): number;
}

const PER_MS = 1024; // 2^53 is reached in the year 2248

/** Goes on after `last`, the highest id on disk, even when the clock was set back. */
export function messageIds(steadyNow: () => number, last: number): MessageIds {
  let current = last;
  return {
    next() {
      current = Math.max(current + 1, steadyNow() * PER_MS);
      return current;
    },
  };
}
