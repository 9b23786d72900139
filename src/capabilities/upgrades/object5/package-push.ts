import type { BlockBody } from "../../../wire/coap";
import type { LwM2mPath } from "../../../wire/lwm2m";

export type PushOutcome =
  /** The device has all of it. */
  | { readonly kind: "done" }
  | { readonly kind: "refused"; readonly code: string; readonly detail: string | undefined }
  | { readonly kind: "unreachable" }
  /** It does not answer any more, or the transfer broke its rules; it can go on later. */
  | { readonly kind: "brokenOff"; readonly why: string };

/** Port: a resource of a device that is written block by block (RFC 7959 §2.5). Implemented by `access/lwm2m`. */
export interface PackagePush {
  /** `start`: where it goes on, in bytes. Never rejects. `body` is not asked for anything after the signal. */
  push(deviceNo: number, path: LwM2mPath, body: BlockBody, start: number, signal: AbortSignal): Promise<PushOutcome>;
}
