import { DATAGRAM_DEFAULTS, type DatagramSettings } from "../datagram/datagram-socket";

/** Limits and times of the DTLS port. Times in milliseconds. */
export type DtlsSettings = DatagramSettings & {
  /** Clients that have shown a cookie and not yet finished; when there are more, the one that waits longest is given up. */
  readonly maxHandshakes: number;
  /** Handshakes begun per remote address: steady rate, and how many may come at once. */
  readonly handshakesPerSecondPerAddress: number;
  readonly handshakeBurstPerAddress: number;
  /** First wait for the client's next flight; doubled with each repetition (RFC 6347 §4.2.4.1). */
  readonly flightTimeoutMs: number;
  readonly maxFlightTimeoutMs: number;
  /** How often a flight is sent in all. */
  readonly maxFlightAttempts: number;
  /** A cookie is good for at least this long, and at most twice as long. */
  readonly cookieLifetimeMs: number;
  /** Handshake flights are cut to datagrams of this size. */
  readonly maxHandshakeDatagramBytes: number;
  readonly maxIdentityBytes: number;
  /** Wrong keys for one identity from one address before its guesses are wrong whatever they are; the time doubles. */
  readonly loginFailuresAllowed: number;
  readonly loginDelayMs: number;
  readonly maxLoginDelayMs: number;
  /** Sessions held in memory; the others are on disk only. */
  readonly maxSessionsInMemory: number;
  /** Silence after which a session gives up its cipher objects, and then its place in memory. */
  readonly restAfterMs: number;
  readonly dropAfterMs: number;
  /** How often that is looked at. */
  readonly sweepMs: number;
  /** What is not enclosed in somebody's transaction (a window, the time of use) waits this long for its own. */
  readonly flushMs: number;
  /** Sessions written in one transaction. */
  readonly writeBatch: number;
  /** The time of last use is written again when it has moved by so much. */
  readonly usedStepMs: number;
  /** A session that was not used for so long is forgotten. */
  readonly sessionExpiryMs: number;
  readonly expirySweepMs: number;
};

export const DTLS_DEFAULTS: DtlsSettings = {
  ...DATAGRAM_DEFAULTS,
  maxHandshakes: 5_000,
  handshakesPerSecondPerAddress: 2_000,
  handshakeBurstPerAddress: 20_000,
  flightTimeoutMs: 1_000,
  maxFlightTimeoutMs: 60_000,
  maxFlightAttempts: 6,
  cookieLifetimeMs: 60_000,
  maxHandshakeDatagramBytes: 1_200,
  maxIdentityBytes: 128,
  loginFailuresAllowed: 10,
  loginDelayMs: 500,
  maxLoginDelayMs: 60_000,
  maxSessionsInMemory: 20_000,
  restAfterMs: 10_000,
  dropAfterMs: 300_000,
  sweepMs: 5_000,
  flushMs: 1_000,
  writeBatch: 500,
  usedStepMs: 3_600_000,
  sessionExpiryMs: 30 * 86_400_000,
  expirySweepMs: 600_000,
};
