import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import { steppedWork } from "../../platform/stepped-work";
import type { Transactor } from "../../platform/storage/group-commit";
import { savepoint } from "../../platform/storage/savepoint";
import type { LiveAttempts } from "./live-attempts";
import type { UpgradeSettings } from "./settings";
import type { StoredSubTask, StoredTask } from "./stored";
import type { SubTaskChanges } from "./sub-task-changes";
import type { SubTaskRepository } from "./sub-task-repository";
import type { TaskRepository } from "./task-repository";
import type { TaskSteps } from "./task-steps";

type Parts = {
  readonly db: Database;
  readonly transactor: Transactor;
  readonly tasks: TaskRepository;
  readonly subTasks: SubTaskRepository;
  readonly changes: SubTaskChanges;
  readonly steps: TaskSteps;
  readonly live: Pick<LiveAttempts, "isHeldBack">;
  readonly steady: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: UpgradeSettings;
};

/**
 * What comes by time: beginnings, limits that have passed, and the work on all sub-tasks of a task. A bounded step in one
 * transaction, then the next one; `settings.dutyCycle` is the share of the time that they may take.
 */
export function upgradeRunner(parts: Parts) {
  const { db, transactor, tasks, subTasks, changes, steps, live, steady, clock, log, settings } = parts;
  const alone = savepoint(db, "upgrade_item");
  const stepSeconds = parts.metrics.histogram(
    "islet_upgrade_step_seconds",
    "How long a step of upgrades held the event loop, its commit left out",
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
  );
  let lastNo = 0;
  let nextPurge = 0;

  /** Something is due; undefined: nothing followed from it. */
  function handle(stored: StoredSubTask, task: StoredTask): StoredSubTask | undefined {
    const { course, sub } = stored;
    const isPaused = task.task.paused !== undefined;
    if (task.work === "stopping") return changes.stop(stored, task);
    if (changes.isLapsed(task)) {
      const lapsed = changes.lapse(stored, task);
      if (lapsed) return lapsed;
    }
    if (stored.parked) return undefined;
    if (!course) return isPaused ? changes.park(stored, task) : changes.begin(stored, task);
    if (course.stage === "online" && course.due <= steady()) {
      // It is the platform that kept it waiting.
      if (isPaused) return changes.park(stored, task);
      if (live.isHeldBack(sub.taskNo, sub.deviceNo)) return changes.attempt(stored, task, { type: "held" });
    }
    return changes.attempt(stored, task, { type: "timeUp" });
  }

  /** One that cannot be handled does not keep the others from it. */
  function handleAlone(seen: StoredSubTask): void {
    alone(
      () => {
        const stored = subTasks.get(seen.sub.no); // an earlier one of this step may have changed it
        if (stored?.due === undefined || stored.due > steady()) return;
        const task = tasks.get(stored.sub.taskNo);
        if (!handle(stored, task)) changes.lookLater(stored, task);
      },
      (error) => {
        log.error("upgrade_sub_task_failed", { subOperationId: seen.sub.id, error });
        subTasks.setDue(seen.sub.no, steady() + settings.faultPauseMs);
      },
    );
  }

  function workOnTasks(): boolean {
    const atWork = tasks.atWork();
    for (const stored of [...atWork.filter(({ task }) => task.no > lastNo), ...atWork]) {
      const current = tasks.lookUp(stored.task.no);
      if (!current || !steps.step(current)) continue;
      lastNo = stored.task.no;
      return true;
    }
    return false;
  }

  /** In one transaction; how long that took without its commit, or undefined: nothing to do. */
  const step = (): Promise<number | undefined> =>
    transactor.write(() => {
      const since = clock.monotonic();
      const worked = workOnTasks();
      const due = subTasks.due(steady(), settings.stepItems);
      steps.inBounds(due, handleAlone);
      return worked || due.length > 0 ? clock.monotonic() - since : undefined;
    });

  /** Old tasks go, one at a time. */
  async function purge(): Promise<void> {
    if (steady() < nextPurge) return;
    const old = tasks.endedBefore(clock.now() - settings.keepMs);
    if (old === undefined) nextPurge = steady() + PURGE_MS;
    else await transactor.write(() => tasks.setWork(old, "deleting"));
  }

  function msUntilNext(): number {
    const next = subTasks.nextDue();
    const ms = next === undefined ? settings.sweepIntervalMs : Math.min(settings.sweepIntervalMs, next - steady());
    return Math.max(1, ms);
  }

  return steppedWork({
    ...{ msUntilNext, clock, settings },
    async step() {
      await purge();
      return step();
    },
    observe: (seconds) => stepSeconds.observe(seconds),
    failed: (error) => log.error("upgrade_step_failed", { error }),
  });
}
const PURGE_MS = 60_000;
