import type { DiagnosisTask, TaskKind } from "./task";

const ORDER: readonly TaskKind[] = ["collectLog", "reboot"];

/** Which devices have something to be sent to: asked at every contact of every device. */
export function readyTasks() {
  const devices = new Map<number, Map<TaskKind, number>>();
  /** All that has not ended, ready or not. */
  const unfinished = new Map<number, Set<number>>();
  let count = 0;

  function drop(deviceNo: number, kind: TaskKind): void {
    const tasks = devices.get(deviceNo);
    tasks?.delete(kind);
    if (tasks?.size === 0) devices.delete(deviceNo);
  }

  return {
    has: (deviceNo: number): boolean => devices.has(deviceNo),
    next(deviceNo: number): number | undefined {
      const tasks = devices.get(deviceNo);
      return tasks && ORDER.map((kind) => tasks.get(kind)).find((no) => no !== undefined);
    },
    set({ no, deviceNo, kind }: Pick<DiagnosisTask, "no" | "deviceNo" | "kind">, isReady: boolean): void {
      const open = unfinished.get(deviceNo) ?? new Set<number>();
      unfinished.set(deviceNo, open);
      if (!open.has(no)) count++;
      open.add(no);
      if (isReady) devices.set(deviceNo, (devices.get(deviceNo) ?? new Map<TaskKind, number>()).set(kind, no));
      else drop(deviceNo, kind);
    },
    end({ no, deviceNo, kind }: Pick<DiagnosisTask, "no" | "deviceNo" | "kind">): void {
      drop(deviceNo, kind);
      const open = unfinished.get(deviceNo);
      if (!open?.delete(no)) return;
      count--;
      if (open.size === 0) unfinished.delete(deviceNo);
    },
    forget(deviceNo: number): void {
      devices.delete(deviceNo);
      count -= unfinished.get(deviceNo)?.size ?? 0;
      unfinished.delete(deviceNo);
    },
    unfinished: () => count,
  };
}
export type ReadyTasks = ReturnType<typeof readyTasks>;
