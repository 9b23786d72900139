/** Bytes that an entry counts beside its body. */
const OVERHEAD = 512;

type Entry<S> = {
  readonly resource: string;
  readonly endpoint: Kept<S>;
  state: S;
  bytes: number;
  lastMs: number;
  pool: Pool<S>;
};
type Kept<S> = { key: string; readonly entries: Map<string, Entry<S>> };
/** In the order of their last use. */
type Pool<S> = { readonly entries: Set<Entry<S>>; readonly maxBytes: number; bytes: number };

export type TransferLimits = {
  readonly perPeer: number;
  readonly knownBytes: number;
  readonly strangerBytes: number;
  readonly idleMs: number;
};

/**
 * Halves of block transfers, by peer and resource. Bounded in bytes, strangers apart from known peers, and per peer in
 * number; the one that was idle longest makes room. Somebody who floods it ends transfers of his own kind, no others.
 */
export class TransferStore<S> {
  readonly #limits: TransferLimits;
  readonly #peers = new Map<string, Kept<S>>();
  readonly #known: Pool<S>;
  readonly #strangers: Pool<S>;

  constructor(limits: TransferLimits) {
    this.#limits = limits;
    this.#known = { entries: new Set(), maxBytes: limits.knownBytes, bytes: 0 };
    this.#strangers = { entries: new Set(), maxBytes: limits.strangerBytes, bytes: 0 };
  }

  get count(): number {
    return this.#known.entries.size + this.#strangers.entries.size;
  }

  get bytes(): number {
    return this.#known.bytes + this.#strangers.bytes;
  }

  get(peerKey: string, resource: string, nowMs: number): S | undefined {
    const entry = this.#peers.get(peerKey)?.entries.get(resource);
    if (!entry || nowMs - entry.lastMs <= this.#limits.idleMs) return entry?.state;
    this.#remove(entry);
    return undefined;
  }

  /** `addedBytes` more than before. */
  put(peerKey: string, resource: string, state: S, addedBytes: number, isKnown: boolean, nowMs: number): void {
    const endpoint = this.#peers.get(peerKey) ?? { key: peerKey, entries: new Map<string, Entry<S>>() };
    this.#peers.set(peerKey, endpoint);
    const pool = isKnown ? this.#known : this.#strangers;
    let entry = endpoint.entries.get(resource);
    if (entry) {
      this.#leavePool(entry);
      entry.pool = pool;
      entry.state = state;
      entry.lastMs = nowMs;
      entry.bytes += addedBytes;
    } else {
      entry = { resource, endpoint, state, bytes: OVERHEAD + addedBytes, lastMs: nowMs, pool };
      endpoint.entries.set(resource, entry);
    }
    pool.entries.add(entry);
    pool.bytes += entry.bytes;
    if (endpoint.entries.size > this.#limits.perPeer) this.#remove(oldest(endpoint.entries.values()));
    while (pool.bytes > pool.maxBytes && pool.entries.size > 1) this.#remove(oldestOf(pool.entries));
  }

  delete(peerKey: string, resource: string): void {
    const entry = this.#peers.get(peerKey)?.entries.get(resource);
    if (entry) this.#remove(entry);
  }

  move(fromKey: string, toKey: string): void {
    const from = this.#peers.get(fromKey);
    if (!from || fromKey === toKey) return;
    this.drop(toKey);
    this.#peers.delete(fromKey);
    from.key = toKey;
    this.#peers.set(toKey, from);
  }

  drop(peerKey: string): void {
    for (const entry of [...(this.#peers.get(peerKey)?.entries.values() ?? [])]) this.#remove(entry);
  }

  /** Forgets what was idle for too long. */
  expire(nowMs: number): void {
    for (const { entries } of [this.#known, this.#strangers]) {
      for (const entry of entries) {
        if (nowMs - entry.lastMs <= this.#limits.idleMs) break;
        this.#remove(entry);
      }
    }
  }

  clear(): void {
    for (const key of [...this.#peers.keys()]) this.drop(key);
  }

  #remove(entry: Entry<S>): void {
    this.#leavePool(entry);
    entry.endpoint.entries.delete(entry.resource);
    if (entry.endpoint.entries.size === 0) this.#peers.delete(entry.endpoint.key);
  }

  #leavePool(entry: Entry<S>): void {
    entry.pool.entries.delete(entry);
    entry.pool.bytes -= entry.bytes;
  }
}

function oldest<S>(entries: Iterable<Entry<S>>): Entry<S> {
  let found: Entry<S> | undefined;
  for (const entry of entries) if (!found || entry.lastMs < found.lastMs) found = entry;
  return found as Entry<S>; // called with more than one
}
const oldestOf = <S>(entries: Set<Entry<S>>): Entry<S> => entries.values().next().value as Entry<S>;
