import { downlink } from "./downlink";
import type { LwM2mHub } from "./hub";
import type { Registered } from "./registered";

/** The product's codec may have something to say to a report that is on disk (cloudRsp, codec.md 1). */
export async function answerReport(hub: LwM2mHub, registered: Registered, request: Uint8Array): Promise<void> {
  const { live } = registered;
  const productNo = live.product?.product.no;
  if (productNo === undefined) return;
  const encoded = await hub.codecs.encode(productNo, { msgType: "cloudRsp", request, errcode: 0, hasMore: 0 });
  if (encoded.kind === "nothing") return;
  if (encoded.kind === "failed") {
    const { reason, detail } = encoded;
    hub.trace.record({ deviceNo: live.no, kind: "response", outcome: "failed", reason, detail });
    return;
  }
  const peer = hub.peerOf(registered);
  if (!peer) return;
  const outcome = await hub.coap.request(peer, downlink(registered, encoded.bytes));
  hub.counters.downlink[outcome.kind].add();
  if (outcome.kind !== "response")
    hub.trace.record({
      deviceNo: live.no,
      kind: "response",
      outcome: "failed",
      reason: "no_answer",
      detail: outcome.kind,
    });
}
