export interface BoundedMemory<K, T> {
  get(key: K): T | undefined;
  set(key: K, value: T): void;
  delete(key: K): void;
  readonly size: number;
}

/**
 * Something that is remembered per key, with a bound: of two generations with `perGeneration` entries the older one goes
 * when the younger is full. What is asked for stays, so it is forgotten only after as many others were used since.
 */
export function boundedMemory<K, T>(perGeneration: number): BoundedMemory<K, T> {
  let younger = new Map<K, T>();
  let older = new Map<K, T>();
  function set(key: K, value: T): void {
    if (younger.size >= perGeneration && !younger.has(key)) {
      older = younger;
      younger = new Map();
    }
    younger.set(key, value);
  }
  return {
    get(key) {
      const value = younger.get(key);
      if (value !== undefined) return value;
      const old = older.get(key);
      if (old === undefined) return undefined;
      older.delete(key);
      set(key, old);
      return old;
    },
    set(key, value) {
      older.delete(key);
      set(key, value);
    },
    delete(key) {
      younger.delete(key);
      older.delete(key);
    },
    get size() {
      return younger.size + older.size;
    },
  };
}
