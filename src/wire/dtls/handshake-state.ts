/** States, events and effects of the server's side of a handshake; what they do is in server-handshake.ts. */
import type { Alert } from "./alert";
import { CIPHER_SUITES, type CipherSuite } from "./cipher-suite";
import type { HandshakeMessage } from "./handshake";
import type { HelloRandoms, SessionKeys } from "./prf";
import type { Transcript } from "./transcript";

export type HandshakeSettings = {
  /** In order of preference. */
  readonly suites: readonly CipherSuite[];
  /** Some old clients wait for ServerKeyExchange; without a hint it is left out, as RFC 4279 §2 wants it. */
  readonly identityHint: Uint8Array | undefined;
};
export const HANDSHAKE_SETTINGS: HandshakeSettings = { suites: CIPHER_SUITES, identityHint: undefined };

/** What a later hello with its id may build on; forget it when the device's key changes. */
export type ResumableSession = {
  readonly sessionId: Uint8Array;
  readonly suite: CipherSuite;
  readonly masterSecret: Uint8Array;
  readonly extendedMasterSecret: boolean;
  readonly identity: Uint8Array;
};
export type DtlsSession = ResumableSession & {
  readonly encryptThenMac: boolean;
  readonly keys: SessionKeys;
  /** That the client puts into its records; undefined: they carry none. */
  readonly ownConnectionId: Uint8Array | undefined;
  /** To be put into records for the client. */
  readonly peerConnectionId: Uint8Array | undefined;
};

/** Records get new numbers each time the flight is sent, messages keep theirs. */
export type FlightItem =
  | { readonly type: "handshake"; readonly epoch: 0 | 1; readonly message: HandshakeMessage }
  | { readonly type: "changeCipherSpec" };
export type Flight = readonly FlightItem[];

/** What the hellos have settled. */
export type Agreed = {
  readonly suite: CipherSuite;
  readonly randoms: HelloRandoms;
  readonly sessionId: Uint8Array;
  readonly extendedMasterSecret: boolean;
  readonly encryptThenMac: boolean;
  readonly ownConnectionId: Uint8Array | undefined;
  readonly peerConnectionId: Uint8Array | undefined;
};
export type Waiting = {
  readonly transcript: Transcript;
  /** The last one sent, and how often. */
  readonly flight: Flight;
  readonly attempt: number;
};
export type ServerHandshake =
  | { readonly at: "start" }
  | (Waiting & { readonly at: "keyExchangeAwaited"; readonly agreed: Agreed })
  | (Waiting & { readonly at: "pskAwaited"; readonly agreed: Agreed; readonly identity: Uint8Array })
  | (Waiting & {
      readonly at: "finishedAwaited";
      readonly session: DtlsSession;
      readonly resumed: boolean;
      readonly keyDoubted: boolean;
    })
  | { readonly at: "open"; readonly session: DtlsSession; readonly flight: Flight }
  | { readonly at: "closed"; readonly reason: CloseReason };

export type CloseReason =
  | "closedByPeer"
  | "closedByUs"
  | "alertFromPeer"
  | "noReply"
  | "wrongKey"
  | "wrongFinished"
  | "noCommonSuite"
  | "noCommonVersion"
  | "noCommonCompression"
  | "resumptionWithoutExtendedMasterSecret"
  | "malformedMessage"
  | "unexpectedMessage";

/** Random bytes and stored facts for the answer to a hello. */
export type HelloFacts = {
  /** 32 bytes. */
  readonly random: Uint8Array;
  /** For a new session; empty: it cannot be resumed. */
  readonly newSessionId: Uint8Array;
  /** Given out if the client can use one. */
  readonly newConnectionId: Uint8Array | undefined;
  /** The session whose id is in the hello, if it is known. */
  readonly resumable: ResumableSession | undefined;
};

export type HandshakeEvent =
  /** With the right cookie, and in one piece. */
  | { type: "hello"; message: HandshakeMessage; facts: HelloFacts; settings: HandshakeSettings }
  /** In sequence. Of epoch 1 only if it was sealed with the session's keys. */
  | { type: "message"; message: HandshakeMessage; epoch: number }
  /** For an identity that nobody knows: random bytes, so that the handshake fails no sooner and no other way. */
  | { type: "pskFound"; psk: Uint8Array }
  /** A message came again that was already taken. */
  | { type: "repeated"; epoch: number }
  /** A record of epoch 1 did not open. */
  | { type: "unreadable" }
  /** `step` threw for the last message, which will not come another way. */
  | { type: "malformed" }
  | { type: "noReply"; maxAttempts: number }
  | { type: "alert"; alert: Alert; epoch: number }
  | { type: "close" };

export type HandshakeEffect =
  | { type: "send"; flight: Flight }
  | { type: "sendAlert"; alert: Alert; epoch: 0 | 1 }
  /** The wait doubles with each attempt, which counts from 1 (RFC 6347 §4.2.4.1). */
  | { type: "startTimer"; attempt: number }
  | { type: "stopTimer" }
  /** Answer with `pskFound` before the next event, or that is lost and the client has to send it again. */
  | { type: "lookUpPsk"; identity: Uint8Array }
  /** Records of epoch 1 can be sealed and opened from here on; proven is nothing yet. */
  | { type: "useKeys"; session: DtlsSession }
  | { type: "opened"; session: DtlsSession; resumed: boolean }
  /** For the trace, once: the client's key is not ours, or the identity was unknown. The client hears nothing. */
  | { type: "keyDoubted" }
  | { type: "closed"; reason: CloseReason };
export type HandshakeStep = { next: ServerHandshake; effects: readonly HandshakeEffect[] };
