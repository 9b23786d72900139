/** Server side of a response body that goes out in blocks (RFC 7959 §2.4, §2.8, §3.1). Pure. */
import type { Block, BlockBody, BlockSize } from "./block";
import { smaller } from "./block";
import { CODES } from "./codes";

export type Block2SendSettings = {
  /** The largest block that is sent. */
  readonly size: BlockSize;
  /** How long the body of a transfer is kept for the next request; the owner bounds their number. */
  readonly idleMs: number;
};
export const DEFAULT_BLOCK2_SEND: Block2SendSettings = { size: 1024, idleMs: 247_000 };

/** The body as it was when the first block went out, so that a resource that changes does not tear. */
export type Block2Sending = {
  readonly body: BlockBody;
  readonly etag: Uint8Array;
  readonly lastMs: number;
};
export type Block2Reply =
  /** Fits one message, and nobody asked for blocks: no Block2. */
  | { readonly type: "whole"; readonly payload: Uint8Array }
  /** `size2` comes with the first block. */
  | {
      readonly type: "block";
      readonly block: Block;
      readonly payload: Uint8Array;
      readonly etag: Uint8Array;
      readonly size2?: number;
    }
  /** 4.00 behind the end; 4.08 when the body of this transfer is gone. */
  | { readonly type: "refuse"; readonly code: number };
export type Block2SendStep = { readonly next: Block2Sending | undefined; readonly reply: Block2Reply };

/** A fresh body for a request; `asked` is its Block2, if any. `etag` has to be given for what is no `Uint8Array`. */
export function startBlock2Response(
  body: BlockBody,
  asked: Block | undefined,
  nowMs: number,
  settings: Block2SendSettings,
  etag?: Uint8Array,
): Block2SendStep {
  if (!asked && body.length <= settings.size)
    return { next: undefined, reply: { type: "whole", payload: body.subarray(0, body.length) } };
  const from = { body, etag: etag ?? etagOf(body.subarray(0, body.length)), lastMs: nowMs };
  return sendBlock2(from, asked ?? { num: 0, more: false, size: settings.size }, nowMs, settings);
}

/** A request for one block of a body that is under way. The "more" bit of a request means nothing (§2.2). */
export function sendBlock2(
  from: Block2Sending | undefined,
  asked: Block,
  nowMs: number,
  settings: Block2SendSettings,
): Block2SendStep {
  if (!from || nowMs - from.lastMs > settings.idleMs) return refuse(CODES.requestEntityIncomplete);
  const { body, etag } = from;
  const size = smaller(asked.size, settings.size);
  const offset = asked.num * asked.size;
  if (offset >= body.length && asked.num > 0) return refuse(CODES.badRequest, from);
  const payload = body.subarray(offset, offset + size);
  const block: Block = { num: offset / size, more: offset + payload.length < body.length, size };
  const size2 = offset === 0 ? { size2: body.length } : {};
  // Kept after the last block as well: its response may get lost. Idle time ends it.
  return { next: { ...from, lastMs: nowMs }, reply: { type: "block", block, payload, etag, ...size2 } };
}

/** Four bytes of FNV-1a: tells versions of one resource apart, and protects nothing. */
export function etagOf(body: Uint8Array): Uint8Array {
  let hash = 0x811c9dc5;
  for (const byte of body) hash = Math.imul(hash ^ byte, 0x01000193);
  return Uint8Array.of(hash >>> 24, hash >>> 16, hash >>> 8, hash);
}

const refuse = (code: number, next?: Block2Sending): Block2SendStep => ({ next, reply: { type: "refuse", code } });
