/** Client side of a request body that goes out in blocks (RFC 7959 §2.5, §2.9, §3.2). Pure; one state per request. */
import { type Block, type BlockBody, type BlockSize, maxBodyLength } from "./block";
import { CODES, isSuccess } from "./codes";

export type Block1SendSettings = {
  readonly size: BlockSize;
  /** How often a body may start again after 4.08 or a late request for smaller blocks. */
  readonly maxRestarts: number;
};
export const DEFAULT_BLOCK1_SEND: Block1SendSettings = { size: 1024, maxRestarts: 2 };

export type Block1Sending = {
  readonly body: BlockBody;
  readonly size: BlockSize;
  readonly offset: number;
  /** False while the body goes as one message, without Block1. */
  readonly inBlocks: boolean;
  readonly restartsLeft: number;
};
export type Block1Response = { readonly code: number; readonly block: Block | undefined };
export type Block1SendEffect =
  /** Without `block` the payload is the whole body. `size1` comes with the first block. */
  | { readonly type: "send"; readonly block?: Block; readonly payload: Uint8Array; readonly size1?: number }
  /** The response that was fed in is the answer to the request. */
  | { readonly type: "answered" }
  | { readonly type: "failed"; readonly reason: "unexpectedBlock" | "tooLarge" | "incomplete" };
export type Block1SendStep = { readonly next: Block1Sending | undefined; readonly effect: Block1SendEffect };

/**
 * `from`: where a transfer that broke off goes on, in bytes; it is begun again if the server knows nothing of it any more
 * (4.08). Rounded down to a whole block.
 */
export function startBlock1(body: BlockBody, { size, maxRestarts }: Block1SendSettings, from = 0): Block1SendStep {
  if (body.length > maxBodyLength(size)) return fail("tooLarge");
  const offset = Math.floor(Math.min(from, body.length - 1) / size) * size;
  return send({ body, size, offset: Math.max(0, offset), inBlocks: body.length > size, restartsLeft: maxRestarts });
}

export function sendBlock1(from: Block1Sending, { code, block }: Block1Response): Block1SendStep {
  if (code === CODES.requestEntityTooLarge) return withSmallerBlocks(from, block);
  if (!from.inBlocks) return ANSWERED;
  if (code === CODES.requestEntityIncomplete) return restart(from, from.size, "incomplete");
  const sent = Math.min(from.size, from.body.length - from.offset);
  const isLast = from.offset + sent === from.body.length;
  if (!isSuccess(code) || (isLast && code !== CODES.continue)) return ANSWERED;
  // Without the option the server did not see that there is more: it has answered.
  if (!block) return code === CODES.continue ? fail("unexpectedBlock") : ANSWERED;
  // The number is the one that was sent, whatever size the server asks for from now on (§2.3).
  if (isLast || block.num * from.size !== from.offset || block.size > from.size) return fail("unexpectedBlock");
  return send({ ...from, offset: from.offset + sent, size: block.size });
}

/** 4.13 with a Block1 of a smaller size asks for that size from the start (§2.9.3); anything else is a plain no. */
function withSmallerBlocks(from: Block1Sending, block: Block | undefined): Block1SendStep {
  if (!block || from.offset > 0 || (from.inBlocks && block.size >= from.size)) return ANSWERED;
  if (!from.inBlocks && block.size >= from.body.length) return ANSWERED; // it would be the same message again
  return restart(from, block.size, "tooLarge");
}

function restart(from: Block1Sending, size: BlockSize, reason: "tooLarge" | "incomplete"): Block1SendStep {
  if (from.restartsLeft === 0 || from.body.length > maxBodyLength(size)) return fail(reason);
  return send({ ...from, size, offset: 0, inBlocks: true, restartsLeft: from.restartsLeft - 1 });
}

function send(next: Block1Sending): Block1SendStep {
  const { body, size, offset, inBlocks } = next;
  if (!inBlocks) return { next, effect: { type: "send", payload: body.subarray(0, body.length) } };
  const payload = body.subarray(offset, offset + size);
  const block: Block = { num: offset / size, more: offset + payload.length < body.length, size };
  const size1 = offset === 0 ? { size1: body.length } : {};
  return { next, effect: { type: "send", block, payload, ...size1 } };
}

const ANSWERED: Block1SendStep = { next: undefined, effect: { type: "answered" } };
const fail = (reason: "unexpectedBlock" | "tooLarge" | "incomplete"): Block1SendStep => ({
  next: undefined,
  effect: { type: "failed", reason },
});
