import { createHash } from "node:crypto";
import type { Sealer } from "../../platform/secrets";
import type { PackageService, UpgradePackage } from "../packages/package";
import { type Attempt, hasBegun } from "./course";
import { type Places, places } from "./places";
import type { PlaceLimits } from "./radio";
import { attemptOf, type StoredSubTask, type StoredTask, tokenContext } from "./stored";
import type { UpgradeOrder } from "./upgrade-link";

/** An attempt under way, as it is on disk. */
export type Live = {
  readonly order: UpgradeOrder;
  readonly taskNo: number;
  readonly sent: Attempt["sent"];
  readonly place: string | undefined;
  readonly tokenUntil: number;
};
/** Of a task that may not upgrade any number of devices at a time. */
type Gate = { readonly limit: number; readonly inside: Set<number>; readonly waiting: Set<number> };
type Parts = {
  readonly packages: Pick<PackageService, "findByNo">;
  readonly hold: (deviceNo: number) => () => void;
  readonly sealer: Sealer;
  readonly limits: PlaceLimits;
  readonly steady: () => number;
  /** These may go on where others have left. */
  readonly wake: (deviceNos: readonly number[]) => void;
  readonly isReachable: (deviceNo: number) => boolean;
};
const MAX_PACKAGES = 1_000;
const EMPTY = "";

/**
 * What is in memory of the attempts under way, by device: at most so many as sub-tasks may be unfinished. Follows the
 * rows, after their commit; `enter` and the taking of places run ahead of it, so that what is being committed counts.
 */
export function liveAttempts({ packages, hold, sealer, limits, steady, wake, isReachable }: Parts) {
  const live = new Map<number, Live>();
  const holds = new Map<number, () => void>();
  const tokens = new Map<string, number>();
  const known = new Map<number, UpgradePackage>();
  const gates = new Map<number, Gate>();
  const cells: Places = places(limits);

  function packageOf(packageNo: number): UpgradePackage | undefined {
    const cached = known.get(packageNo);
    if (cached) return cached;
    const found = packages.findByNo(packageNo);
    if (known.size >= MAX_PACKAGES) known.clear();
    if (found) known.set(packageNo, found);
    return found;
  }

  function orderOf(stored: StoredSubTask, way: UpgradeOrder["way"], before: UpgradeOrder | undefined): UpgradeOrder {
    const { sub, course, packageNo, token } = stored;
    const stage = course?.stage ?? "online";
    const attempt = attemptOf(stored);
    const isKnown = stage !== "online" && stage !== "version";
    const kept = before?.subTaskNo === sub.no && before.attempt === attempt ? before.token : EMPTY;
    return {
      ...{ subTaskNo: sub.no, attempt, deviceNo: sub.deviceNo, kind: sub.kind, way, stage },
      package: isKnown && packageNo !== undefined ? packageOf(packageNo) : undefined,
      token: !token ? EMPTY : kept === EMPTY ? sealer.open(token.sealed, tokenContext(sub.no)) : kept,
    };
  }

  function gateOf({ task }: StoredTask): Gate | undefined {
    const limit = task.policy.maxConcurrent;
    if (limit === undefined) return undefined;
    const gate = gates.get(task.no) ?? { limit, inside: new Set<number>(), waiting: new Set<number>() };
    gates.set(task.no, gate);
    return gate;
  }

  function leaveGate(taskNo: number, subTaskNo: number): void {
    const gate = gates.get(taskNo);
    if (!gate?.inside.delete(subTaskNo)) return;
    let free = gate.limit - gate.inside.size;
    const next: number[] = [];
    for (const deviceNo of gate.waiting) {
      if (free <= 0) break;
      if (!isReachable(deviceNo)) continue;
      next.push(deviceNo);
      free -= 1;
    }
    if (gate.inside.size === 0 && gate.waiting.size === 0) gates.delete(taskNo);
    wake(next);
  }

  function leavePlace(key: string, subTaskNo: number): void {
    cells.leave(key, subTaskNo);
    cells.release(key, subTaskNo);
    wake(cells.next(key, isReachable).map(({ deviceNo }) => deviceNo));
  }

  function releaseHold(deviceNo: number): void {
    const release = holds.get(deviceNo);
    holds.delete(deviceNo);
    release?.();
  }

  return {
    get: (deviceNo: number): Live | undefined => live.get(deviceNo),
    all: (): IterableIterator<Live> => live.values(),
    size: (): number => live.size,
    heldPlaces: cells.held,
    waiting: cells.waiting,

    /** After the commit; or of the last run. */
    set(stored: StoredSubTask, task: StoredTask): void {
      const { sub, course, place, token } = stored;
      const { deviceNo } = sub;
      if (!course || !sub.way) return;
      const before = live.get(deviceNo);
      const order = orderOf(stored, sub.way, before?.order);
      const after: Live = { order, taskNo: sub.taskNo, sent: course.sent, place, tokenUntil: token?.until ?? 0 };
      live.set(deviceNo, after);
      if (before && before.order.token !== order.token) tokens.delete(digest(before.order.token));
      if (order.token !== EMPTY) tokens.set(digest(order.token), deviceNo);

      if (hasBegun(course.stage)) {
        if (!holds.has(deviceNo)) holds.set(deviceNo, hold(deviceNo));
      } else releaseHold(deviceNo);

      if (place !== undefined && hasBegun(course.stage)) {
        cells.leave(place, sub.no);
        cells.restore(place, sub.no);
      } else if (place !== undefined && course.stage === "slot") {
        if (before && hasBegun(before.order.stage)) leavePlace(place, sub.no);
        cells.wait(place, { no: sub.no, deviceNo, priority: task.task.policy.priority });
      } else if (before?.place !== undefined && before.order.subTaskNo === sub.no) leavePlace(before.place, sub.no);

      const gate = gateOf(task);
      if (course.stage === "online") leaveGate(sub.taskNo, sub.no);
      else if (gate) {
        gate.inside.add(sub.no);
        gate.waiting.delete(deviceNo);
      }
    },

    /** No attempt of this sub-task is under way any more. */
    drop(deviceNo: number, subTaskNo: number): void {
      const before = live.get(deviceNo);
      if (before?.order.subTaskNo !== subTaskNo) return;
      live.delete(deviceNo);
      tokens.delete(digest(before.order.token));
      releaseHold(deviceNo);
      const gate = gates.get(before.taskNo);
      gate?.waiting.delete(deviceNo);
      if (gate?.inside.size === 0 && gate.waiting.size === 0) gates.delete(before.taskNo);
      if (before.place !== undefined) leavePlace(before.place, subTaskNo);
      leaveGate(before.taskNo, subTaskNo);
    },

    /** Before the change is stored. False: the task has as many at a time as it may; it is told when one has left. */
    enter(task: StoredTask, subTaskNo: number, deviceNo: number): boolean {
      const gate = gateOf(task);
      if (!gate || gate.inside.has(subTaskNo)) return true;
      if (gate.inside.size >= gate.limit) {
        gate.waiting.add(deviceNo);
        return false;
      }
      gate.inside.add(subTaskNo);
      gate.waiting.delete(deviceNo);
      return true;
    },
    /** It was not stored after all. */
    leave: leaveGate,
    isHeldBack: (taskNo: number, deviceNo: number): boolean => gates.get(taskNo)?.waiting.has(deviceNo) ?? false,

    takePlace: (key: string, subTaskNo: number): boolean => cells.take(key, subTaskNo),
    /** The same of a place. */
    givePlaceBack: (key: string, subTaskNo: number): void => cells.release(key, subTaskNo),

    authorize(token: string): UpgradePackage | undefined {
      const deviceNo = tokens.get(digest(token));
      const found = deviceNo === undefined ? undefined : live.get(deviceNo);
      return found && found.tokenUntil > steady() ? found.order.package : undefined;
    },
  };
}
export type LiveAttempts = ReturnType<typeof liveAttempts>;

/** Looked up by a digest: how long that takes tells nothing of the tokens there are. */
const digest = (token: string): string => createHash("sha256").update(token).digest("base64");
