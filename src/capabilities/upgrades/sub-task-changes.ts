import type { Clock } from "../../platform/clock";
import type { Emitter } from "../../platform/events";
import type { Metrics } from "../../platform/metrics";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Device, DeviceInfo } from "../devices/device";
import type { TraceSink } from "../devices/trace-sink";
import type { PackageService, UpgradePackage } from "../packages/package";
import type { ProductService } from "../products/product";
import { isForDevice, planFor, versionOf, wayOf } from "./capability";
import { type AttemptEnd, type CourseContext, type CourseEvent, firstStage, hasBegun, stepAttempt } from "./course";
import { TEXTS } from "./failure-texts";
import { NO_CELL, placeKey, radioLevel } from "./radio";
import type { UpgradeSettings } from "./settings";
import { isOpen, type StoredSubTask, type StoredTask, tokenContext } from "./stored";
import { afterAttempt, countsOf, failsTooOften, statusOf, unfinishedOf } from "./sub-task-machine";
import type { SubTaskRepository } from "./sub-task-repository";
import type { TaskRepository } from "./task-repository";
import type { SubTask, UpgradeEvents, UpgradeTask } from "./upgrade";
import type { DeviceFact } from "./upgrade-link";

type Parts = {
  readonly tasks: TaskRepository;
  readonly subTasks: SubTaskRepository;
  readonly transactor: Pick<Transactor, "afterCommit">;
  readonly devices: {
    findByNo(no: number): Device | undefined;
    /** Only inside a transaction. */
    setVersions(deviceNo: number, versions: Pick<DeviceInfo, "swVersion" | "fwVersion">): void;
  };
  readonly products: Pick<ProductService, "compiled">;
  readonly packages: Pick<PackageService, "findByNo">;
  readonly events: Emitter<UpgradeEvents>;
  readonly sealer: Sealer;
  /** 256 random bits as text. */
  readonly newToken: () => string;
  readonly clock: Pick<Clock, "now">;
  readonly steady: () => number;
  readonly random: () => number; // 0 to 1
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: UpgradeSettings;
  /** After the commit: memory follows. */
  readonly changed: (before: StoredSubTask, after: StoredSubTask, task: StoredTask) => void;
};
type Facts = { readonly sub?: Partial<SubTask> } & Partial<Omit<StoredSubTask, "sub">>;
const MAX_TEXT = 300;

/**
 * What happens to sub-tasks, and to their task by that. All of it only inside a transaction; each takes a sub-task as it
 * is in its row.
 */
export function subTaskChanges(parts: Parts) {
  const { tasks, subTasks, transactor, devices, products, packages, events, clock, steady, trace, settings } = parts;
  const ended = parts.metrics.counter(
    "islet_upgrade_sub_tasks_total",
    "Sub-tasks of upgrades that have ended, by status",
  );

  /** The end of the task's window on the steady time; it is looked at on the wall clock again when it has come. */
  const lapseAt = ({ windowEnd }: StoredTask): number | undefined =>
    windowEnd === undefined ? undefined : steady() + (windowEnd - clock.now());
  const isLapsed = ({ windowEnd }: StoredTask): boolean => windowEnd !== undefined && windowEnd <= clock.now();

  /** Where only the beginning is awaited, the window counts too. */
  function dueOf(task: StoredTask, stored: StoredSubTask): number | undefined {
    const { course, parked, sub } = stored;
    if (!isOpen(stored)) return undefined;
    const own = parked ? undefined : course ? course.due : stored.due;
    const canLapse = !course || course.stage === "online" || course.stage === "slot";
    const lapse = canLapse && (sub.status !== "wait" || stored.due !== undefined || parked) ? lapseAt(task) : undefined;
    return own === undefined || lapse === undefined ? (own ?? lapse) : Math.min(own, lapse);
  }

  /** Stores it, counts it, tells of it. */
  function store(before: StoredSubTask, task: StoredTask, { sub, ...facts }: Facts): StoredSubTask {
    const next: StoredSubTask = { ...before, ...facts, sub: { ...before.sub, ...sub } };
    const after = { ...next, sub: { ...next.sub, stage: next.course?.stage }, due: dueOf(task, next) };
    subTasks.save(after);
    const current = counted(before, after, task);
    transactor.afterCommit(() => parts.changed(before, after, current));
    return after;
  }

  function counted(before: StoredSubTask, after: StoredSubTask, task: StoredTask): StoredTask {
    const from = { status: before.sub.status, timedOut: before.timedOut };
    const to = { status: after.sub.status, timedOut: after.timedOut };
    if (from.status === to.status && from.timedOut === to.timedOut) return task;
    const current = tasks.count(task.task.no, countsOf(from, to));
    if (!isOpen(after)) ended.with({ kind: after.sub.kind, status: after.sub.status }).add();
    return settle(current, to.status !== "wait" && to.status !== "stop");
  }

  /** Brings the status of a task in line with its counters. */
  function settle(stored: StoredTask, begins: boolean): StoredTask {
    const { task, stopped, since, work } = stored;
    const startedAt = task.startedAt ?? (begins ? clock.now() : undefined);
    const status = statusOf(task.counts, { stopped, started: startedAt !== undefined });
    const isEnded = unfinishedOf(task.counts) === 0 && (work === undefined || work === "stopping");
    const endedAt = isEnded ? (task.endedAt ?? clock.now()) : undefined;
    if (status !== task.status || startedAt !== task.startedAt || endedAt !== task.endedAt) {
      tasks.setStatus(task.no, status, startedAt, endedAt);
      if (isEnded) tasks.dropPackages(task.no);
    }
    if (isEnded && task.paused !== undefined) {
      tasks.setPaused(task.no, undefined);
      tasks.setUnparked(task.no);
    } else if (task.paused === undefined && !stopped && work === undefined && failsTooOften(task, since))
      tasks.setPaused(task.no, "byFailures");
    return tasks.get(task.no);
  }

  function record({ sub }: StoredSubTask, outcome: "succeeded" | "failed", what: string, detail?: string): void {
    const text = [sub.kind, sub.id, `attempt ${sub.executions + 1}`, detail].filter((it) => it !== undefined).join(" ");
    transactor.afterCommit(() =>
      trace.record({ deviceNo: sub.deviceNo, kind: "command", outcome, reason: `upgrade_${what}`, detail: text }),
    );
  }

  function tellState(task: UpgradeTask, subTask: SubTask, state: UpgradeEvents["deviceState"]["state"]): void {
    const device = devices.findByNo(subTask.deviceNo);
    if (device) events.emit("deviceState", { task, subTask, device, state });
  }

  const NO_ATTEMPT = { course: undefined, place: undefined, token: undefined, parked: false } as const;

  /** Is there another attempt, or was that all? `final`: there is none, whatever the policy says. */
  function endAttempt(
    stored: StoredSubTask,
    task: StoredTask,
    end: AttemptEnd,
    final?: { readonly begun: boolean; readonly device?: Device },
  ): StoredSubTask {
    const { sub, retries, course } = stored;
    const { retryTimes, retryIntervalS } = task.task.policy;
    const next = afterAttempt(end, {
      ...{ used: retries, times: final ? 0 : retryTimes, intervalS: retryIntervalS },
      ...{ now: steady(), until: lapseAt(task) },
    });
    const facts: Partial<SubTask> = {
      executions: sub.executions + (final?.begun === false ? 0 : 1),
      detail: end.detail?.slice(0, MAX_TEXT),
      errorCode: end.ok ? undefined : end.code?.slice(0, MAX_TEXT),
    };
    record(stored, end.ok ? "succeeded" : "failed", next.status, end.detail);
    if (next.status === "retry") {
      const waiting = { ...NO_ATTEMPT, due: next.at, retries: retries + 1 };
      const after = store(stored, task, { ...waiting, sub: { ...facts, status: "processing" } });
      if (course && course.progress !== "idle") tellState(tasks.get(sub.taskNo).task, after.sub, "idle");
      return after;
    }
    const version = end.ok ? (sub.targetVersion ?? sub.currentVersion) : sub.currentVersion;
    const after = store(stored, task, {
      ...{ ...NO_ATTEMPT, due: undefined, claims: false, timedOut: !end.ok && end.timedOut },
      sub: { ...facts, status: next.status, currentVersion: version, endedAt: clock.now() },
    });
    if (end.ok && version !== undefined) learnVersion(after, version);
    const device = final?.device ?? devices.findByNo(sub.deviceNo);
    const current = tasks.get(sub.taskNo).task;
    if (!device) return after;
    if (course && course.progress !== "idle")
      events.emit("deviceState", { task: current, subTask: after.sub, device, state: "idle" });
    events.emit("subTaskEnded", { task: current, subTask: after.sub, device });
    return after;
  }

  /** What the device said of itself is what the platform shows of it. */
  function learnVersion({ sub }: StoredSubTask, version: string): void {
    const device = devices.findByNo(sub.deviceNo);
    if (!device || versionOf(device, sub.kind) === version) return;
    devices.setVersions(device.no, sub.kind === "firmware" ? { fwVersion: version } : { swVersion: version });
  }

  const failed = (detail: string, timedOut = false): AttemptEnd => ({ ok: false, detail, timedOut });

  function contextOf({ sub }: StoredSubTask): CourseContext {
    if (!sub.way) throw new Error("an attempt without a way");
    return { kind: sub.kind, way: sub.way, limits: settings, now: steady(), target: sub.targetVersion };
  }

  /** Undefined: it does not concern the attempt. */
  function attempt(stored: StoredSubTask, task: StoredTask, event: CourseEvent, facts: Facts = {}) {
    const { course: from, sub } = stored;
    if (!from) return undefined;
    const step = stepAttempt(from, event, contextOf(stored));
    if (!step) return undefined;
    const told: StoredSubTask = { ...stored, ...facts, sub: { ...sub, ...facts.sub } };
    if ("end" in step) return endAttempt(told, task, step.end);
    const { next } = step;
    const now = clock.now();
    const isMoving = next.stage !== from.stage;
    const hasNews = next.progress !== from.progress;
    const isLoading = next.stage === "downloading" || next.progress !== "idle";
    const isLoaded = next.progress === "downloaded" || next.progress === "updating";
    const isBusy = hasBegun(next.stage);
    const after = store(told, task, {
      course: next,
      parked: false,
      token: isBusy ? (told.token ?? newToken(sub.no)) : undefined,
      sub: {
        detail: next.stage === "online" ? TEXTS.waiting : undefined,
        downloadStartedAt: told.sub.downloadStartedAt ?? (isLoading ? now : undefined),
        downloadedAt: told.sub.downloadedAt ?? (isLoaded ? now : undefined),
      },
    });
    if (isMoving) record(after, "succeeded", next.stage);
    if (hasNews) tellState(tasks.get(sub.taskNo).task, after.sub, next.progress);
    return after;
  }

  const newToken = (subTaskNo: number) => ({
    sealed: parts.sealer.seal(parts.newToken(), tokenContext(subTaskNo)),
    until: steady() + settings.tokenMs,
  });

  function packagesOf({ packageNos }: StoredTask): UpgradePackage[] {
    return packageNos.flatMap((no) => packages.findByNo(no) ?? []);
  }

  function version(stored: StoredSubTask, task: StoredTask, said: string): StoredSubTask | undefined {
    if (stored.course?.stage !== "version")
      return attempt(
        stored,
        task,
        { type: "version", version: said, plan: "upgrade" },
        { sub: { currentVersion: said } },
      );
    const { plan, package: chosen } = planFor(said, packagesOf(task));
    const facts: Facts = {
      packageNo: chosen?.no ?? stored.packageNo,
      sub: {
        ...{ sourceVersion: said, currentVersion: said },
        ...(chosen && { packageId: chosen.fileId, targetVersion: chosen.version }),
      },
    };
    const after = attempt(stored, task, { type: "version", version: said, plan }, facts);
    if (after) learnVersion(after, said);
    return after;
  }

  /** How it goes: `way`, or why it does not. */
  function check(task: StoredTask, device: Device) {
    const product = device.productNo === undefined ? undefined : products.compiled(device.productNo)?.product;
    const way = wayOf(product, task.task.kind);
    if (!way) return { problem: TEXTS.noWay };
    if (!packagesOf(task).every((it) => isForDevice(it, device))) return { problem: TEXTS.otherProduct };
    if (task.task.policy.executeType === "now" && device.status === "ABNORMAL") return { problem: TEXTS.notOnline };
    return { way };
  }

  /** Takes the device if no other upgrade has it. */
  const claims = ({ sub, claims: has }: StoredSubTask): boolean => has || subTasks.claimOf(sub.deviceNo) === undefined;

  const changes = {
    settle,
    isLapsed,
    packagesOf,

    /** A new one: the device is its own from now on, or another one has it. */
    admit(stored: StoredSubTask, task: StoredTask): StoredSubTask {
      if (!claims(stored)) return endAttempt(stored, task, failed(TEXTS.conflict));
      const { executeType, startAt, spreadS } = task.task.policy;
      const wait = executeType === "custom" && startAt !== undefined ? startAt - clock.now() : settings.waitMs;
      const spread = (spreadS ?? 0) * 1_000 * parts.random();
      return store(stored, task, {
        claims: true,
        due: Math.floor(steady() + Math.max(settings.waitMs, wait) + spread),
      });
    },

    /** The next attempt, or the first. */
    begin(stored: StoredSubTask, task: StoredTask): StoredSubTask {
      const device = devices.findByNo(stored.sub.deviceNo);
      if (!device) return endAttempt(stored, task, failed(TEXTS.deviceDeleted));
      const begun: StoredSubTask = {
        ...stored,
        sub: { ...stored.sub, startedAt: stored.sub.startedAt ?? clock.now(), way: undefined },
      };
      if (!claims(begun)) return endAttempt(begun, task, failed(TEXTS.conflict));
      const { way, problem } = check(task, device);
      if (!way) return endAttempt({ ...begun, claims: true }, task, failed(problem));
      record(begun, "succeeded", "online");
      return store(begun, task, {
        ...{ course: firstStage({ limits: settings, now: steady() }), claims: true, parked: false },
        sub: {
          ...{ status: "processing", way, detail: TEXTS.waiting, errorCode: undefined },
          ...{ downloadStartedAt: undefined, downloadedAt: undefined },
        },
      });
    },

    attempt,

    fact(stored: StoredSubTask, task: StoredTask, fact: DeviceFact): StoredSubTask | undefined {
      if (fact.type === "version") return version(stored, task, fact.version);
      if (fact.type === "radio" && fact.cellId !== undefined) {
        const { cellId, rsrp, sinr } = fact;
        const level = rsrp === undefined || sinr === undefined ? undefined : radioLevel(rsrp, sinr);
        return attempt(stored, task, { type: "fact", fact }, { place: placeKey({ cellId, level }) });
      }
      if (fact.type === "noRadio") return attempt(stored, task, { type: "fact", fact }, { place: placeKey(NO_CELL) });
      if (fact.type === "succeeded" && fact.version !== undefined)
        return attempt(stored, task, { type: "fact", fact }, { sub: { currentVersion: fact.version } });
      return attempt(stored, task, { type: "fact", fact });
    },

    /** Nothing has happened after all: when to look again. */
    lookLater: (stored: StoredSubTask, task: StoredTask): void => void store(stored, task, {}),

    /** Its task is paused: it goes on when that is over. */
    park: (stored: StoredSubTask, task: StoredTask): StoredSubTask =>
      stored.parked ? stored : store(stored, task, { parked: true }),
    unpark(stored: StoredSubTask, task: StoredTask): StoredSubTask {
      const goesOn = { ...stored, parked: false };
      if (stored.course) return attempt(goesOn, task, { type: "held" }) ?? store(goesOn, task, {});
      return store(stored, task, { parked: false, due: steady() });
    },

    /** The window of its task is over before it has begun. */
    lapse(stored: StoredSubTask, task: StoredTask): StoredSubTask | undefined {
      if (stored.course) return attempt(stored, task, { type: "windowOver" });
      return endAttempt(stored, task, failed(TEXTS.windowOver, true), { begun: false });
    },

    stop(stored: StoredSubTask, task: StoredTask): StoredSubTask {
      record(stored, "failed", "stopped");
      const { course } = stored;
      const after = store(stored, task, {
        ...{ ...NO_ATTEMPT, due: undefined, claims: false },
        sub: { status: "stop", detail: TEXTS.stopped, endedAt: clock.now() },
      });
      if (course && course.progress !== "idle") tellState(tasks.get(after.sub.taskNo).task, after.sub, "idle");
      return after;
    },

    /** From the beginning, with all its retries. One that has an attempt under way, or succeeded, stays as it is. */
    rerun(stored: StoredSubTask, task: StoredTask): StoredSubTask {
      const { sub, course } = stored;
      if (course || sub.status === "wait" || sub.status === "success") return stored;
      return store(stored, task, {
        ...{ due: steady(), retries: 0, timedOut: false },
        sub: { status: "processing", endedAt: undefined },
      });
    },

    /** In the transaction in which the device goes. */
    deviceGone: (stored: StoredSubTask, task: StoredTask, device: Device): StoredSubTask =>
      endAttempt(stored, task, failed(TEXTS.deviceDeleted), { begun: stored.course !== undefined, device }),
  };
  return changes;
}
export type SubTaskChanges = ReturnType<typeof subTaskChanges>;
