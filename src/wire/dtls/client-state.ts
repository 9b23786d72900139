/** States, events and effects of the client's side of a handshake; what they do is in client-handshake.ts. */
import type { Alert } from "./alert";
import type { CipherSuite } from "./cipher-suite";
import type { HandshakeMessage } from "./handshake";
import type { DtlsSession, Flight, HandshakeEffect, ResumableSession } from "./handshake-state";
import type { HelloRandoms } from "./prf";
import type { Transcript } from "./transcript";

/** What one hello offers, and who says it. */
export type ClientOffer = {
  /** 32 bytes, of this handshake alone. */
  readonly random: Uint8Array;
  readonly identity: Uint8Array;
  readonly psk: Uint8Array;
  /** In order of preference. */
  readonly suites: readonly CipherSuite[];
  /** False: the hello has no extensions block at all, as those of old modules; the three below count for nothing. */
  readonly extensions: boolean;
  readonly extendedMasterSecret: boolean;
  readonly encryptThenMac: boolean;
  /** That the server is to put into its records; empty: it may give one out and needs none itself. */
  readonly connectionId: Uint8Array | undefined;
  readonly resume: ResumableSession | undefined;
};

/**
 * `DtlsSession` from the client's end: `ownConnectionId` is in the records that come in, `peerConnectionId` goes into
 * those sent.
 */
export type ClientHandshake =
  | { readonly at: "start" }
  /** `cookies` counts how often the server asked. */
  | (Sent & { readonly at: "serverHelloAwaited"; readonly cookies: number })
  | (Sent & { readonly at: "serverHelloDoneAwaited"; readonly agreed: ClientAgreed; readonly hasKeyExchange: boolean })
  | (Sent & { readonly at: "finishedAwaited"; readonly session: DtlsSession; readonly resumed: boolean })
  /** `flight` is repeated when the server repeats its own: after a resumption the client has the last word. */
  | { readonly at: "open"; readonly session: DtlsSession; readonly flight: Flight }
  | { readonly at: "closed"; readonly reason: ClientCloseReason };

export type Sent = {
  readonly offer: ClientOffer;
  readonly transcript: Transcript;
  readonly flight: Flight;
  readonly attempt: number;
};

export type ClientAgreed = {
  readonly suite: CipherSuite;
  readonly randoms: HelloRandoms;
  readonly sessionId: Uint8Array;
  readonly extendedMasterSecret: boolean;
  readonly encryptThenMac: boolean;
  readonly ownConnectionId: Uint8Array | undefined;
  readonly peerConnectionId: Uint8Array | undefined;
};

export type ClientCloseReason =
  | "closedByPeer"
  | "closedByUs"
  | "alertFromPeer"
  /** Also what a wrong key looks like with CCM_8 and GCM: the server says nothing. */
  | "noReply"
  | "wrongFinished"
  /** The server chose what was not offered. */
  | "notOffered"
  | "tooManyCookies"
  | "malformedMessage"
  | "unexpectedMessage";

export type ClientEvent =
  | { type: "start"; offer: ClientOffer }
  /** In sequence. Of epoch 1 only if it was sealed with the session's keys. */
  | { type: "message"; message: HandshakeMessage; epoch: number }
  /** A message came again that was already taken. */
  | { type: "repeated"; epoch: number }
  /** Data of the server has come: it has our last flight. */
  | { type: "proven" }
  /** `step` threw for the last message. */
  | { type: "malformed" }
  | { type: "noReply"; maxAttempts: number }
  | { type: "alert"; alert: Alert; epoch: number }
  | { type: "close" };

export type ClientEffect =
  | Extract<HandshakeEffect, { type: "send" | "sendAlert" | "startTimer" | "stopTimer" | "useKeys" | "opened" }>
  | { type: "closed"; reason: ClientCloseReason; alert?: number };
export type ClientStep = { next: ClientHandshake; effects: readonly ClientEffect[] };
