import { type Admission, DuplicateMemory, type DuplicateMemorySettings } from "../../wire/coap";
import type { Peer } from "../datagram/peer";

/**
 * Which messages were seen before, in two memories: a flood from invented addresses takes time away from strangers
 * only. Known is a peer with a session, and one that was vouched for.
 */
export class SeenMessages {
  readonly #known: DuplicateMemory;
  readonly #strangers: DuplicateMemory;
  /** By object: nothing to clean up, it goes with the peer. */
  readonly #vouched = new WeakSet<Peer>();

  constructor(
    known: DuplicateMemorySettings,
    strangers: DuplicateMemorySettings,
    seeds: readonly [number, number],
    nowMs: number,
  ) {
    this.#known = new DuplicateMemory(known, seeds, nowMs);
    this.#strangers = new DuplicateMemory(strangers, seeds, nowMs);
  }

  get memories() {
    return { known: this.#known, strangers: this.#strangers };
  }

  vouch(peer: Peer): void {
    this.#vouched.add(peer);
  }

  isKnown(peer: Peer): boolean {
    return peer.deviceNo !== undefined || this.#vouched.has(peer);
  }

  admit(peer: Peer, messageId: number, nowMs: number): Admission {
    if (peer.deviceNo !== undefined) return this.#known.admit(peer.key, messageId, nowMs);
    // The message that made a stranger known may come again: it lies in the other memory.
    const isKnown = this.#vouched.has(peer);
    const before = (isKnown ? this.#strangers : this.#known).find(peer.key, messageId, nowMs);
    if (before !== "new") return before;
    return (isKnown ? this.#known : this.#strangers).admit(peer.key, messageId, nowMs);
  }

  /** What `admit` would say, without remembering anything. */
  find(peer: Peer, messageId: number, nowMs: number): Admission {
    const before = this.#known.find(peer.key, messageId, nowMs);
    return before === "new" ? this.#strangers.find(peer.key, messageId, nowMs) : before;
  }

  /** False if the reply could not be kept. */
  remember(peer: Peer, messageId: number, reply: Uint8Array): boolean {
    return this.isKnown(peer)
      ? this.#known.remember(peer.key, messageId, reply) || this.#strangers.remember(peer.key, messageId, reply)
      : this.#strangers.remember(peer.key, messageId, reply) || this.#known.remember(peer.key, messageId, reply);
  }

  forget(peer: Peer, messageId: number): void {
    this.#known.forget(peer.key, messageId);
    this.#strangers.forget(peer.key, messageId);
  }
}
