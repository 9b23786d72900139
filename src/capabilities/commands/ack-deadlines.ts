import type { Clock } from "../../platform/clock";

type Deadline = { readonly at: number; readonly cancel: () => void; isOver: boolean };

/**
 * When the wait of a command for its acknowledgement is over. By monotonic time: a jump of the wall clock neither ends
 * a wait nor prolongs it. `over` is called once for each.
 */
export function ackDeadlines(clock: Clock, over: (no: number, deviceNo: number) => void) {
  const deadlines = new Map<number, Deadline>();

  function clear(no: number): void {
    deadlines.get(no)?.cancel();
    deadlines.delete(no);
  }

  return {
    clear,
    set(no: number, deviceNo: number, ms: number): void {
      clear(no);
      const cancel = clock.after(ms, () => {
        deadline.isOver = true; // timers may be early by a fraction
        over(no, deviceNo);
      });
      const deadline: Deadline = { at: clock.monotonic() + ms, cancel, isOver: false };
      deadlines.set(no, deadline);
    },
    isOver: (no: number): boolean => deadlines.get(no)?.isOver ?? false,
    /** ms; 0 when it is over, or when nothing is known of it. */
    left(no: number): number {
      const deadline = deadlines.get(no);
      return deadline && !deadline.isOver ? Math.max(0, deadline.at - clock.monotonic()) : 0;
    },
    stop(): void {
      for (const { cancel } of deadlines.values()) cancel();
      deadlines.clear();
    },
  };
}
