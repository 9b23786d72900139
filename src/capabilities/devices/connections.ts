import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";

type Parts = {
  clock: Pick<Clock, "monotonic" | "after">;
  graceMs: number;
  /** Stores that these devices are gone; `isBack` is asked again inside the transaction. */
  markGone: (deviceNos: readonly number[], isBack: (deviceNo: number) => boolean) => Promise<void>;
  log: Log;
};

/** So many devices leave in one piece of a transaction: a lost network must not stall everybody else. */
const GONE_AT_ONCE = 500;

/**
 * Long connections by device, and those that have just ended. The grace time is the same for all, so they leave in the
 * order in which they came: one timer for the first of them is enough.
 */
export function connections({ clock, graceMs, markGone, log }: Parts) {
  const open = new Map<number, number>();
  const leaving = new Map<number, number>(); // when its grace is over, in this order
  let armed = false;

  function leave(deviceNo: number): void {
    leaving.delete(deviceNo); // to the end of the order
    leaving.set(deviceNo, clock.monotonic() + graceMs);
    arm(graceMs);
  }

  function arm(ms: number): void {
    if (armed) return;
    armed = true;
    clock.after(ms, () => void sweep());
  }

  async function sweep(): Promise<void> {
    const due: number[] = [];
    for (const [deviceNo, dueAt] of leaving) {
      if (dueAt > clock.monotonic() || due.length === GONE_AT_ONCE) break;
      due.push(deviceNo);
    }
    for (const deviceNo of due) leaving.delete(deviceNo);
    try {
      if (due.length > 0) await markGone(due, (deviceNo) => open.has(deviceNo));
    } catch (error) {
      log.error("devices.offline_not_stored", { devices: due.length, error });
      for (const deviceNo of due) if (!open.has(deviceNo)) leaving.set(deviceNo, clock.monotonic() + graceMs);
    }
    armed = false;
    const [next] = leaving.values();
    if (next !== undefined) arm(Math.max(0, next - clock.monotonic()));
  }

  return {
    /** True when it was neither connected nor within its grace: its status has to change. */
    begin(deviceNo: number): boolean {
      const others = open.get(deviceNo) ?? 0;
      open.set(deviceNo, others + 1);
      const wasLeaving = leaving.delete(deviceNo);
      return others === 0 && !wasLeaving;
    },
    end(deviceNo: number): void {
      const count = open.get(deviceNo);
      if (count === undefined) return; // deleted while it was connected
      if (count > 1) open.set(deviceNo, count - 1);
      else {
        open.delete(deviceNo);
        leave(deviceNo);
      }
    },
    /** It may come back within the grace time, as after a connection of ours. */
    expect(deviceNos: readonly number[]): void {
      for (const deviceNo of deviceNos) if (!open.has(deviceNo)) leave(deviceNo);
    },
    forget(deviceNo: number): void {
      open.delete(deviceNo);
      leaving.delete(deviceNo);
    },
    count: () => open.size,
  };
}
export type Connections = ReturnType<typeof connections>;
