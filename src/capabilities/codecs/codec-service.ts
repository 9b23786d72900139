import type { ProductId } from "../products/product";
import type { CloudReq, CloudRsp, Decoded, Encoded } from "./codec";
import type { CodecDefinition, StoredCodec } from "./codec-repository";
import type { FieldTrace } from "./messages/decode-frames";
import type { PoolOutcome } from "./script/script-pool";

/** Codecs as operators manage them. */
export interface CodecService {
  /**
   * Checks it and puts it in the place of the one that was there; messages under way still get the old one.
   * Throws PRODUCT_NOT_FOUND, CODEC_INVALID {issues | reason, line?, column?}, CONGESTED.
   */
  set(productId: ProductId, definition: CodecDefinition): Promise<StoredCodec>;
  /** Throws PRODUCT_NOT_FOUND, CODEC_NOT_FOUND. */
  get(productId: ProductId): StoredCodec;
  /** Throws the same. */
  remove(productId: ProductId): Promise<void>;
  /**
   * Runs one message through the product's codec, or through the given one, which is not stored. Throws PRODUCT_NOT_FOUND,
   * CODEC_NOT_FOUND, CODEC_INVALID; a message that fails is a result.
   */
  tryOut(productId: ProductId, input: TryInput, definition?: CodecDefinition): Promise<TryResult>;
}

export type TryInput =
  | { readonly direction: "decode"; readonly payload: Uint8Array; readonly topic: string }
  | { readonly direction: "encode"; readonly message: CloudReq | CloudRsp };

/** How a codec came to its result. */
export type TrySteps =
  | { readonly kind: "messages"; readonly message: string | undefined; readonly fields: readonly FieldTrace[] }
  | { readonly kind: "script"; readonly passed: unknown; readonly outcome: PoolOutcome };
export type TryResult = {
  readonly steps: TrySteps;
  readonly result: Decoded | Encoded;
  /** Why the message does not fit the product model; empty: it does. */
  readonly misfits: readonly { readonly serviceId: string; readonly reason: string }[];
};
