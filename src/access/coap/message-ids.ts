import { DuplicateMemory, type DuplicateMemorySettings, equalBytes } from "../../wire/coap";

/** So that an id is not due again in the very moment in which it may be. */
const SLOWER = 1.02;

/**
 * Message ids of ours. None may be used twice towards one peer within EXCHANGE_LIFETIME (RFC 7252 §4.4), or the peer
 * takes the new message for the old one: a command would count as delivered and never have been seen. Instead of a
 * counter per peer, which costs memory for everybody we ever spoke to, one memory of fixed size says which were used.
 *
 * It says nothing of an earlier process, whose messages the peers still remember. So ids follow the wall clock: all of
 * them come by in a little more than that lifetime, and a process goes on where the one before has stopped, as long as
 * no more are given out than the clock has (265 a second). Where a peer is on that way, the seed says; it outlives the
 * process too.
 */
export class MessageIds {
  readonly #used: DuplicateMemory;
  readonly #seed: number;
  readonly #wallMs: () => number;
  readonly #tickMs: number;
  #position = 0;
  #reused = 0;

  /** `seeds`: three times 32 random bits, the last ones the same for every process on the same data. */
  constructor(
    settings: DuplicateMemorySettings,
    [one, two, three]: readonly [number, number, number],
    nowMs: number,
    wallMs: () => number,
  ) {
    this.#used = new DuplicateMemory(settings, [one, two], nowMs);
    this.#seed = three;
    this.#wallMs = wallMs;
    this.#tickMs = (settings.lifetimeMs * SLOWER) / 0x1_0000;
  }

  /** Ids that had to be used again too early, because a peer was sent more than 65,536 messages in that time. */
  get reused(): number {
    return this.#reused;
  }

  /** One that rises for each peer; where it starts, other peers cannot know. */
  next(endpoint: string, token: Uint8Array, nowMs: number): number {
    const start = this.#startOf(endpoint);
    this.#position = Math.max(this.#position, Math.floor(this.#wallMs() / this.#tickMs));
    let messageId = 0;
    for (let tries = 0; tries < 64; tries++) {
      messageId = (start + this.#position++) & 0xffff;
      if (this.#used.admit(endpoint, messageId, nowMs) !== "new") continue;
      this.#used.remember(endpoint, messageId, token);
      return messageId;
    }
    this.#reused++;
    return messageId;
  }

  /**
   * Takes an id that was chosen before, by us or by an earlier process, for one more transmission. False while another
   * message (with another token) uses it.
   */
  claim(endpoint: string, messageId: number, token: Uint8Array, nowMs: number): boolean {
    const user = this.#used.find(endpoint, messageId, nowMs);
    const isOurs = user instanceof Uint8Array ? equalBytes(user, token) : user === "new" || token.length === 0;
    if (!isOurs) return false;
    this.#used.forget(endpoint, messageId); // its time begins again
    this.#used.admit(endpoint, messageId, nowMs);
    this.#used.remember(endpoint, messageId, token);
    return true;
  }

  #startOf(endpoint: string): number {
    let hash = this.#seed;
    for (let at = 0; at < endpoint.length; at++) hash = Math.imul(hash ^ endpoint.charCodeAt(at), 0x01000193);
    return hash ^ (hash >>> 16);
  }
}
