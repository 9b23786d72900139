import type { EnclosedRow } from "../../platform/storage/storage-writer";

/**
 * One way to a client: a UDP address, or a DTLS session wherever its device is now. The same object for as long as the
 * peer is in use, so that layers above may key their own state by it.
 */
export interface Peer {
  /** Names it in duplicate memories and logs: `203.0.113.5:56830`, or a session's name, which outlives its address. */
  readonly key: string;
  /** The device whose key opened the session; undefined on the plain port, where nobody has proved anything. */
  readonly deviceNo: number | undefined;
  /** Where it is now, for people and for addresses that are stored. */
  readonly address: string;
  readonly port: number;
  /** Sends one datagram (sealed when the peer is a session). Never throws; what cannot be sent is lost, like any datagram. */
  send(datagram: Uint8Array): void;
  /**
   * A row that must be committed with whatever makes us acknowledge the datagram under way (the replay window of a
   * session), so that after a crash nothing acknowledged can be played again. Ask while the datagram is being handled.
   */
  enclose?(): EnclosedRow | undefined;
}
