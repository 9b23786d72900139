import {
  type Block,
  type Block1Receiving,
  type Block2Sending,
  CODES,
  type CoapOption,
  checkOptions,
  encodeBlock,
  encodeEmpty,
  encodeMessage,
  isResponse,
  isSuccess,
  isSuppressed,
  MAX_OPTIONS,
  type MessageType,
  type MessageView,
  OPTIONS,
  option,
  receiveBlock1,
  sendBlock2,
  startBlock2Response,
} from "../../wire/coap";
import type { Peer } from "../datagram/peer";
import { Answering } from "./answering";
import type { IncomingRequest, OutgoingResponse } from "./coap-endpoint";
import {
  blockOf,
  diagnosticPayload,
  isIdempotent,
  isSafe,
  NOTHING,
  responseOptions,
  UNDERSTOOD_IN_REQUESTS,
} from "./messages";
import type { EndpointParts } from "./parts";
import { TransferStore } from "./transfer-store";

/** A longer reply to a request that may be done twice is not worth its memory: the request is handled again. */
const SMALL_REPLY = 128;
const HIGHEST_METHOD = CODES.ipatch;
/** The other options of a response need the rest. */
const MAX_LOCATION_SEGMENTS = MAX_OPTIONS - 10;

/** What of a request its response needs, copied. */
export type Asked = {
  readonly type: MessageType;
  readonly code: number;
  readonly messageId: number;
  readonly token: Uint8Array;
  readonly noResponse: number | undefined;
  /** Goes into the response as it is: the last block of a body that came in blocks. */
  readonly block1: Block | undefined;
  readonly block2: Block | undefined;
  /** Names what is asked for among the transfers of its peer. */
  readonly resource: string;
};

/** The body of a response that did not fit one message, for the requests for its other blocks. */
type Served = { readonly sending: Block2Sending; readonly response: OutgoingResponse };

export type CoapServer = ReturnType<typeof createServer>;

/** Requests to us. */
export function createServer(parts: EndpointParts) {
  const { settings, blockSize, seen, peers, clock, counters, log } = parts;
  const limits = {
    perPeer: settings.maxTransfersPerPeer,
    knownBytes: settings.maxTransferBytes,
    strangerBytes: settings.maxStrangerTransferBytes,
    idleMs: settings.transferIdleMs,
  };
  const uploads = new TransferStore<Block1Receiving>(limits);
  const served = new TransferStore<Served>(limits);
  const answering = { known: 0, strangers: 0 };
  const block1Settings = {
    maxBodyBytes: settings.maxRequestBodyBytes,
    preferredSize: blockSize,
    idleMs: settings.transferIdleMs,
  };
  const block2Settings = { size: blockSize, idleMs: settings.transferIdleMs };
  let cancelSweep: (() => void) | undefined;

  /** Only while there is something to sweep. */
  function sweepLater(): void {
    cancelSweep ??= clock.after(settings.transferIdleMs + 1, () => {
      cancelSweep = undefined;
      const nowMs = clock.monotonic();
      uploads.expire(nowMs);
      served.expire(nowMs);
      if (uploads.count + served.count > 0) sweepLater();
    });
  }

  /** A request that was not seen before. */
  function receive(peer: Peer, view: MessageView) {
    const verdict = checkOptions(view, UNDERSTOOD_IN_REQUESTS);
    if (verdict.action !== "accept") {
      counters.received(view.type, "option_refused");
      if (verdict.action === "respond")
        refuse(peer, askedOf(view), verdict.code, `option ${verdict.option} is not understood`);
      return;
    }
    if (isOverLimit(peer)) {
      counters.received(view.type, "over_limit");
      if (view.type === "con") refuse(peer, askedOf(view), CODES.serviceUnavailable, "too many requests under way");
      return;
    }
    counters.received(view.type, "request");
    if (view.code > HIGHEST_METHOD)
      return refuse(peer, askedOf(view), CODES.methodNotAllowed, "the method is not known");
    const path = view.texts(OPTIONS.uriPath.number);
    const query = view.texts(OPTIONS.uriQuery.number);
    if (!path || !query) return refuse(peer, askedOf(view), CODES.badRequest, "the path or the query is not UTF-8");
    const block1 = blockOf(view, "block1");
    const block2 = blockOf(view, "block2");
    if (block2 === "reserved") return refuse(peer, askedOf(view), CODES.badRequest, "Block2 has the reserved size");
    if (block1 === undefined && block2 === undefined) {
      const asked = askedOf(view, () => resourceOf(view, path, query));
      if (view.payloadLength > settings.maxRequestBodyBytes) return tooLarge(peer, asked);
      return handle(peer, asked, toIncomingRequest(view, path, query, view.payload().slice()));
    }
    const resource = resourceOf(view, path, query);
    const asked = askedOf(view, () => resource, block2);
    if (block1 !== undefined)
      return receiveBlock(peer, view, asked, block1, (body, block) =>
        handle(peer, { ...asked, block1: block }, toIncomingRequest(view, path, query, body)),
      );
    if (asked.block2 && asked.block2.num > 0 && serveBlock(peer, asked, asked.block2)) return;
    handle(peer, asked, toIncomingRequest(view, path, query, view.payload().slice()));
  }

  function isOverLimit(peer: Peer): boolean {
    const isKnown = seen.isKnown(peer);
    const most = isKnown ? settings.maxAnswering : settings.maxStrangerAnswering;
    if (answering[isKnown ? "known" : "strangers"] >= most) return true;
    return (peers.find(peer)?.answering ?? 0) >= settings.maxAnsweringPerPeer;
  }

  /** One block of a body. The layer above sees it when it is whole. */
  function receiveBlock(
    peer: Peer,
    view: MessageView,
    asked: Asked,
    given: Block | "reserved",
    whole: (body: Uint8Array, block: Block) => void,
  ) {
    const nowMs = clock.monotonic();
    const { next, reply } = receiveBlock1(
      uploads.get(peer.key, asked.resource, nowMs),
      {
        block: given === "reserved" ? undefined : given,
        payload: view.payload(),
        contentFormat: view.uint(OPTIONS.contentFormat.number),
        size1: view.uint(OPTIONS.size1.number),
        nowMs,
      },
      block1Settings,
    );
    if (!next) uploads.delete(peer.key, asked.resource);
    else {
      if (given !== "reserved" && given.num === 0) uploads.delete(peer.key, asked.resource); // begins again
      // Many small blocks cost more than their bytes.
      uploads.put(peer.key, asked.resource, next, view.payloadLength + 256, seen.isKnown(peer), nowMs);
      sweepLater();
    }
    switch (reply.type) {
      case "continue":
        return send(peer, asked, CODES.continue, [option("block1", encodeBlock(reply.block))], NOTHING);
      case "complete":
        return whole(reply.body, reply.block);
      case "refuse":
        if (reply.size1 !== undefined) return tooLarge(peer, asked);
        return refuse(peer, asked, reply.code, BLOCK1_REFUSALS[reply.code] ?? "");
      default:
        return reply satisfies never;
    }
  }

  /** A further block of a body that is kept. False: there is none, and the request can be handled again instead. */
  function serveBlock(peer: Peer, asked: Asked, block: Block): boolean {
    const nowMs = clock.monotonic();
    const kept = served.get(peer.key, asked.resource, nowMs);
    if (!kept && isSafe(asked.code)) return false;
    const { next, reply } = sendBlock2(kept?.sending, block, nowMs, block2Settings);
    if (reply.type === "refuse") {
      refuse(peer, asked, reply.code, reply.code === CODES.badRequest ? "behind the last block" : "the body is gone");
    } else if (kept && next && reply.type === "block") {
      served.put(peer.key, asked.resource, { ...kept, sending: next }, 0, seen.isKnown(peer), nowMs);
      send(peer, asked, kept.response.code, blockOptions(kept.response, reply), reply.payload);
    }
    return true;
  }

  function handle(peer: Peer, asked: Asked, request: IncomingRequest) {
    let response: OutgoingResponse | Promise<OutgoingResponse>;
    try {
      response = parts.handlers.request(peer, request);
    } catch (error) {
      return respond(peer, asked, fault(request, error));
    }
    if (!(response instanceof Promise)) return respond(peer, asked, response);
    const tally = seen.isKnown(peer) ? "known" : "strangers";
    answering[tally]++;
    const answer = new Answering(parts, peer, asked, { respond, over: () => answering[tally]-- });
    response.then(
      (settled) => answer.settle(settled),
      (error) => answer.settle(fault(request, error)),
    );
  }

  function fault(request: IncomingRequest, error: unknown): OutgoingResponse {
    log.error("coapRequestFailed", { code: request.code, path: request.path.join("/"), error });
    return { code: CODES.internalServerError, diagnostic: "internal error" };
  }

  /** Sends a response, or its first block. */
  function respond(peer: Peer, asked: Asked, response: OutgoingResponse, sendAs = send) {
    let encoded: { code: number; options: CoapOption[]; payload: Uint8Array };
    try {
      encoded = encode(peer, asked, response);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      log.error("coapResponseUnfit", { code: response.code, error });
      return sendAs(peer, asked, CODES.internalServerError, [], NOTHING, response.sent);
    }
    sendAs(peer, asked, encoded.code, encoded.options, encoded.payload, response.sent);
  }

  /** Throws RangeError for what CoAP cannot carry. */
  function encode(peer: Peer, asked: Asked, response: OutgoingResponse) {
    const { code, payload, diagnostic } = response;
    if (!isResponse(code)) throw new RangeError(`${code} is no response code`);
    if ((response.locationPath?.length ?? 0) > MAX_LOCATION_SEGMENTS) throw new RangeError("a location too long");
    if (!isSuccess(code)) {
      const text = payload ?? (diagnostic ? diagnosticPayload(diagnostic, blockSize) : NOTHING);
      if (text.length > blockSize) throw new RangeError(`an error with a payload of ${text.length} bytes`);
      return { code, options: [...responseOptions(response), ...block1Option(asked)], payload: text };
    }
    if (response.source) return encodeSource(asked, response, response.source);
    const body = payload ?? NOTHING;
    if (body.length > settings.maxServedBodyBytes) throw new RangeError(`a body of ${body.length} bytes`);
    const nowMs = clock.monotonic();
    const { next, reply } = startBlock2Response(body, asked.block2, nowMs, block2Settings);
    switch (reply.type) {
      case "whole":
        return { code, options: [...responseOptions(response), ...block1Option(asked)], payload: reply.payload };
      case "block":
        if (next && (reply.block.more || reply.block.num > 0)) {
          served.delete(peer.key, asked.resource);
          const kept = { sending: next, response: { ...response, payload: undefined, sent: undefined } };
          served.put(peer.key, asked.resource, kept, body.length, seen.isKnown(peer), nowMs);
          sweepLater();
        }
        return { code, options: [...blockOptions(response, reply), ...block1Option(asked)], payload: reply.payload };
      case "refuse": // a block behind the end, asked for first
        return { code: reply.code, options: [], payload: diagnosticPayload("behind the last block", blockSize) };
      default:
        return reply satisfies never;
    }
  }

  /** One block of something that keeps itself: no state of the transfer, so that any block can be asked for at any time. */
  function encodeSource(asked: Asked, response: OutgoingResponse, { body, etag }: Source) {
    const { reply } = startBlock2Response(body, asked.block2, 0, block2Settings, etag);
    switch (reply.type) {
      case "whole":
        return { code: response.code, options: sourceOptions(response, etag), payload: reply.payload };
      case "block":
        return { code: response.code, options: blockOptions(response, reply), payload: reply.payload };
      case "refuse":
        return { code: reply.code, options: [], payload: diagnosticPayload("behind the last block", blockSize) };
      default:
        return reply satisfies never;
    }
  }

  /** In the ACK of a CON, in a NON of its own for a NON. */
  function send(
    peer: Peer,
    asked: Asked,
    code: number,
    options: CoapOption[],
    payload: Uint8Array,
    sent?: (() => void) | undefined,
  ): void {
    const { type, messageId, token } = asked;
    const isQuiet = isSuppressed(asked.noResponse, code);
    if (type === "con") {
      const reply = isQuiet
        ? encodeEmpty("ack", messageId)
        : encodeMessage({ type: "ack", code, messageId, token, options, payload });
      counters.sent("ack", isQuiet ? "ack" : "response");
      keepReply(peer, asked, reply);
      peer.send(reply);
    } else if (!isQuiet) {
      const ownId = parts.messageIds.next(peer.key, token, clock.monotonic());
      counters.sent("non", "response");
      peer.send(encodeMessage({ type: "non", code, messageId: ownId, token, options, payload }));
    }
    if (sent) parts.guarded("sent", sent);
  }

  /** So that a repeated request gets the same answer, or is handled again where that is cheaper and does no harm. */
  function keepReply(peer: Peer, asked: Asked, reply: Uint8Array) {
    const canRepeat = isIdempotent(asked.code) && asked.block1 === undefined;
    if (canRepeat && reply.length > SMALL_REPLY) return seen.forget(peer, asked.messageId);
    const isKept = seen.remember(peer, asked.messageId, reply);
    if (!isKept && canRepeat) seen.forget(peer, asked.messageId);
  }

  function refuse(peer: Peer, asked: Asked, code: number, diagnostic: string): void {
    send(peer, asked, code, [], diagnosticPayload(diagnostic, blockSize));
  }

  function tooLarge(peer: Peer, asked: Asked): void {
    const size1 = settings.maxRequestBodyBytes;
    const text = diagnosticPayload(`a body may have ${size1} bytes`, blockSize);
    send(peer, asked, CODES.requestEntityTooLarge, [option("size1", size1)], text);
  }

  return {
    receive,
    get answering() {
      return answering.known + answering.strangers;
    },
    get transfers() {
      return uploads.count + served.count;
    },
    get transferBytes() {
      return uploads.bytes + served.bytes;
    },
    move(from: Peer, to: Peer): void {
      uploads.move(from.key, to.key);
      served.move(from.key, to.key);
    },
    drop(peer: Peer): void {
      uploads.drop(peer.key);
      served.drop(peer.key);
    },
    stop(): void {
      cancelSweep?.();
      uploads.clear();
      served.clear();
    },
  };
}

const BLOCK1_REFUSALS: Readonly<Record<number, string>> = {
  [CODES.badRequest]: "a block of the wrong size",
  [CODES.requestEntityIncomplete]: "blocks are missing",
};

const askedOf = (view: MessageView, resource = () => "", block2?: Block): Asked => ({
  type: view.type,
  code: view.code,
  messageId: view.messageId,
  token: view.token().slice(),
  noResponse: view.uint(OPTIONS.noResponse.number),
  block1: undefined,
  block2,
  resource: resource(),
});

/** What belongs to the cache key (RFC 7252 §5.6), and the method. */
function resourceOf(view: MessageView, path: readonly string[], query: readonly string[]): string {
  const accept = view.uint(OPTIONS.accept.number) ?? "";
  return `${view.code} ${accept} ${path.join("\u0000")}\u0001${query.join("\u0000")}`;
}

const toIncomingRequest = (
  view: MessageView,
  path: readonly string[],
  query: readonly string[],
  payload: Uint8Array,
): IncomingRequest => ({
  code: view.code,
  confirmable: view.type === "con",
  path,
  query,
  contentFormat: view.uint(OPTIONS.contentFormat.number),
  accept: view.uint(OPTIONS.accept.number),
  observe: view.uint(OPTIONS.observe.number),
  payload,
});

const block1Option = ({ block1 }: Asked): CoapOption[] => (block1 ? [option("block1", encodeBlock(block1))] : []);

type Source = NonNullable<OutgoingResponse["source"]>;
const sourceOptions = (response: OutgoingResponse, etag: Uint8Array): CoapOption[] => [
  ...responseOptions(response),
  option("etag", etag),
];

function blockOptions(
  response: OutgoingResponse,
  { block, etag, size2 }: { block: Block; etag: Uint8Array; size2?: number },
): CoapOption[] {
  const options = [...responseOptions(response), option("etag", etag), option("block2", encodeBlock(block))];
  if (size2 !== undefined) options.push(option("size2", size2));
  return options;
}
