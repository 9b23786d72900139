import { timingSafeEqual } from "node:crypto";

/** In the same time for every content of that length. */
export const isSameBytes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && timingSafeEqual(left, right);
