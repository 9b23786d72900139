/** Client side of a response body that comes in blocks (RFC 7959 §2.4, §2.8, §3.1, §3.4). Pure; one state per request. */
import { append, type Block, type BlockSize, endOf, equalBytes, isLengthOk, join, type Parts, smaller } from "./block";
import { isSuccess } from "./codes";

export type Block2ReceiveSettings = {
  readonly maxBodyBytes: number;
  /** Asked for when the server's blocks are larger. */
  readonly preferredSize: BlockSize;
  /** How often to begin again because the resource changed under way. */
  readonly maxRestarts: number;
};
export const DEFAULT_BLOCK2_RECEIVE: Block2ReceiveSettings = {
  maxBodyBytes: 65_536,
  preferredSize: 1024,
  maxRestarts: 2,
};

export type Block2Receiving = {
  readonly parts: Parts | undefined;
  /** What was asked for; undefined for a first request without Block2. */
  readonly asked: Block | undefined;
  readonly etag: Uint8Array | undefined;
  readonly contentFormat: number | undefined;
  readonly restartsLeft: number;
};
export type Block2Response = {
  readonly code: number;
  /** `"reserved"` when the option's value has the reserved size. */
  readonly block: Block | "reserved" | undefined;
  readonly payload: Uint8Array;
  readonly etag: Uint8Array | undefined;
  readonly contentFormat: number | undefined;
  readonly size2: number | undefined;
};
export type Block2ReceiveEffect =
  /** The same request again, with this Block2 and without its payload (and without Observe). */
  | { readonly type: "request"; readonly block: Block }
  | { readonly type: "complete"; readonly body: Uint8Array }
  /** Another block than the one under way: a late double. Nothing to do. */
  | { readonly type: "ignore" }
  | { readonly type: "failed"; readonly reason: "unexpectedBlock" | "tooLarge" | "changed" };
export type Block2ReceiveStep = { readonly next: Block2Receiving | undefined; readonly effect: Block2ReceiveEffect };

/** `asked` is the Block2 of the first request, if it had one: early negotiation. */
export const startBlock2 = ({ maxRestarts }: Block2ReceiveSettings, asked?: Block): Block2Receiving => ({
  parts: undefined,
  asked,
  etag: undefined,
  contentFormat: undefined,
  restartsLeft: maxRestarts,
});

export function receiveBlock2(
  from: Block2Receiving,
  response: Block2Response,
  settings: Block2ReceiveSettings,
): Block2ReceiveStep {
  const { block, payload } = response;
  // An error is a whole answer, and so is a response to a server that ignored the option on the first request.
  if (!isSuccess(response.code)) return complete(payload, settings);
  if (!block) return from.parts ? fail("unexpectedBlock") : complete(payload, settings);
  if (block === "reserved" || !isLengthOk(block, payload.length)) return fail("unexpectedBlock");
  if (from.asked && block.size > from.asked.size) return fail("unexpectedBlock");
  const offset = block.num * block.size;
  const end = endOf(from.parts);
  if (from.parts && hasChanged(from, response)) return restart(from, block.size);
  if (offset < end) return { next: from, effect: { type: "ignore" } };
  if (offset > end) return fail("unexpectedBlock");
  if (Math.max(end + payload.length, response.size2 ?? 0) > settings.maxBodyBytes) return fail("tooLarge");
  const parts = append(from.parts, payload);
  if (!block.more) return { next: undefined, effect: { type: "complete", body: join(parts) } };
  const { etag, contentFormat } = response;
  const asked = { num: 0, more: false, size: smaller(block.size, settings.preferredSize) };
  return request({
    ...from,
    parts,
    etag: etag?.slice(),
    contentFormat,
    asked: { ...asked, num: parts.end / asked.size },
  });
}

/** §2.4: blocks of different representations must not be put together. */
const hasChanged = ({ etag, contentFormat }: Block2Receiving, response: Block2Response): boolean =>
  !equalBytes(etag, response.etag) || contentFormat !== response.contentFormat;

function restart(from: Block2Receiving, size: BlockSize): Block2ReceiveStep {
  if (from.restartsLeft === 0) return fail("changed");
  const asked: Block = { num: 0, more: false, size };
  return request({
    parts: undefined,
    etag: undefined,
    contentFormat: undefined,
    asked,
    restartsLeft: from.restartsLeft - 1,
  });
}

function complete(payload: Uint8Array, { maxBodyBytes }: Block2ReceiveSettings): Block2ReceiveStep {
  if (payload.length > maxBodyBytes) return fail("tooLarge");
  return { next: undefined, effect: { type: "complete", body: payload.slice() } };
}

const request = (next: Block2Receiving & { asked: Block }): Block2ReceiveStep => ({
  next,
  effect: { type: "request", block: next.asked },
});
const fail = (reason: "unexpectedBlock" | "tooLarge" | "changed"): Block2ReceiveStep => ({
  next: undefined,
  effect: { type: "failed", reason },
});
