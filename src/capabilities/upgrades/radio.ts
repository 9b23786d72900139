/** Radio coverage (ota.md 7). */

export const RADIO_LEVELS = [0, 1, 2] as const;
export type RadioLevel = (typeof RADIO_LEVELS)[number];

/** Of signal power, dBm, and of signal to noise, dB: the weaker one counts, and what is worse than the table is its last level. */
export function radioLevel(rsrp: number, sinr: number): RadioLevel {
  return Math.max(levelOf(rsrp, -105, -115), levelOf(sinr, 7, -3)) as RadioLevel;
}

function levelOf(value: number, good: number, fair: number): RadioLevel {
  if (value >= good) return 0;
  return value >= fair ? 1 : 2;
}

/**
 * Where devices compete for places: a cell and a level, or a cell of which no more is known. Without a cell are those that
 * cannot be asked for it; there is room for all of them.
 */
export type Place = { readonly cellId: number | undefined; readonly level: RadioLevel | undefined };
export const placeKey = ({ cellId, level }: Place): string => `${cellId ?? "-"}/${level ?? "-"}`;
export const NO_CELL: Place = { cellId: undefined, level: undefined };

export function placeOf(key: string): Place {
  const [cellId, level] = key.split("/");
  return {
    cellId: cellId === "-" ? undefined : Number(cellId),
    level: level === "-" ? undefined : (Number(level) as RadioLevel),
  };
}

export type PlaceLimits = {
  /** Devices of one cell that download at the same time, by level. */
  readonly level0Places: number;
  readonly level1Places: number;
  readonly level2Places: number;
  /** The same where only the cell is known. */
  readonly cellPlaces: number;
};
export const PLACE_DEFAULTS: PlaceLimits = { level0Places: 50, level1Places: 10, level2Places: 1, cellPlaces: 10 };

export function placesOf(limits: PlaceLimits, { cellId, level }: Place): number {
  if (cellId === undefined) return Number.POSITIVE_INFINITY;
  switch (level) {
    case 0:
      return limits.level0Places;
    case 1:
      return limits.level1Places;
    case 2:
      return limits.level2Places;
    case undefined:
      return limits.cellPlaces;
    default:
      return level satisfies never;
  }
}
