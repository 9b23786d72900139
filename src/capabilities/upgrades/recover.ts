import type { Transactor } from "../../platform/storage/group-commit";
import type { Attempt } from "./course";
import { stepOf } from "./course";
import type { LiveAttempts } from "./live-attempts";
import type { UpgradeSettings } from "./settings";
import type { Speaker } from "./speaker";
import type { StoredSubTask, StoredTask } from "./stored";
import type { SubTaskRepository } from "./sub-task-repository";
import type { TaskRepository } from "./task-repository";

type Parts = {
  readonly tasks: TaskRepository;
  readonly subTasks: SubTaskRepository;
  readonly transactor: Pick<Transactor, "write">;
  readonly live: LiveAttempts;
  readonly speaker: Pick<Speaker, "restored">;
  readonly steady: () => number;
  readonly settings: UpgradeSettings;
};
const FAR_MS = 60_000;

/**
 * What the last run left. A clock that was set back meanwhile must not make anything wait longer than it may; tasks that
 * were never complete go.
 */
export function recoverUpgrades({
  tasks,
  subTasks,
  transactor,
  live,
  speaker,
  steady,
  settings,
}: Parts): Promise<void> {
  let last: StoredTask | undefined;
  const taskOf = ({ sub }: StoredSubTask): StoredTask => {
    if (last?.task.no !== sub.taskNo) last = tasks.get(sub.taskNo);
    return last;
  };

  function clamped(course: Attempt): Attempt {
    const now = steady();
    const longest = longestOf(course, settings);
    if (course.due <= now + longest) return course;
    return { ...course, due: now + longest, readyUntil: Math.min(course.readyUntil, now + settings.onlineMs) };
  }

  return transactor.write(() => {
    for (const no of tasks.loading()) tasks.setWork(no, "deleting");
    const late: StoredSubTask[] = [];
    for (const stored of subTasks.active()) {
      if (!stored.course) continue;
      const course = clamped(stored.course);
      const current = course === stored.course ? stored : { ...stored, course, due: course.due };
      if (current !== stored) late.push(current);
      live.set(current, taskOf(current));
      if (stepOf(course.stage) !== undefined && course.sent !== "no") speaker.restored(stored.sub.no);
    }
    for (const stored of subTasks.dueAfter(steady() + FAR_MS)) {
      const due = steady() + longestWait(stored, taskOf(stored), settings);
      if ((stored.due ?? 0) > due) late.push({ ...stored, due });
    }
    for (const stored of late) subTasks.save(stored);
  });
}

/** Without an attempt. The windows of tasks are times of the wall clock, which are what they are. */
function longestWait({ sub, parked }: StoredSubTask, { task, windowEnd }: StoredTask, { waitMs }: UpgradeSettings) {
  const { executeType, spreadS, retryIntervalS } = task.policy;
  if (parked || windowEnd !== undefined || executeType === "custom") return Number.MAX_SAFE_INTEGER;
  return sub.status === "wait" ? waitMs + (spreadS ?? 0) * 1_000 : retryIntervalS * 1_000;
}

function longestOf({ stage, sent, claimed }: Attempt, limits: UpgradeSettings): number {
  switch (stage) {
    case "online":
      return limits.onlineMs;
    case "version":
      return limits.versionMs;
    case "radio":
      return limits.radioMs;
    case "cell":
      return limits.cellMs;
    case "slot":
      return limits.slotMs;
    case "announcing":
    case "downloading":
      return Math.max(limits.mqttMs, limits.downloadMs, limits.announceMs);
    case "executing":
      return sent === "no" ? limits.onlineMs : limits.executeMs;
    case "updating":
      return limits.resultMs;
    case "verifying":
      return claimed ? Math.max(limits.resultMs, limits.verifyMs) : limits.verifyMs;
    default:
      return stage satisfies never;
  }
}
