import {
  CODES,
  CoapMalformedError,
  decodeMessageView,
  encodeMessage,
  exchangeSettings,
  isRequest,
  type MessageView,
} from "../../wire/coap";
import type { Peer } from "../datagram/peer";
import type { CoapEndpoint, OutgoingRequest, RequestOptions, RequestOutcome, TransmitOptions } from "./coap-endpoint";
import { Conversation, type ConversationStart } from "./conversation";
import { NOTHING, type RequestParts, toRequestParts } from "./messages";
import type { EndpointParts } from "./parts";
import { transmissionOf } from "./settings";

type Client = Pick<CoapEndpoint, "request" | "prepare" | "transmit" | "completeBlock2">;

/** Requests of ours. */
export function createClient(parts: EndpointParts, isStopped: () => boolean): Client {
  const { settings, peers, messageIds, clock, counters } = parts;

  function converse(
    peer: Peer,
    start: ConversationStart,
    begin: (conversation: Conversation) => void,
  ): Promise<RequestOutcome> {
    if (isStopped() || start.options.signal?.aborted) return ended({ kind: "cancelled" });
    const openOfPeer = peers.find(peer)?.open.size ?? 0;
    if (peers.openCount >= settings.maxOpen || openOfPeer >= settings.maxOpenPerPeer)
      return ended({ kind: "failed", reason: "tooManyOpen" });
    return new Promise((resolve) => begin(new Conversation(parts, peers.get(peer), start, resolve)));
  }

  function ended(outcome: RequestOutcome): Promise<RequestOutcome> {
    counters.ended(outcome.kind);
    return Promise.resolve(outcome);
  }

  /** What CoAP cannot carry is a fault of the caller, but no reason to end anything of his. */
  function tryRequest(
    request: OutgoingRequest,
    then: (request: RequestParts) => Promise<RequestOutcome>,
  ): Promise<RequestOutcome> {
    let requestParts: RequestParts;
    try {
      requestParts = toRequestParts(request);
      probe(requestParts, request.token);
    } catch (error) {
      if (error instanceof RangeError) return ended({ kind: "failed", reason: error.message });
      throw error;
    }
    return then(requestParts);
  }

  return {
    request: (peer, request, options = {}) =>
      tryRequest(request, (requestParts) =>
        converse(
          peer,
          { request: requestParts, confirmable: request.confirmable ?? true, options, token: request.token?.slice() },
          (conversation) => conversation.begin(),
        ),
      ),

    prepare(peer, request) {
      const { code, options } = toRequestParts(request);
      const body = request.payload ?? NOTHING;
      if (body.length > parts.blockSize) throw new RangeError(`a payload of ${body.length} bytes needs blocks`);
      const token = request.token ?? parts.random(8);
      const messageId = messageIds.next(peer?.key ?? "", token, clock.monotonic());
      return encodeMessage({ type: "con", code, messageId, token, options, payload: body });
    },

    transmit(peer, datagram, options: TransmitOptions) {
      const bytes = datagram.slice();
      let view: MessageView;
      try {
        view = decodeMessageView(bytes);
      } catch (error) {
        if (error instanceof CoapMalformedError) return ended({ kind: "failed", reason: `malformed: ${error.reason}` });
        throw error;
      }
      if (view.type !== "con" || !isRequest(view.code))
        return ended({ kind: "failed", reason: "notAConfirmableRequest" });
      const { code, messageId, token, options: messageOptions, payload } = view.toMessage();
      const { ackTimeoutMs, maxRetransmit, giveUpAfterMs } = options;
      const exchange = {
        ...exchangeSettings({ ...transmissionOf(settings), ackTimeoutMs, maxRetransmit }),
        responseTimeoutMs: settings.responseTimeoutMs,
      };
      const start: ConversationStart = {
        ...{ request: { code, options: messageOptions, body: payload, start: 0 }, confirmable: true, options, token },
        ...{ stored: { bytes, messageId }, exchange, giveUpAfterMs },
      };
      return converse(peer, start, (conversation) => conversation.begin());
    },

    completeBlock2: (peer, request, first, options: RequestOptions = {}) =>
      tryRequest(request, (requestParts) =>
        converse(peer, { request: requestParts, confirmable: request.confirmable ?? true, options }, (conversation) =>
          conversation.beginWith(first),
        ),
      ),
  };
}

/** Throws what `encodeMessage` would throw later, when it is nobody's any more. */
function probe({ code, options }: RequestParts, token: Uint8Array | undefined): void {
  encodeMessage({ type: "con", code, messageId: 0, token: token ?? NOTHING, options, payload: NOTHING });
  if (code === CODES.empty) throw new RangeError("a request without a method");
}
