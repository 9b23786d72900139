import { randomBytes } from "node:crypto";

/** Where randomness comes from, so that tests can fix it. */
export interface Ids {
  /** An opaque id: 128 random bits, hex, no separators (so that `productId_nodeId` can be split at the first `_`). */
  next(): string;
}

const BYTES = 16;
const BATCH = 256; // ids whose bytes are asked for at once: a call for each costs more than all the rest of it
let pool = "";
let at = 0;

export const randomIds: Ids = {
  next() {
    if (at === pool.length) {
      pool = randomBytes(BYTES * BATCH).toString("hex");
      at = 0;
    }
    at += 2 * BYTES;
    return pool.slice(at - 2 * BYTES, at);
  },
};
