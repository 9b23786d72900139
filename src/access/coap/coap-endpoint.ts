import type { BlockBody, MessageView } from "../../wire/coap";
import type { Peer } from "../datagram/peer";

/** A request of ours. Options go out in the order of their numbers; no Uri-Host is sent, so Observe comes first. */
export type OutgoingRequest = {
  readonly method: "get" | "post" | "put" | "delete" | "fetch" | "ipatch";
  readonly path: readonly string[];
  readonly query?: readonly string[] | undefined;
  readonly observe?: 0 | 1 | undefined;
  readonly accept?: number | undefined;
  readonly contentFormat?: number | undefined;
  readonly payload?: Uint8Array | undefined;
  /** In place of a payload: one that is fetched block by block as it is sent. `start`: where it goes on, in bytes. */
  readonly source?: { readonly body: BlockBody; readonly start: number } | undefined;
  /** Made when left out; given for an observation whose token is stored. */
  readonly token?: Uint8Array | undefined;
  readonly confirmable?: boolean | undefined; // true
};

/** What came back; all bytes are copies. */
export type IncomingResponse = {
  readonly code: number;
  readonly payload: Uint8Array; // whole: Block2 is done
  readonly contentFormat: number | undefined;
  readonly observe: number | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly locationPath: readonly string[];
};

export type RequestOutcome =
  | { readonly kind: "response"; readonly response: IncomingResponse }
  /** The peer knows nothing of it (RST). */
  | { readonly kind: "reset" }
  /** No ACK after all retransmissions. */
  | { readonly kind: "noAcknowledgement" }
  /** An ACK, and then no response. */
  | { readonly kind: "noResponse" }
  | { readonly kind: "cancelled" }
  /** A block transfer that broke its rules, or a body over the limit. */
  | { readonly kind: "failed"; readonly reason: string };

export type RequestOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Called at most once: the peer has the request (empty ACK, or the response itself). */
  readonly acknowledged?: (() => void) | undefined;
};

/** How one prepared message is sent; milliseconds. RFC 7252 §4.2 with parameters of the caller's. */
export type TransmitOptions = RequestOptions & {
  readonly ackTimeoutMs: number; // first wait, spread by the random factor, doubled with each retransmission
  readonly maxRetransmit: number;
  /** From now on: then it is `noAcknowledgement`, however few retransmissions were made. */
  readonly giveUpAfterMs: number;
};

export type IncomingRequest = {
  readonly code: number; // CODES.get, …
  readonly confirmable: boolean;
  readonly path: readonly string[];
  readonly query: readonly string[];
  readonly contentFormat: number | undefined;
  readonly accept: number | undefined;
  readonly observe: number | undefined;
  /** Whole (Block1 is done), a copy. */
  readonly payload: Uint8Array;
};

export type OutgoingResponse = {
  readonly code: number;
  readonly payload?: Uint8Array | undefined; // of any size up to the limits: Block2 is the endpoint's
  /**
   * In place of a payload, of any size: of it the one block that was asked for is fetched and sent, and nothing is kept.
   * The same request has to find the same body again for as long as it has this ETag.
   */
  readonly source?: { readonly body: BlockBody; readonly etag: Uint8Array } | undefined;
  readonly contentFormat?: number | undefined;
  readonly locationPath?: readonly string[] | undefined;
  readonly maxAgeSeconds?: number | undefined;
  /** Text for people with a 4.xx or 5.xx (RFC 7252 §5.5.2). */
  readonly diagnostic?: string | undefined;
  /** Called when the response has been handed to the peer for the first time. */
  readonly sent?: (() => void) | undefined;
};

/** What the layer above does. Nothing here may throw; a rejected promise is answered 5.00 and logged. */
export type CoapHandlers = {
  /** A promise that takes longer than `separateAfterMs` is answered by an empty ACK first and a separate CON response. */
  request(peer: Peer, request: IncomingRequest): OutgoingResponse | Promise<OutgoingResponse>;
  /**
   * A response (CON or NON) with a token that no request of ours waits for: a notification. The view is good until this
   * returns. `taken`: `acknowledge` or `forget` will be called for a CON. `acknowledge`: ACK at once. `unknown`: RST.
   */
  notification(peer: Peer, view: MessageView): "taken" | "acknowledge" | "unknown";
};

export interface CoapEndpoint {
  /** One datagram of a peer. Never throws; the bytes may be used again when it returns. */
  receive(peer: Peer, datagram: Uint8Array): void;
  /** Waits its turn (NSTART) and resolves with what became of it; never rejects. Block1 and Block2 are done inside. */
  request(peer: Peer, request: OutgoingRequest, options?: RequestOptions): Promise<RequestOutcome>;
  /**
   * A confirmable message with a fresh message id and token, to be stored before it is sent. Throws RangeError for a
   * payload over the block size: such a message cannot be repeated byte by byte after a restart.
   */
  prepare(peer: Peer | undefined, request: OutgoingRequest): Uint8Array;
  /**
   * Sends what `prepare` made, also by an earlier process: same message id, same token, every time. Waits its turn.
   */
  transmit(peer: Peer, datagram: Uint8Array, options: TransmitOptions): Promise<RequestOutcome>;
  /**
   * The rest of a notification that came with Block2 and more to follow (RFC 7959 §2.6), fetched with the request that
   * observes, without its Observe and token. `first` is copied before this returns, so it may be called while the
   * notification is handled. One that is whole resolves at once. `observe` and `maxAgeSeconds` are the notification's.
   */
  completeBlock2(
    peer: Peer,
    request: OutgoingRequest,
    first: MessageView,
    options?: RequestOptions,
  ): Promise<RequestOutcome>;
  /**
   * Somebody has proved on the plain port who he is: from now on his messages are remembered apart from those of
   * strangers, so that a flood cannot push them out. It lasts as long as the peer object.
   */
  vouch(peer: Peer): void;
  /** The peer listens now, and may have slept before: what waits for its ACK is sent again, if it may be. */
  repeat(peer: Peer): void;
  /** Confirms a `taken` notification; its duplicates are then acknowledged without asking. */
  acknowledge(peer: Peer, messageId: number): void;
  /** The `taken` notification could not be stored: when it comes again it is new. */
  forget(peer: Peer, messageId: number): void;
  /**
   * Was this confirmable message of the peer taken? For one that comes again from another address: a NAT entry that aged
   * while it was repeated.
   */
  hasTaken(peer: Peer, messageId: number): boolean;
  /** The client has moved: what is open towards the one goes on towards the other. */
  redirect(from: Peer, to: Peer): void;
  /** Ends all that is open towards the peer as `cancelled`. */
  abandon(peer: Peer): void;
  stop(): void;
}
