import type { ReplayWindow, ServerConnection } from "../../wire/dtls";
import type { Route } from "./routes";
import type { SessionPeer } from "./session-peer";

/** What of a session is on disk, as far as it changes. */
export type Written = {
  readonly nextSequence: number;
  readonly window: ReplayWindow;
  readonly address: string;
  readonly port: number;
  readonly usedMs: number;
};

/** An open session while it is in memory. */
export class Session {
  readonly no: number;
  readonly deviceNo: number;
  readonly connection: ServerConnection;
  readonly peer: SessionPeer;
  readonly connectionId: Uint8Array | undefined;
  address: string;
  port: number;
  written: Written;
  /** Record numbers from here on are not ours to use: the next process would begin with them. */
  sequenceLimit: number;
  /** Highest record number that went into somebody else's transaction. */
  enclosedTop = -1;
  /** Top of the newest window that was, or is just being, written. */
  storedTop: number;
  /** Monotonic ms of the last authentic record, or the last one sent. */
  usedAt: number;
  usedMs: number;
  isResting = false;
  isOpen = true;

  constructor(init: {
    no: number;
    deviceNo: number;
    connection: ServerConnection;
    peer: SessionPeer;
    connectionId: Uint8Array | undefined;
    written: Written;
    sequenceLimit: number;
    usedAt: number;
  }) {
    this.no = init.no;
    this.deviceNo = init.deviceNo;
    this.connection = init.connection;
    this.peer = init.peer;
    this.connectionId = init.connectionId;
    this.address = init.written.address;
    this.port = init.written.port;
    this.written = init.written;
    this.storedTop = init.written.window.top;
    this.sequenceLimit = init.sequenceLimit;
    this.usedAt = init.usedAt;
    this.usedMs = init.written.usedMs;
  }

  get route(): Route {
    return { connectionId: this.connectionId, address: this.address, port: this.port };
  }

  /** All that has to be on disk before the session may leave memory is there. */
  get isWritten(): boolean {
    const { nextSequence, window, address, port } = this.written;
    const now = this.connection.snapshot();
    return (
      now === undefined ||
      (now.nextSequence === nextSequence &&
        isSame(now.window, window) &&
        this.address === address &&
        this.port === port)
    );
  }

  /** What should be on disk soon, also while it stays: a record was taken that no other transaction tells of. */
  isBehind(usedStepMs: number): boolean {
    const { newestSequence } = this.connection;
    const { window, address, port, usedMs } = this.written;
    return (
      (newestSequence > window.top && newestSequence > this.enclosedTop) ||
      this.address !== address ||
      this.port !== port ||
      this.usedMs - usedMs >= usedStepMs
    );
  }
}

const isSame = (a: ReplayWindow, b: ReplayWindow) => a.top === b.top && a.low === b.low && a.high === b.high;
