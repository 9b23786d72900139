import type { PushReason } from "./push-log";
import type { PushTarget } from "./target-repository";

export type PostResult = { readonly reason: PushReason; readonly status: number | undefined };

/** Port to the network: one request, one look whether somebody is there. Neither ever rejects; both keep their own time limit. */
export interface CallbackClient {
  post(
    target: PushTarget,
    message: { readonly id: number; readonly body: string },
    stopping: AbortSignal,
  ): Promise<PostResult>;
  /** Connects (TCP, and TLS for https), sends nothing. */
  probe(target: PushTarget, stopping: AbortSignal): Promise<boolean>;
}
