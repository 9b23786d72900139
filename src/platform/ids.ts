import { randomBytes } from "node:crypto";

/** Where randomness comes from, so that tests can fix it. */
export interface Ids {
  /** An opaque id: 128 random bits, hex, no separators (so that `productId_nodeId` can be split at the first `_`). */
  next(): string;
}

export const randomIds: Ids = { next: () => randomBytes(16).toString("hex") };
