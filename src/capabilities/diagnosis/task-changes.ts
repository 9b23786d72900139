import type { Clock } from "../../platform/clock";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { TraceSink } from "../devices/trace-sink";
import { type Course, type CourseEvent, isEnded, isReady, limitOf, step } from "./course";
import type { ReadyTasks } from "./ready-tasks";
import { type CollectedLog, type DiagnosisSettings, type DiagnosisTask, TASK_KINDS, type TaskKind } from "./task";
import type { StoredTask, TaskRepository, TaskToAdd } from "./task-repository";

type Parts = {
  repository: TaskRepository;
  transactor: Pick<Transactor, "afterCommit">;
  ready: ReadyTasks;
  clock: Pick<Clock, "now">;
  /** The time on which limits are measured. */
  steady: () => number;
  metrics: Metrics;
  trace: TraceSink;
  settings: DiagnosisSettings;
};
const OUTCOMES = ["created", "sent", "not_sent", "succeeded", "failed", "cancelled"] as const;
type Outcome = (typeof OUTCOMES)[number];
const MAX_DETAIL_CHARS = 300;

/** Steps the pure machine and stores what comes out. `add` and `event` only inside a transaction. */
export function taskChanges({ repository, transactor, ready, clock, steady, metrics, trace, settings }: Parts) {
  const counter = metrics.counter("islet_diagnosis_tasks_total", "Remote diagnosis, by what happened to the tasks");
  const counted = new Map(
    TASK_KINDS.flatMap((kind) =>
      OUTCOMES.map((outcome) => [`${kind} ${outcome}`, counter.with({ kind, outcome })] as const),
    ),
  );

  /** When the state that begins now has lasted too long. `sendUntil` goes on through a sending that failed. */
  function dueOf(kind: TaskKind, course: Course, sendUntil: number): number | undefined {
    const limit = limitOf(kind, course);
    if (limit === undefined) return undefined;
    return limit === "sendWithinMs" ? sendUntil : steady() + settings[limit];
  }

  /** After the commit: memory, metrics and trace never know more than the disk. */
  function tell(stored: StoredTask, outcome: Outcome | undefined): void {
    const { task, course } = stored;
    transactor.afterCommit(() => {
      if (isEnded(course)) ready.end(task);
      else ready.set(task, isReady(task.kind, course));
      if (outcome === undefined) return;
      counted.get(`${task.kind} ${outcome}`)?.add();
      if (outcome === "created") return;
      trace.record({
        deviceNo: task.deviceNo,
        kind: "command",
        outcome: outcome === "sent" || outcome === "succeeded" ? "succeeded" : "failed",
        reason: task.reason === undefined ? `diagnosis_${outcome}` : `diagnosis_${task.reason}`,
        detail: [task.kind, task.id, task.detail].filter((part) => part !== undefined).join(" "),
      });
    });
  }

  return {
    /** How long the present state may last, in ms. */
    limitOf({ task, course }: StoredTask): number {
      const limit = limitOf(task.kind, course);
      return limit === undefined ? 0 : settings[limit];
    },

    add(task: Pick<DiagnosisTask, "id" | "deviceNo" | "deviceId" | "kind">): StoredTask {
      const delay = task.kind === "reboot" ? settings.rebootDelayMs : 0;
      const sendUntil = steady() + delay + settings.sendWithinMs;
      const due = dueOf(task.kind, { state: "Waiting" }, sendUntil) as number; // it has just begun
      const stored = repository.add({ ...task, createdAt: clock.now(), sendUntil, due } satisfies TaskToAdd);
      tell(stored, "created");
      return stored;
    },

    /** The task as it is afterwards; unchanged when nothing follows from the event. */
    event(stored: StoredTask, event: CourseEvent, detail?: string, collected?: CollectedLog): StoredTask {
      const { task, course: from, sendUntil } = stored;
      const course = step(task.kind, from, event);
      if (course === from) return stored;
      const at = clock.now();
      const isProcessing = course.state === "Processing";
      repository.save(task.no, {
        course,
        detail: detail?.slice(0, MAX_DETAIL_CHARS),
        processingAt: isProcessing
          ? (task.processingAt ?? at)
          : course.state === "Waiting"
            ? undefined
            : task.processingAt,
        sentAt: isProcessing && course.sent ? at : isEnded(course) ? task.sentAt : undefined,
        endedAt: isEnded(course) ? at : undefined,
        sendUntil,
        due: dueOf(task.kind, course, sendUntil),
      });
      if (course.state === "Success" && collected) repository.putLog(task.no, collected);
      const changed = repository.get(task.no);
      if (!changed) throw new Error("diagnosis task is gone");
      if (isEnded(course)) repository.trim(task.deviceNo, task.kind, settings.keepPerDevice);
      tell(changed, OUTCOME_OF[event.type](course));
      return changed;
    },
  };
}

const OUTCOME_OF: Record<CourseEvent["type"], (to: Course) => Outcome | undefined> = {
  timeUp: (to) => (isEnded(to) ? "failed" : undefined),
  sending: () => "sent",
  notSent: () => "not_sent",
  succeeded: () => "succeeded",
  failed: () => "failed",
  impossible: () => "failed",
  cancelled: () => "cancelled",
};
