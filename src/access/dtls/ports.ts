import type { Peer } from "../datagram/peer";

/** What a device's key is, and whether it may be used; not to be logged. */
export type PskLogin = {
  readonly deviceNo: number;
  readonly pskHex: string;
  /** The device is known, but not let in: a short code for the trace. It fares like one that nobody knows. */
  readonly refusal?: string | undefined;
};
/** Must take as long for an identity that nobody knows (`pskLookUp`). */
export type LookUpPsk = (identity: string) => PskLogin | undefined;

/** Why a session is over, for the layers above. */
export type SessionEnd =
  /** The device has opened another one. */
  | "replaced"
  | "closed_by_device"
  /** An alert, or records that cannot be numbered any more. */
  | "failed"
  /** `closeSessions`, or a device that has another key now. */
  | "closed_by_us"
  | "expired";

export type DtlsReceivers = {
  /**
   * Application data of one record; good until this returns. `peer.enclose` gives the row that must be committed with
   * whatever acknowledges it.
   */
  receive(peer: Peer, plaintext: Uint8Array): void;
  /** A handshake ended well and is on disk; `resumed`: with the secrets of an earlier session. */
  opened?(peer: Peer, resumed: boolean): void;
  /** Not called at a stop, nor for sessions that leave memory: those go on. */
  ended?(peer: Peer, reason: SessionEnd): void;
};
