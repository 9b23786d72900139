import type { Clock } from "../../platform/clock";

const TICK_MS = 1_000;
/** `dueTick` of somebody who waits for nothing. */
export const NEVER = -1;

/** Where a connection stands among the deadlines; lives inside the connection, so that waiting costs no memory of its own. */
export interface Timed {
  dueTick: number;
  dueIndex: number;
}

/**
 * Deadlines of many connections with one timer: each lies in the bucket of its second and is looked at when that second
 * has passed, never before. A connection whose deadline has moved meanwhile is put back by whoever is told.
 */
export class Deadlines<T extends Timed> {
  /** Whole seconds since the start; a packet notes it instead of asking the clock. */
  tick = 0;
  readonly #buckets = new Map<number, T[]>();
  readonly #expired: (item: T) => void;
  readonly #passed: () => void;
  readonly #clock: Clock;
  readonly #startedAt: number;
  #cancel: () => void;

  /** `passed` is called once for every sweep. */
  constructor(clock: Clock, expired: (item: T) => void, passed: () => void = () => {}) {
    this.#clock = clock;
    this.#expired = expired;
    this.#passed = passed;
    this.#startedAt = clock.monotonic();
    this.#cancel = clock.after(TICK_MS, () => this.#sweep());
  }

  /** `expired` is told when at least `ms` have passed; replaces an earlier deadline of the item. */
  set(item: T, ms: number): void {
    this.clear(item);
    // The current second has partly passed: one more, so that nobody is cut off early.
    const due = this.#now() + Math.ceil(ms / TICK_MS) + 1;
    const bucket = this.#buckets.get(due) ?? [];
    if (bucket.length === 0) this.#buckets.set(due, bucket);
    item.dueTick = due;
    item.dueIndex = bucket.length;
    bucket.push(item);
  }

  clear(item: T): void {
    if (item.dueTick === NEVER) return;
    const bucket = this.#buckets.get(item.dueTick);
    if (bucket) {
      const last = bucket.pop() as T;
      if (last !== item) {
        bucket[item.dueIndex] = last;
        last.dueIndex = item.dueIndex;
      }
      if (bucket.length === 0) this.#buckets.delete(item.dueTick);
    }
    item.dueTick = NEVER;
  }

  stop(): void {
    this.#cancel();
    this.#buckets.clear();
  }

  #now(): number {
    return Math.floor((this.#clock.monotonic() - this.#startedAt) / TICK_MS);
  }

  #sweep(): void {
    this.#cancel = this.#clock.after(TICK_MS, () => this.#sweep());
    const now = this.#now();
    while (this.tick < now) {
      this.tick++;
      const bucket = this.#buckets.get(this.tick);
      if (!bucket) continue;
      this.#buckets.delete(this.tick);
      for (const item of bucket) item.dueTick = NEVER; // before the first is told: it may end another of them
      for (const item of bucket) if (item.dueTick === NEVER) this.#expired(item);
    }
    this.#passed();
  }
}
