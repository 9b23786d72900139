/** The value of Block1 and Block2 (RFC 7959 §2.2), and what their machines share. */

export const BLOCK_SIZES = [16, 32, 64, 128, 256, 512, 1024] as const;
export type BlockSize = (typeof BLOCK_SIZES)[number];
export type Block = {
  /** Counted in blocks of `size`, up to 2^20 - 1. */
  readonly num: number;
  readonly more: boolean;
  readonly size: BlockSize;
};
const MAX_NUM = 0xf_ffff;

/** Undefined for the reserved size exponent 7: a request with it is answered 4.00. */
export function decodeBlock(value: number): Block | undefined {
  const size = BLOCK_SIZES[value & 0b111];
  return size && { num: value >>> 4, more: (value & 0b1000) !== 0, size };
}

/** The number to give to `option("block1", …)`. */
export function encodeBlock({ num, more, size }: Block): number {
  if (!Number.isInteger(num) || num < 0 || num > MAX_NUM) throw new RangeError(`${num} is no block number`);
  return num * 16 + (more ? 0b1000 : 0) + BLOCK_SIZES.indexOf(size);
}

export const offsetOf = ({ num, size }: Block): number => num * size;
export const smaller = (one: BlockSize, other: BlockSize): BlockSize => (one < other ? one : other);
/** All that a body may have when it is moved in blocks of `size`. */
export const maxBodyLength = (size: BlockSize): number => (MAX_NUM + 1) * size;

/** A block that says "more" is full, and no block is longer than its size (RFC 7959 §2.2). */
export const isLengthOk = ({ more, size }: Block, length: number): boolean => (more ? length === size : length <= size);

/**
 * A body that is sent in blocks: bytes, or something that can fetch any part of them and need not hold them all. Parts
 * belong to whoever asked.
 */
export type BlockBody = { readonly length: number; subarray(start: number, end: number): Uint8Array };

/** A body that grows: a chain, so that a step can return a new state without copying what is there. */
export type Parts = { readonly before: Parts | undefined; readonly bytes: Uint8Array; readonly end: number };

/** Copies the bytes: the datagram they came in may be used again. */
export const append = (before: Parts | undefined, bytes: Uint8Array): Parts => ({
  before,
  bytes: bytes.slice(),
  end: endOf(before) + bytes.length,
});
export const endOf = (parts: Parts | undefined): number => parts?.end ?? 0;

export function join(parts: Parts | undefined): Uint8Array {
  const body = new Uint8Array(endOf(parts));
  for (let part = parts; part; part = part.before) body.set(part.bytes, part.end - part.bytes.length);
  return body;
}

export function equalBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (!one || !other) return one === other;
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
