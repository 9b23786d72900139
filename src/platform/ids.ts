import { randomBytes } from "node:crypto";

/** Where randomness comes from, so that tests can fix it. */
export interface Ids {
  /** An opaque id: 128 random bits, hex, no separators (so that `productId_nodeId` can be split at the first `_`). */
  next(): string;
}

const ID_BYTES = 16;
const POOL_BYTES = 4_096; // asking for randomness costs more than its bytes
let pool = Buffer.alloc(0);
let used = 0;

export const randomIds: Ids = {
  next() {
    if (used === pool.length) [pool, used] = [randomBytes(POOL_BYTES), 0];
    used += ID_BYTES;
    return pool.toString("hex", used - ID_BYTES, used);
  },
};
