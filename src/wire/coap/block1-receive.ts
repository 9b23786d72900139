/** Server side of a request body that comes in blocks (RFC 7959 §2.5, §2.9, §3.2). Pure; one state per endpoint and resource. */
import { append, type Block, type BlockSize, endOf, equalBytes, isLengthOk, join, type Parts, smaller } from "./block";
import { CODES } from "./codes";

export type Block1ReceiveSettings = {
  /** Above it the answer is 4.13. */
  readonly maxBodyBytes: number;
  /** Asked for when the sender's blocks are larger. */
  readonly preferredSize: BlockSize;
  /** After so much silence a next block is answered 4.08; the owner may drop the state. */
  readonly idleMs: number;
};
export const DEFAULT_BLOCK1_RECEIVE: Block1ReceiveSettings = {
  maxBodyBytes: 65_536,
  preferredSize: 1024,
  idleMs: 247_000,
};

export type Block1Receiving = {
  readonly parts: Parts;
  readonly contentFormat: number | undefined;
  readonly lastMs: number;
};
export type Block1Event = {
  /** Undefined when the option's value has the reserved size. */
  readonly block: Block | undefined;
  readonly payload: Uint8Array;
  readonly contentFormat: number | undefined;
  readonly size1: number | undefined;
  readonly nowMs: number;
};
export type Block1Reply =
  /** 2.31 with this Block1. */
  | { readonly type: "continue"; readonly block: Block }
  /** The request is whole; its response carries this Block1. */
  | { readonly type: "complete"; readonly block: Block; readonly body: Uint8Array }
  /** `size1` (with 4.13) is the most that would be taken. */
  | { readonly type: "refuse"; readonly code: number; readonly size1?: number };
export type Block1Step = { readonly next: Block1Receiving | undefined; readonly reply: Block1Reply };

export function receiveBlock1(
  from: Block1Receiving | undefined,
  event: Block1Event,
  settings: Block1ReceiveSettings,
): Block1Step {
  const { block, payload, nowMs } = event;
  if (!block || !isLengthOk(block, payload.length)) return refuse(CODES.badRequest);
  const { maxBodyBytes } = settings;
  const offset = block.num * block.size;
  if (block.num === 0 && (event.size1 ?? 0) > maxBodyBytes) return tooLarge(maxBodyBytes);
  if (offset + payload.length > maxBodyBytes) return tooLarge(maxBodyBytes);
  if (block.num === 0) return accept(undefined, event, block, settings); // a new body takes the place of the old one
  const alive = from && nowMs - from.lastMs <= settings.idleMs ? from : undefined;
  if (!alive || alive.contentFormat !== event.contentFormat) return refuse(CODES.requestEntityIncomplete);
  if (isRepeatOfLast(alive, block, payload)) return proceed({ ...alive, lastMs: nowMs }, block, settings);
  if (offset !== endOf(alive.parts)) return refuse(CODES.requestEntityIncomplete);
  return accept(alive.parts, event, block, settings);
}

/** Whether the owner may forget it. */
export const isBlock1Idle = (state: Block1Receiving, nowMs: number, { idleMs }: Block1ReceiveSettings): boolean =>
  nowMs - state.lastMs > idleMs;

function accept(before: Parts | undefined, event: Block1Event, block: Block, settings: Block1ReceiveSettings) {
  const parts = append(before, event.payload);
  if (!block.more)
    return { next: undefined, reply: { type: "complete", block, body: join(parts) } } satisfies Block1Step;
  return proceed({ parts, contentFormat: event.contentFormat, lastMs: event.nowMs }, block, settings);
}

/** Sent again under a new message id, so that the message layer did not see it: nothing is appended twice. */
function isRepeatOfLast({ parts }: Block1Receiving, block: Block, payload: Uint8Array): boolean {
  return block.more && block.num * block.size + payload.length === parts.end && equalBytes(parts.bytes, payload);
}

const proceed = (next: Block1Receiving, block: Block, { preferredSize }: Block1ReceiveSettings): Block1Step => ({
  next,
  reply: { type: "continue", block: { ...block, size: smaller(block.size, preferredSize) } },
});
const refuse = (code: number): Block1Step => ({ next: undefined, reply: { type: "refuse", code } });
const tooLarge = (size1: number): Block1Step => ({
  next: undefined,
  reply: { type: "refuse", code: CODES.requestEntityTooLarge, size1 },
});
