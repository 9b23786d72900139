/** A binary heap: `top` is the entry that no other one comes before. */
export interface Heap<T> {
  readonly top: T | undefined;
  readonly size: number;
  push(entry: T): void;
  pop(): T | undefined;
  /** The top has changed in place: put it where it belongs now. */
  settleTop(): void;
}

export function heap<T>(isBefore: (a: T, b: T) => boolean): Heap<T> {
  const entries: T[] = [];

  function sink(): void {
    for (let index = 0; ; ) {
      let first = index;
      for (const child of [2 * index + 1, 2 * index + 2])
        if (child < entries.length && isBefore(entries[child] as T, entries[first] as T)) first = child;
      if (first === index) return;
      swap(index, first);
      index = first;
    }
  }
  function rise(from: number): void {
    for (let index = from; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entries[index] as T, entries[parent] as T)) return;
      swap(index, parent);
      index = parent;
    }
  }
  function swap(a: number, b: number): void {
    const entry = entries[a] as T;
    entries[a] = entries[b] as T;
    entries[b] = entry;
  }

  return {
    get top() {
      return entries[0];
    },
    get size() {
      return entries.length;
    },
    push(entry) {
      rise(entries.push(entry) - 1);
    },
    pop() {
      const top = entries[0];
      const last = entries.pop();
      if (entries.length > 0) {
        entries[0] = last as T;
        sink();
      }
      return top;
    },
    settleTop: sink,
  };
}
