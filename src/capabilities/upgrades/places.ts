import { type PlaceLimits, placeOf, placesOf } from "./radio";

/** One that would like to download. Lower `no`: older. */
export type Waiting = { readonly no: number; readonly deviceNo: number; readonly priority: number };

/**
 * Who downloads in which cell and level, of all tasks, and who waits for that (ota.md 7). In memory; rebuilt from the
 * rows at start. `key`s are those of `placeKey`.
 */
export function places(limits: PlaceLimits) {
  const held = new Map<string, Set<number>>();
  const waiting = new Map<string, Map<number, Waiting>>();

  function inSet<T>(map: Map<string, T>, key: string, make: () => T): T {
    const known = map.get(key);
    if (known) return known;
    const made = make();
    map.set(key, made);
    return made;
  }

  function leave(map: Map<string, Map<number, unknown> | Set<number>>, key: string, no: number): void {
    const known = map.get(key);
    if (known?.delete(no) && known.size === 0) map.delete(key);
  }

  return {
    /** Takes a place if there is one. True for one that has it already. */
    take(key: string, no: number): boolean {
      const holders = held.get(key);
      if (holders?.has(no)) return true;
      if ((holders?.size ?? 0) >= placesOf(limits, placeOf(key))) return false;
      inSet(held, key, () => new Set<number>()).add(no);
      return true;
    },
    /** Of the last run: whatever the limit is now. */
    restore: (key: string, no: number): void => void inSet(held, key, () => new Set<number>()).add(no),
    release: (key: string, no: number): void => leave(held, key, no),
    wait: (key: string, one: Waiting): void =>
      void inSet(waiting, key, () => new Map<number, Waiting>()).set(one.no, one),
    leave: (key: string, no: number): void => leave(waiting, key, no),
    /** Those who may go on, as many as there are places: of those who can, by priority, then by age. */
    next(key: string, can: (deviceNo: number) => boolean): Waiting[] {
      const free = placesOf(limits, placeOf(key)) - (held.get(key)?.size ?? 0);
      const list = waiting.get(key);
      if (free <= 0 || !list) return [];
      return [...list.values()]
        .filter(({ deviceNo }) => can(deviceNo))
        .sort((one, other) => other.priority - one.priority || one.no - other.no)
        .slice(0, free);
    },
    held: (): number => sizeOf(held),
    waiting: (): number => sizeOf(waiting),
  };
}
export type Places = ReturnType<typeof places>;

function sizeOf(map: Map<string, { readonly size: number }>): number {
  let sum = 0;
  for (const { size } of map.values()) sum += size;
  return sum;
}
