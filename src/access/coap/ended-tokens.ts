import type { Peer } from "../datagram/peer";

/**
 * Tokens of requests that ended before their response came. When it still comes, it is acknowledged and dropped: an RST
 * would tell the device that we know nothing of it (RFC 7252 §5.3.2 leaves it open, sleeping devices take it badly).
 */
export class EndedTokens {
  readonly #max: number;
  readonly #lifetimeMs: number;
  readonly #until = new Map<string, number>();

  constructor(max: number, lifetimeMs: number) {
    this.#max = max;
    this.#lifetimeMs = lifetimeMs;
  }

  add(peer: Peer, token: Uint8Array, nowMs: number): void {
    this.#until.set(keyOf(peer, token), nowMs + this.#lifetimeMs);
    for (const [key, untilMs] of this.#until) {
      if (this.#until.size <= this.#max && untilMs > nowMs) break;
      this.#until.delete(key);
    }
  }

  has(peer: Peer, token: Uint8Array, nowMs: number): boolean {
    return (this.#until.get(keyOf(peer, token)) ?? 0) > nowMs;
  }

  get size(): number {
    return this.#until.size;
  }
}

const keyOf = (peer: Peer, token: Uint8Array) => `${token.toHex()} ${peer.key}`;
