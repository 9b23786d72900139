import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { CourseEvent } from "./course";
import { stepOf } from "./course";
import type { Live, LiveAttempts } from "./live-attempts";
import type { UpgradeSettings } from "./settings";
import { attemptOf, type StoredSubTask } from "./stored";
import type { SubTaskChanges } from "./sub-task-changes";
import type { SubTaskRepository } from "./sub-task-repository";
import type { TaskRepository } from "./task-repository";
import type { StepOutcome, UpgradeLink, UpgradeOrder, UpgradeStep } from "./upgrade-link";

type Parts = {
  readonly tasks: TaskRepository;
  readonly subTasks: SubTaskRepository;
  readonly changes: SubTaskChanges;
  readonly live: LiveAttempts;
  /** Asked each time, so links may join later. */
  readonly links: readonly UpgradeLink[];
  readonly transactor: Pick<Transactor, "write">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: Pick<UpgradeSettings, "faultPauseMs">;
};
/** `heard`: it has just shown itself, so what it did not acknowledge is said again. */
type Lane = { looksAgain: boolean; heard: boolean };
/** `blocked`: it cannot be told now after all, so nothing is said until it is heard again. */
type Turn = "more" | "done" | "blocked";

/**
 * Says to devices what is to be said, one thing at a time to each: it is stored first (`trying`), then it leaves, then its
 * outcome is stored. What may have left before leaves as `again`, and it is the way's duty that nothing is done twice.
 */
export function speaker(parts: Parts) {
  const { tasks, subTasks, changes, live, links, transactor, clock, log, settings } = parts;
  const lanes = new Map<number, Lane>();
  /** Attempts of the last run: what they have been told, and what they have answered, may have been lost. */
  const unsure = new Set<number>();
  const steps = parts.metrics.counter("islet_upgrade_steps_total", "What was said to devices in upgrade, by outcome");
  const finished = new Map<number, UpgradeOrder[]>();
  let stopped = false;

  const linkOf = ({ way, deviceNo }: UpgradeOrder): UpgradeLink | undefined =>
    links.find((it) => it.way === way && it.isReachable(deviceNo));

  function look(deviceNo: number, heard = false): void {
    if (stopped || (!live.get(deviceNo) && !finished.has(deviceNo))) return;
    const lane = lanes.get(deviceNo);
    if (lane) {
      lane.looksAgain = true;
      lane.heard ||= heard;
      return;
    }
    const mine: Lane = { looksAgain: false, heard };
    lanes.set(deviceNo, mine);
    void drive(deviceNo, mine);
  }

  async function drive(deviceNo: number, lane: Lane): Promise<void> {
    try {
      do {
        const { heard } = lane;
        lane.looksAgain = false;
        lane.heard = false;
        let turned: Turn = "more";
        while (turned === "more" && !stopped) turned = await turn(deviceNo, heard || lane.heard);
        if (turned === "blocked" && !lane.heard) return;
      } while (lane.looksAgain && !stopped);
    } catch (error) {
      log.error("upgrade_step_failed", { deviceNo, error });
      clock.after(settings.faultPauseMs, () => look(deviceNo, true)); // a full disk passes
    } finally {
      lanes.delete(deviceNo);
    }
  }

  /** Does the next thing, if there is one. */
  async function turn(deviceNo: number, heard: boolean): Promise<Turn> {
    const over = finished.get(deviceNo);
    if (over) return sayFinished(deviceNo, over);
    const it = live.get(deviceNo);
    const link = it && linkOf(it.order);
    if (!it || !link) return "done";
    if (it.order.stage === "online") return begin(it);
    if (it.order.stage === "slot") return takePlace(it);
    const step = stepOf(it.order.stage);
    if (step === undefined) return "done";
    const isUnsure = unsure.has(it.order.subTaskNo);
    if (it.sent !== "no" && !isUnsure && !(heard && it.sent === "trying")) return "done";
    return say(it, link, step);
  }

  /** As it is in its row now; undefined: that attempt is over. */
  function rowOf({ subTaskNo, attempt }: Pick<UpgradeOrder, "subTaskNo" | "attempt">): StoredSubTask | undefined {
    const stored = subTasks.get(subTaskNo);
    return stored?.course && attemptOf(stored) === attempt ? stored : undefined;
  }

  const change = (order: UpgradeOrder, event: CourseEvent): Promise<StoredSubTask | undefined> =>
    transactor.write(() => {
      const stored = rowOf(order);
      return stored && changes.attempt(stored, tasks.get(stored.sub.taskNo), event);
    });

  async function begin({ order, taskNo }: Live): Promise<Turn> {
    const { subTaskNo, deviceNo } = order;
    let entered = false;
    let stays = true;
    try {
      const after = await transactor.write(() => {
        const stored = rowOf(order);
        if (stored?.course?.stage !== "online") return undefined;
        const task = tasks.get(taskNo);
        if (task.task.paused !== undefined || changes.isLapsed(task)) {
          if (task.task.paused !== undefined) changes.park(stored, task);
          return undefined;
        }
        entered = live.enter(task, subTaskNo, deviceNo);
        return entered ? changes.attempt(stored, task, { type: "reachable" }) : undefined;
      });
      stays = after?.course?.stage !== "version";
      return stays ? "done" : "more";
    } finally {
      if (entered && stays) live.leave(taskNo, subTaskNo);
    }
  }

  async function takePlace({ order, taskNo, place }: Live): Promise<Turn> {
    const { subTaskNo } = order;
    if (place === undefined || !live.takePlace(place, subTaskNo)) return "done";
    let has = false;
    try {
      const after = await transactor.write(() => {
        const stored = rowOf(order);
        const task = tasks.get(taskNo);
        if (stored?.course?.stage !== "slot" || stored.place !== place || changes.isLapsed(task)) return undefined;
        return changes.attempt(stored, task, { type: "slotGranted" });
      });
      has = after?.course?.stage === "announcing";
      return has ? "more" : "done";
    } finally {
      if (!has) live.givePlaceBack(place, subTaskNo);
    }
  }

  async function say(it: Live, link: UpgradeLink, step: UpgradeStep): Promise<Turn> {
    const { stage, subTaskNo, deviceNo, attempt } = it.order;
    const again = it.sent !== "no";
    if (it.sent !== "trying") {
      const sending = await change(it.order, { type: "sending" });
      if (sending?.course?.stage !== stage) return live.get(deviceNo) === it ? "done" : "more"; // something else came first
    }
    unsure.delete(subTaskNo);
    const order = live.get(deviceNo)?.order;
    if (order?.subTaskNo !== subTaskNo || order.stage !== stage || order.attempt !== attempt) return "more";
    const outcome = await perform(link, order, step, again);
    if (stopped) return "done"; // the next run asks again
    if (outcome === "noAnswer") return "done";
    const after = await change(order, { type: "outcome", stage, outcome, again });
    if (outcome === "unreachable") return "blocked";
    return after ? "more" : "done";
  }

  async function sayFinished(deviceNo: number, orders: readonly UpgradeOrder[]): Promise<Turn> {
    finished.delete(deviceNo);
    for (const order of orders) {
      const link = links.find((it) => it.way === order.way);
      if (link) await perform(link, order, "finish", false); // nothing follows from its outcome
    }
    return "more";
  }

  async function perform(link: UpgradeLink, order: UpgradeOrder, step: UpgradeStep, again: boolean) {
    let outcome: StepOutcome = "noAnswer"; // the worst that can be: it may have it
    try {
      outcome = await link.perform(order, step, again);
    } catch (error) {
      log.error("upgrade_link_failed", { deviceNo: order.deviceNo, way: order.way, step, error });
    }
    steps.with({ way: order.way, step, outcome }).add();
    return outcome;
  }

  return {
    look,
    /** Of the last run; they go on when their devices are there. */
    restored: (subTaskNo: number): void => void unsure.add(subTaskNo),
    forget: (subTaskNo: number): void => void unsure.delete(subTaskNo),
    /** The attempt is over. Said after what is being said, and before what comes next. */
    finish(order: UpgradeOrder): void {
      const { deviceNo } = order;
      finished.set(deviceNo, [...(finished.get(deviceNo) ?? []), order]);
      look(deviceNo);
    },
    stop(): void {
      stopped = true;
    },
  };
}
export type Speaker = ReturnType<typeof speaker>;
