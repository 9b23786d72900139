import type { ReplayWindow } from "../../wire/dtls";

const ALL_SEEN = 0xffff_ffff;

/**
 * The window of a session that comes from disk. `stored` is exact up to its top. What was acknowledged after it was
 * stored is known by its highest number only, so everything up to there counts as seen: a record that was overtaken
 * and not yet acknowledged is lost, and its message comes again under another number.
 */
export function mergeWindows(stored: ReplayWindow, acknowledgedTop: number): ReplayWindow {
  return acknowledgedTop <= stored.top ? stored : { top: acknowledgedTop, low: ALL_SEEN, high: ALL_SEEN };
}
