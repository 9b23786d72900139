import type { ReplayWindow } from "../../wire/dtls";

const ALL_SEEN = 0xffff_ffff;

/** What is known of the acknowledged records of a session. -1: nothing. */
export type Acknowledged = {
  readonly top: number;
  /** One was acknowledged that had been overtaken by what the stored window knows already. */
  readonly late: boolean;
};
export const NOTHING_ACKNOWLEDGED: Acknowledged = { top: -1, late: false };

/** One number that grows with both; numbers of records have 48 bits. */
export const toMark = ({ top, late }: Acknowledged): number => top * 2 + Number(late);
export const fromMark = (mark: number): Acknowledged => ({ top: Math.floor(mark / 2), late: mark % 2 === 1 });

/**
 * The window of a session that comes from disk. `stored` is exact up to its top. What was acknowledged after it was
 * stored is known by its highest number only, so everything up to there counts as seen: a record that was overtaken
 * and not yet acknowledged is lost, and its message comes again under another number.
 */
export function mergeWindows(stored: ReplayWindow, acknowledged: Acknowledged): ReplayWindow {
  const { top, late } = acknowledged;
  if (top < stored.top || (top === stored.top && !late)) return stored;
  return { top, low: ALL_SEEN, high: ALL_SEEN };
}
