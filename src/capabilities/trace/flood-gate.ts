import type { TraceSettings } from "./settings";

type Limits = Pick<TraceSettings, "maxPerSecondEach" | "maxPerSecondKnown" | "maxPerSecondUnknown">;

/**
 * Lets so many entries pass in each second. Unknown ids have a budget of their own, so that somebody who makes up ids
 * can neither crowd out the devices nor fill the memory: an id that finds the budget spent is not remembered.
 */
export function floodGate({ maxPerSecondEach, maxPerSecondKnown, maxPerSecondUnknown }: Limits) {
  const passed = new Map<number | string, number>();
  let second = Number.NaN;
  let known = 0;
  let unknown = 0;

  /** `key`: a device number, or the id that was claimed. */
  return function admits(key: number | string, nowMs: number): boolean {
    const current = Math.floor(nowMs / 1_000);
    if (current !== second) {
      second = current;
      known = 0;
      unknown = 0;
      passed.clear();
    }
    const isKnown = typeof key === "number";
    if (isKnown ? known >= maxPerSecondKnown : unknown >= maxPerSecondUnknown) return false;
    const count = passed.get(key) ?? 0;
    if (count >= maxPerSecondEach) return false;
    passed.set(key, count + 1);
    if (isKnown) known++;
    else unknown++;
    return true;
  };
}
