import type { EnclosedRow } from "../../platform/storage/storage-writer";
import type { Peer } from "../datagram/peer";
import type { Session } from "./session";
import { windowMoved } from "./session-repository";

export type PeerSessions = {
  /** From disk if it has left memory; undefined when it is gone. */
  ofNo(no: number): Session | undefined;
  send(session: Session, datagram: Uint8Array): void;
};

/**
 * A device behind its session, for the layers above: what they hold while the session itself may be on disk only. It is
 * one object for as long as anybody holds it.
 */
export class SessionPeer implements Peer {
  readonly key: string;
  readonly deviceNo: number;
  readonly sessionNo: number;
  readonly #sessions: PeerSessions;
  #session: Session | undefined;
  #address: string;
  #port: number;

  constructor(sessions: PeerSessions, sessionNo: number, deviceNo: number, address: string, port: number) {
    this.#sessions = sessions;
    this.sessionNo = sessionNo;
    this.deviceNo = deviceNo;
    this.key = `dtls:${sessionNo}`;
    this.#address = address;
    this.#port = port;
  }

  get address(): string {
    return this.#session?.address ?? this.#address;
  }
  get port(): number {
    return this.#session?.port ?? this.#port;
  }

  send(datagram: Uint8Array): void {
    const session = this.#session ?? this.#sessions.ofNo(this.sessionNo);
    if (session?.isOpen) this.#sessions.send(session, datagram);
  }

  enclose(): EnclosedRow | undefined {
    const session = this.#session;
    if (!session?.isOpen) return undefined;
    const top = session.connection.newestSequence;
    session.enclosedTop = Math.max(session.enclosedTop, top);
    return windowMoved(this.deviceNo, this.sessionNo, { top, late: top <= session.storedTop });
  }

  attach(session: Session): void {
    this.#session = session;
  }

  /** The session leaves memory, or is over. */
  detach(): void {
    this.#address = this.address;
    this.#port = this.port;
    this.#session = undefined;
  }
}
