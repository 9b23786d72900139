import type { Peer } from "../datagram/peer";
import type { SentMessage } from "./sent-message";

/** Something that is open towards a peer. `state` is replaced when the peer moves. */
export interface Open {
  state: OpenPeer;
  /** Ends it without a word to the peer. */
  cancel(): void;
}

/** Something that waits for its turn (NSTART). */
export interface Turn {
  start(): void;
}

/** What is open towards one peer. Exists only while something is. */
export class OpenPeer {
  peer: Peer;
  readonly open = new Set<Open>();
  /** Messages of ours that something may still come back for. */
  readonly messages: SentMessage[] = [];
  readonly waiting: (Turn & Open)[] = [];
  /** Turns taken now. */
  busy = 0;
  /** Requests of the peer that the layer above is working on. */
  answering = 0;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  /** A token is compared byte by byte: a look-up by text would cost a text per datagram. */
  findByToken(bytes: Uint8Array, start: number, end: number): SentMessage | undefined {
    for (const message of this.messages)
      if (message.wantsResponse && message.hasToken(bytes, start, end)) return message;
    return undefined;
  }

  findById(messageId: number): SentMessage | undefined {
    for (const message of this.messages) if (message.messageId === messageId) return message;
    return undefined;
  }
}

/** All peers with something open, and who may send now. */
export class OpenPeers {
  readonly #states = new Map<string, OpenPeer>();
  readonly #nstart: number;
  /** Of all peers. */
  openCount = 0;
  waitingCount = 0;

  constructor(nstart: number) {
    this.#nstart = Math.max(1, nstart);
  }

  get count(): number {
    return this.#states.size;
  }

  find(peer: Peer): OpenPeer | undefined {
    const state = this.#states.get(peer.key);
    if (state) state.peer = peer; // the same way, perhaps behind a new object
    return state;
  }

  get(peer: Peer): OpenPeer {
    let state = this.find(peer);
    if (!state) {
      state = new OpenPeer(peer);
      this.#states.set(peer.key, state);
    }
    return state;
  }

  add(open: Open): void {
    open.state.open.add(open);
    this.openCount++;
  }

  remove(open: Open): void {
    const { state } = open;
    if (!state.open.delete(open)) return;
    this.openCount--;
    if (state.open.size === 0) this.#states.delete(state.peer.key);
  }

  /** `first`: goes on with what was begun, before anything new. */
  enqueue(turn: Turn & Open, first = false): void {
    const { waiting } = turn.state;
    if (first) waiting.unshift(turn);
    else waiting.push(turn);
    this.waitingCount++;
    this.#next(turn.state);
  }

  /** Takes back what waits; true if it did. */
  dequeue(turn: Turn & Open): boolean {
    const at = turn.state.waiting.indexOf(turn);
    if (at < 0) return false;
    turn.state.waiting.splice(at, 1);
    this.waitingCount--;
    return true;
  }

  /** The turn of something is over. */
  release(state: OpenPeer): void {
    state.busy--;
    this.#next(state);
  }

  #next(state: OpenPeer): void {
    while (state.busy < this.#nstart) {
      const turn = state.waiting.shift();
      if (!turn) return;
      this.waitingCount--;
      state.busy++;
      turn.start();
    }
  }

  /** Everything of `from` is `to`'s from now on. Returns what was moved. */
  move(from: Peer, to: Peer): OpenPeer | undefined {
    const state = this.#states.get(from.key);
    if (!state) return undefined;
    if (from.key === to.key) {
      state.peer = to;
      return undefined;
    }
    this.#states.delete(from.key);
    const target = this.#states.get(to.key);
    if (!target) {
      state.peer = to;
      this.#states.set(to.key, state);
      return state;
    }
    target.peer = to;
    for (const open of state.open) {
      open.state = target;
      target.open.add(open);
    }
    for (const message of state.messages) message.state = target;
    target.messages.push(...state.messages);
    target.waiting.push(...state.waiting);
    target.busy += state.busy;
    target.answering += state.answering;
    this.#next(target);
    return target;
  }

  cancelAll(peer: Peer): void {
    const state = this.#states.get(peer.key);
    if (state) this.#cancelAll(state);
  }

  stop(): void {
    for (const state of [...this.#states.values()]) this.#cancelAll(state);
  }

  #cancelAll(state: OpenPeer): void {
    // What waits must not get its turn by the end of what is before it.
    this.waitingCount -= state.waiting.length;
    state.waiting.length = 0;
    for (const open of [...state.open]) open.cancel();
  }
}
