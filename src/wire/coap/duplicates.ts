/**
 * Which messages were seen before (RFC 7252 §4.5), in memory that is taken once and never grows.
 *
 * The trap: a message id is to be remembered for EXCHANGE_LIFETIME, 247 s. At 50,000 messages a second that is more
 * than 12 million entries, and whoever can send datagrams with invented addresses decides how many there are. So this
 * memory has two bounds, age and number, and what comes first makes it forget.
 *
 * Two generations. New messages go into the young one; when it is `lifetimeMs` old or full it becomes the old one, and
 * the old one is emptied for use as the next young one. A message is remembered for `lifetimeMs`, unless more than
 * `entriesPerGeneration` others came after it; no longer, because then its sender may use the id again. What a flood
 * takes away is time: 262,144 entries are 247 s at 1,000 messages a second, and 5 s at 50,000, which still covers the
 * first retransmission (2 to 3 s). A device that is known should not pay for strangers: give known peers (a DTLS session,
 * a registered address) a memory of their own.
 *
 * Bytes: 2 generations x (40 x entries rounded up to a power of two + `replyBytesPerGeneration`), 28 MiB by default.
 * An entry is a keyed 63-bit fingerprint of endpoint and message id. It is no MAC: two messages of honest peers are
 * taken for one with a chance of 1 in 10^13 in a full memory.
 */
export type DuplicateMemorySettings = {
  readonly lifetimeMs: number;
  readonly entriesPerGeneration: number;
  readonly replyBytesPerGeneration: number;
  /** A longer reply is not kept: its duplicate is "seen". */
  readonly maxReplyBytes: number;
};
export const DEFAULT_DUPLICATE_MEMORY: DuplicateMemorySettings = {
  lifetimeMs: 247_000,
  entriesPerGeneration: 262_144,
  replyBytesPerGeneration: 4 * 1024 * 1024,
  maxReplyBytes: 128,
};

/**
 * "new": handle it. "seen": do not handle it again; there is no reply yet, or it was not kept. Bytes: the reply to send
 * again, a view that is good until the next call.
 */
export type Admission = "new" | "seen" | Uint8Array;

/** Times of entries are kept in this unit, so that 32 bits last for years. */
const TICK_MS = 100;

export class DuplicateMemory {
  readonly #settings: DuplicateMemorySettings;
  readonly #seedOne: number;
  readonly #seedTwo: number;
  #young: Generation;
  #old: Generation;
  readonly #bornMs: number;
  #youngSinceMs: number;
  #fingerprintOne = 0;
  #fingerprintTwo = 0;
  #evictedEarly = 0;

  /** The seeds are 32 random bits each, secret, so that nobody can aim at a fingerprint. */
  constructor(settings: DuplicateMemorySettings, seeds: readonly [number, number], nowMs: number) {
    this.#settings = settings;
    [this.#seedOne, this.#seedTwo] = seeds;
    this.#young = new Generation(settings.entriesPerGeneration, settings.replyBytesPerGeneration);
    this.#old = new Generation(settings.entriesPerGeneration, settings.replyBytesPerGeneration);
    this.#bornMs = nowMs;
    this.#youngSinceMs = nowMs;
  }

  /** Entries that are held now; at most twice `entriesPerGeneration`. */
  get size(): number {
    return this.#young.count + this.#old.count;
  }

  /** Entries forgotten before their time because of the number of messages: a sign of a flood. */
  get evictedEarly(): number {
    return this.#evictedEarly;
  }

  /** What this memory takes, from its start to its end. */
  get bytes(): number {
    return this.#young.bytes + this.#old.bytes;
  }

  /** `endpoint` is any text that names the peer; a session's name rather than its address where there is one. */
  admit(endpoint: string, messageId: number, nowMs: number): Admission {
    this.#age(nowMs);
    this.#setFingerprint(endpoint, messageId);
    let slot = this.#young.find(this.#fingerprintOne, this.#fingerprintTwo);
    if (slot >= 0) return this.#young.reply(slot);
    slot = this.#old.find(this.#fingerprintOne, this.#fingerprintTwo);
    const tick = this.#tickOf(nowMs);
    if (slot >= 0 && this.#isAlive(slot, tick)) return this.#old.reply(slot);
    if (this.#young.count >= this.#settings.entriesPerGeneration) {
      this.#evictedEarly += this.#old.count;
      this.#rotate(nowMs);
    }
    this.#young.add(this.#fingerprintOne, this.#fingerprintTwo, tick);
    return "new";
  }

  /** What `admit` would say, without remembering anything. */
  find(endpoint: string, messageId: number, nowMs: number): Admission {
    this.#age(nowMs);
    this.#setFingerprint(endpoint, messageId);
    let slot = this.#young.find(this.#fingerprintOne, this.#fingerprintTwo);
    if (slot >= 0) return this.#young.reply(slot);
    slot = this.#old.find(this.#fingerprintOne, this.#fingerprintTwo);
    return slot >= 0 && this.#isAlive(slot, this.#tickOf(nowMs)) ? this.#old.reply(slot) : "new";
  }

  /** The message was not handled after all: when it comes again it is new. */
  forget(endpoint: string, messageId: number): void {
    this.#setFingerprint(endpoint, messageId);
    this.#young.remove(this.#fingerprintOne, this.#fingerprintTwo);
    this.#old.remove(this.#fingerprintOne, this.#fingerprintTwo);
  }

  /** Keeps what was answered, as a copy. False if the message is forgotten, or there is no room for the reply. */
  remember(endpoint: string, messageId: number, reply: Uint8Array): boolean {
    if (reply.length > this.#settings.maxReplyBytes) return false;
    this.#setFingerprint(endpoint, messageId);
    let slot = this.#young.find(this.#fingerprintOne, this.#fingerprintTwo);
    if (slot >= 0) return this.#young.setReply(slot, reply);
    slot = this.#old.find(this.#fingerprintOne, this.#fingerprintTwo);
    return slot >= 0 && this.#old.setReply(slot, reply);
  }

  #tickOf(nowMs: number): number {
    return Math.max(0, Math.ceil((nowMs - this.#bornMs) / TICK_MS));
  }

  /** Of the old generation; what is in the young one always is. */
  #isAlive(slot: number, tick: number): boolean {
    return (tick - this.#old.tick(slot)) * TICK_MS < this.#settings.lifetimeMs;
  }

  #age(nowMs: number): void {
    const { lifetimeMs } = this.#settings;
    const age = nowMs - this.#youngSinceMs;
    if (age < lifetimeMs) return;
    this.#rotate(nowMs);
    if (age >= 2 * lifetimeMs) this.#rotate(nowMs); // nothing came for so long that both are over
  }

  #rotate(nowMs: number): void {
    const emptied = this.#old;
    emptied.clear();
    this.#old = this.#young;
    this.#young = emptied;
    this.#youngSinceMs = nowMs;
  }

  /** Two independent lanes over the text and the id, kept in fields so that no call makes an object. */
  #setFingerprint(endpoint: string, messageId: number): void {
    let one = this.#seedOne ^ messageId;
    let two = this.#seedTwo ^ Math.imul(messageId, 0x9e3779b1);
    for (let at = 0; at < endpoint.length; at++) {
      const unit = endpoint.charCodeAt(at);
      one = Math.imul(one ^ unit, 0x85ebca6b);
      one ^= one >>> 13;
      two = Math.imul(two ^ unit, 0xc2b2ae35);
      two ^= two >>> 15;
    }
    one = Math.imul(one ^ (one >>> 16), 0x27d4eb2f);
    two = Math.imul(two ^ (two >>> 16), 0x165667b1);
    this.#fingerprintOne = one ^ (one >>> 15);
    this.#fingerprintTwo = (two ^ (two >>> 13)) | 1; // never 0, which marks a free slot
  }
}

/** A slot whose message was forgotten: no fingerprint, which is odd, and not free either, or searches would end at it. */
const REMOVED = 2;

/** One open-addressing table with its replies. Never fuller than half, so a search stays short. */
class Generation {
  readonly #mask: number;
  readonly #one: Int32Array;
  readonly #two: Int32Array;
  readonly #tick: Uint32Array;
  readonly #replyStart: Uint32Array;
  readonly #replyLength: Uint32Array;
  readonly #replies: Uint8Array;
  #repliesEnd = 0;
  count = 0;

  constructor(entries: number, replyBytes: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(entries, 1) * 2));
    this.#mask = slots - 1;
    this.#one = new Int32Array(slots);
    this.#two = new Int32Array(slots);
    this.#tick = new Uint32Array(slots);
    this.#replyStart = new Uint32Array(slots);
    this.#replyLength = new Uint32Array(slots);
    this.#replies = new Uint8Array(replyBytes);
  }

  get bytes(): number {
    return (this.#mask + 1) * 20 + this.#replies.length;
  }

  /** The slot, or -1. */
  find(one: number, two: number): number {
    for (let slot = one & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const here = this.#two[slot];
      if (here === 0) return -1;
      if (here === two && this.#one[slot] === one) return slot;
    }
  }

  add(one: number, two: number, tick: number): void {
    let slot = one & this.#mask;
    while (this.#two[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#one[slot] = one;
    this.#two[slot] = two;
    this.#tick[slot] = tick;
    this.#replyLength[slot] = 0;
    this.count++;
  }

  /** The slot stays used up until the table is emptied, so that `count` bounds how full it is. */
  remove(one: number, two: number): void {
    const slot = this.find(one, two);
    if (slot >= 0) this.#two[slot] = REMOVED;
  }

  tick(slot: number): number {
    return this.#tick[slot] as number;
  }

  reply(slot: number): Admission {
    const length = this.#replyLength[slot] as number;
    if (length === 0) return "seen";
    const start = this.#replyStart[slot] as number;
    return this.#replies.subarray(start, start + length);
  }

  setReply(slot: number, reply: Uint8Array): boolean {
    const start = this.#repliesEnd;
    if (start + reply.length > this.#replies.length) return false;
    this.#replies.set(reply, start);
    this.#replyStart[slot] = start;
    this.#replyLength[slot] = reply.length;
    this.#repliesEnd += reply.length;
    return true;
  }

  clear(): void {
    this.#two.fill(0);
    this.#repliesEnd = 0;
    this.count = 0;
  }
}
