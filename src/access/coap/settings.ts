import { BLOCK_SIZES, type BlockSize, type TransmissionParameters } from "../../wire/coap";

/** Limits and times of the CoAP endpoint. Times in milliseconds, sizes in bytes. */
export type CoapSettings = {
  /** RFC 7252 §4.8. */
  readonly ackTimeoutMs: number;
  readonly ackRandomFactor: number;
  readonly maxRetransmit: number;
  readonly nstart: number;
  readonly maxLatencyMs: number;
  readonly processingDelayMs: number;
  /** How long a request of ours that was acknowledged waits for its separate response. */
  readonly responseTimeoutMs: number;
  /** A request that is not answered by then gets an empty ACK, and a response of its own later. */
  readonly separateAfterMs: number;
  /** Largest block in either direction: 16, 32, … 1024. */
  readonly blockSize: number;
  /** How often a block transfer of ours begins again when the other side lost it or its resource changed. */
  readonly maxBlockRestarts: number;
  /** Bodies of requests to us, of responses to us, and of responses of ours. */
  readonly maxRequestBodyBytes: number;
  readonly maxResponseBodyBytes: number;
  readonly maxServedBodyBytes: number;
  /** Halves of block transfers (requests being put together, responses being fetched) that nobody goes on with. */
  readonly transferIdleMs: number;
  readonly maxTransfersPerPeer: number;
  /** Bytes of them, also of those of peers that nobody vouches for; the one that was idle longest goes first. */
  readonly maxTransferBytes: number;
  readonly maxStrangerTransferBytes: number;
  /** Requests of ours that are open or wait for their turn. */
  readonly maxOpen: number;
  readonly maxOpenPerPeer: number;
  /** Requests to us whose answer is being worked out; beyond it 5.03. */
  readonly maxAnswering: number;
  readonly maxStrangerAnswering: number;
  readonly maxAnsweringPerPeer: number;
  /** Messages remembered against duplicates, in each of two generations. */
  readonly knownDuplicates: number;
  readonly strangerDuplicates: number;
  readonly duplicateReplyBytes: number;
  /** A longer answer is not kept for duplicates of its request: the request is handled again if that does no harm. */
  readonly maxReplyBytes: number;
  /** Message ids of ours remembered so that none is used twice, in each of two generations. */
  readonly usedMessageIds: number;
  /** Tokens of requests of ours that ended without a response: a late one is acknowledged. */
  readonly maxEndedTokens: number;
};

export const COAP_DEFAULTS: CoapSettings = {
  ackTimeoutMs: 2_000,
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
  nstart: 1,
  maxLatencyMs: 100_000,
  processingDelayMs: 2_000,
  responseTimeoutMs: 247_000,
  separateAfterMs: 1_000,
  blockSize: 1_024,
  maxBlockRestarts: 2,
  maxRequestBodyBytes: 65_536,
  maxResponseBodyBytes: 65_536,
  maxServedBodyBytes: 1024 * 1024,
  transferIdleMs: 247_000,
  maxTransfersPerPeer: 4,
  maxTransferBytes: 64 * 1024 * 1024,
  maxStrangerTransferBytes: 8 * 1024 * 1024,
  maxOpen: 200_000,
  maxOpenPerPeer: 64,
  maxAnswering: 20_000,
  maxStrangerAnswering: 5_000,
  maxAnsweringPerPeer: 8,
  knownDuplicates: 262_144,
  strangerDuplicates: 262_144,
  duplicateReplyBytes: 4 * 1024 * 1024,
  maxReplyBytes: 1_280,
  usedMessageIds: 131_072,
  maxEndedTokens: 4_096,
};

/** Ready for the configuration: what each number means. */
export const COAP_ABOUT: { readonly [K in keyof CoapSettings]: string } = {
  ackTimeoutMs: "first wait for the ACK of a message to a device (RFC 7252 ACK_TIMEOUT)",
  ackRandomFactor: "how far that wait is spread",
  maxRetransmit: "retransmissions of it",
  nstart: "messages to one device that may wait for their ACK at a time",
  maxLatencyMs: "longest time a datagram may be under way",
  processingDelayMs: "longest time until a device acknowledges",
  responseTimeoutMs: "how long a request that was acknowledged waits for its response",
  separateAfterMs: "a request not answered by then is acknowledged first and answered separately",
  blockSize: "largest block of a block transfer: 16, 32, 64, 128, 256, 512 or 1024",
  maxBlockRestarts: "how often a block transfer begins again",
  maxRequestBodyBytes: "largest body of a request of a device",
  maxResponseBodyBytes: "largest body of a response of a device",
  maxServedBodyBytes: "largest body of a response to a device",
  transferIdleMs: "half a block transfer that nobody goes on with is dropped after this",
  maxTransfersPerPeer: "halves of block transfers kept per device and direction",
  maxTransferBytes: "bytes of them in all, per direction",
  maxStrangerTransferBytes: "the same for senders that are no known device",
  maxOpen: "requests to devices that are open or wait for their turn",
  maxOpenPerPeer: "the same for one device",
  maxAnswering: "requests of devices being worked on; more are answered 5.03",
  maxStrangerAnswering: "the same for senders that are no known device",
  maxAnsweringPerPeer: "the same for one device",
  knownDuplicates: "messages of known devices remembered against duplicates; twice as many at most, 40 bytes each",
  strangerDuplicates: "the same for senders that are no known device",
  duplicateReplyBytes: "bytes of answers kept for duplicates, in each of the two and twice at most",
  maxReplyBytes: "a longer answer is not kept",
  usedMessageIds: "message ids sent to devices that are remembered, so that none is used twice too soon",
  maxEndedTokens: "requests that got no response whose late response is still acknowledged",
};

export const blockSizeOf = ({ blockSize }: CoapSettings): BlockSize =>
  BLOCK_SIZES.findLast((size) => size <= blockSize) ?? BLOCK_SIZES[0];

export const transmissionOf = (settings: CoapSettings): TransmissionParameters => ({
  ackTimeoutMs: settings.ackTimeoutMs,
  ackRandomFactor: settings.ackRandomFactor,
  maxRetransmit: settings.maxRetransmit,
  nstart: settings.nstart,
  maxLatencyMs: settings.maxLatencyMs,
  processingDelayMs: settings.processingDelayMs,
  defaultLeisureMs: 5_000, // multicast only, which we do not listen to
  probingRate: 1,
});
