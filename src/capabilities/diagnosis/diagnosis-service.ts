import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Listenable } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import { steadyTime } from "../../platform/steady-time";
import type { Transactor } from "../../platform/storage/group-commit";
import type { LwM2mPath } from "../../wire/lwm2m";
import type { ContactEvents, Device, DeviceEvents } from "../devices/device";
import type { TraceSink } from "../devices/trace-sink";
import type { CompiledProduct } from "../products/product";
import type { ResourceAnswer, ResourceLink, ResourceRequest } from "../resources/resource-link";
import { type CourseEvent, isEnded, isReady } from "./course";
import { logOf } from "./log-content";
import { readyTasks } from "./ready-tasks";
import type { CollectedLog, Diagnosis, DiagnosisSettings, DiagnosisTask, TaskFailure, TaskId, TaskKind } from "./task";
import { taskChanges } from "./task-changes";
import { type StoredTask, taskRepository } from "./task-repository";

const REBOOT: LwM2mPath = [3, 0, 4];
const LOG_DATA: LwM2mPath = [20, 0, 4014];
const REQUESTS: Record<TaskKind, ResourceRequest> = {
  reboot: { op: "execute", path: REBOOT },
  collectLog: { op: "read", path: LOG_DATA },
};
const MAX_UNSTORED = 100;
type Outcome = {
  readonly event: CourseEvent;
  readonly detail?: string | undefined;
  readonly collected?: CollectedLog | undefined;
};
const PROTOCOLS: readonly string[] = ["CoAP", "LWM2M"];

export type DiagnosisParts = {
  /** `registry.db`. */
  readonly db: Database;
  readonly transactor: Transactor;
  readonly devices: { findById(id: string): Device | undefined };
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly products: { compiled(no: number): CompiledProduct | undefined };
  /** Asked at each contact, so links may join later. */
  readonly links: readonly ResourceLink[];
  readonly contacts: Listenable<ContactEvents>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: DiagnosisSettings;
};

/** Restart of modules and collection of their logs. `sweep` ends what has lasted too long; see `startDiagnosisUpkeep`. */
export function createDiagnosis(parts: DiagnosisParts): Diagnosis & { sweep(): Promise<void> } {
  const { transactor, devices, products, links, clock, ids, log, trace, settings } = parts;
  const steady = steadyTime(clock);
  const repository = taskRepository(parts.db);
  const ready = readyTasks();
  const apply = taskChanges({ ...parts, repository, steady, ready });
  /** Devices that something is being sent to. */
  const busy = new Set<number>();
  /** Answers that a full disk did not take. */
  const unstored = new Map<number, Outcome>();
  recover();
  parts.metrics.gauge("islet_diagnosis_unfinished", "Diagnosis tasks that have not ended", ready.unfinished);

  parts.deviceEvents.on("deviceDeleted", ({ device: { no } }) => {
    repository.deleteOfDevice(no); // and the logs with them
    transactor.afterCommit(() => ready.forget(no));
  });
  parts.contacts.on("deviceHeard", ({ deviceNo, hasMore }) => {
    if (hasMore || !ready.has(deviceNo) || busy.has(deviceNo)) return;
    busy.add(deviceNo);
    void sendReady(deviceNo)
      .catch((error: unknown) => log.error("diagnosis_failed", { deviceNo, error }))
      .finally(() => busy.delete(deviceNo));
  });

  /** What the last run left. A clock that was set back meanwhile must not make anything wait longer than it may. */
  function recover(): void {
    const now = steady();
    const longest = settings.rebootDelayMs + settings.sendWithinMs;
    for (const stored of repository.unfinished()) {
      const { task, course, due = now, sendUntil } = stored;
      const limit = apply.limitOf(stored);
      if (due > now + limit || sendUntil > now + longest)
        repository.setTimes(task.no, Math.min(due, now + limit), Math.min(sendUntil, now + longest));
      ready.set(task, isReady(task.kind, course));
    }
  }

  /** One after the other as long as the device listens: the log first, which a restart would wipe out. */
  async function sendReady(deviceNo: number): Promise<void> {
    for (;;) {
      const link = links.find((it) => it.registrationOf(deviceNo) !== undefined);
      const no = ready.next(deviceNo);
      if (no === undefined || !link?.isListening(deviceNo)) return;
      const goesOn = link.registrationOf(deviceNo)?.style === "tup" ? await refuse(no) : await send(link, no);
      if (!goesOn) return;
    }
  }

  async function refuse(no: number): Promise<boolean> {
    const refused = await change(no, { type: "impossible", reason: "no_objects" });
    return refused !== undefined && isEnded(refused.course);
  }

  /** False when there is nothing more to do now. */
  async function send(link: ResourceLink, no: number): Promise<boolean> {
    const sending = await transactor.write(() => {
      const stored = repository.get(no);
      if (!stored || !isReady(stored.task.kind, stored.course)) return undefined; // cancelled or deleted just now
      const isLate = stored.due !== undefined && stored.due <= steady();
      return apply.event(stored, { type: isLate ? "timeUp" : "sending" });
    });
    if (!sending) return false;
    if (!sending.task.sent) return true;
    const { deviceNo, kind } = sending.task;
    const answer = await link.request(deviceNo, REQUESTS[kind]);
    switch (answer.kind) {
      case "noAnswer":
        // The exchange is over; the task ends when the time of platform.md 13 is.
        record(sending.task, "failed", "no_acknowledgement");
        return false;
      case "unreachable":
        await change(no, { type: "notSent" });
        return false;
      default: {
        const outcome = outcomeOf(kind, answer);
        await settle(no, outcome).catch((error: unknown) => {
          log.error("diagnosis_answer_not_stored", { deviceNo, error });
          if (unstored.size < MAX_UNSTORED) unstored.set(no, outcome);
        });
        return true;
      }
    }
  }

  function outcomeOf(kind: TaskKind, answer: Exclude<ResourceAnswer, { kind: "noAnswer" | "unreachable" }>): Outcome {
    const failed = (reason: TaskFailure, detail?: string): Outcome => ({ event: { type: "failed", reason }, detail });
    if (answer.kind === "refused") return failed("refused", [answer.code, answer.detail].filter(Boolean).join(" "));
    if (answer.kind === "unreadable") return failed("unreadable", answer.detail);
    const collected = kind === "collectLog" ? logOf(answer.node) : undefined;
    if (kind === "collectLog" && !collected) return failed("unreadable", "no log in the answer");
    const { length } = collected?.content ?? [];
    if (length > settings.maxLogBytes) return failed("log_too_large", `${length} bytes`);
    return { event: { type: "succeeded" }, collected };
  }

  const settle = (no: number, { event, detail, collected }: Outcome) => change(no, event, detail, collected);

  /** Undefined when the task is no longer there. */
  const change = (no: number, event: CourseEvent, detail?: string, collected?: CollectedLog) =>
    transactor.write(() => {
      const stored = repository.get(no);
      return stored && apply.event(stored, event, detail, collected);
    });

  function record(task: DiagnosisTask, outcome: "succeeded" | "failed", reason: string): void {
    trace.record({ deviceNo: task.deviceNo, kind: "command", outcome, reason, detail: `${task.kind} ${task.id}` });
  }

  function find(deviceNo: number, id: string): StoredTask {
    const stored = repository.findById(id);
    if (stored?.task.deviceNo !== deviceNo) throw new DomainError("DIAGNOSIS_TASK_NOT_FOUND", { taskId: id });
    return stored;
  }

  return {
    async create(deviceId, kind) {
      const task = await transactor.write(() => {
        const device = devices.findById(deviceId);
        if (!device) throw new DomainError("DEVICE_NOT_FOUND", { deviceId });
        assertSupported(device);
        if (ready.unfinished() >= settings.maxUnfinished)
          throw new DomainError("CONGESTED", { reason: `${settings.maxUnfinished} unfinished tasks are the limit` });
        const open = repository.findOpen(device.no, kind);
        if (open) throw new DomainError("CONFLICT", { reason: `another ${kind} is unfinished`, taskId: open.task.id });
        return apply.add({ id: ids.next() as TaskId, deviceNo: device.no, deviceId: device.id, kind }).task;
      });
      record(task, "succeeded", "diagnosis_created");
      return task;
    },
    list: repository.page,
    get: (deviceNo, id) => find(deviceNo, id).task,
    log(deviceNo, id) {
      const { task } = find(deviceNo, id);
      const found = repository.log(task.no);
      if (!found) throw new DomainError("CONFLICT", { reason: "the task has no log", state: task.state });
      return found;
    },
    cancel: (deviceNo, id) =>
      transactor.write(() => {
        const stored = find(deviceNo, id);
        if (isEnded(stored.course) || stored.task.sent)
          throw new DomainError("CONFLICT", {
            reason: "only what was not sent can be cancelled",
            state: stored.task.state,
          });
        return apply.event(stored, { type: "cancelled" }).task;
      }),

    async sweep() {
      for (const [no, outcome] of unstored)
        await settle(no, outcome).then(
          () => unstored.delete(no),
          (error: unknown) => log.error("diagnosis_answer_not_stored", { error }),
        );
      for (let ended = settings.sweepBatch; ended === settings.sweepBatch; )
        ended = await transactor.write(() => {
          const due = repository.due(steady(), settings.sweepBatch);
          for (const stored of due) apply.event(stored, { type: "timeUp" });
          return due.length;
        });
    },
  };

  function assertSupported({ productNo }: Device): void {
    const product = productNo === undefined ? undefined : products.compiled(productNo)?.product;
    const refuse = (reason: string) => new DomainError("DIAGNOSIS_UNSUPPORTED", { reason });
    if (!product) throw refuse("the device has no product");
    if (!PROTOCOLS.includes(product.protocolType))
      throw refuse("the protocol of the product is neither CoAP nor LWM2M");
    if (product.omCapability === undefined) throw refuse("the product has no omCapability");
  }
}
