import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Application, ApplicationService } from "../applications/application";
import type { Product } from "../products/product";
import type { BatchGroups } from "./find-targets";
import type { ItemChanges } from "./item-changes";
import type { ItemRepository } from "./item-repository";
import {
  checkName,
  checkPeriod,
  checkRetry,
  checkTaskTags,
  checkTimeout,
  checkValues,
  resolveTargets,
} from "./new-tasks";
import { resultFile } from "./result-file";
import type { Specs } from "./specs";
import type { BatchService, BatchSettings, ItemFilter, Targets, Task, TaskId, TaskSpec } from "./task";
import { pendingOf, stepTask } from "./task-machine";
import type { NewTaskRow, TaskRepository } from "./task-repository";

type Parts = {
  readonly applications: Pick<ApplicationService, "get">;
  readonly groups: BatchGroups;
  readonly hasTag: (appNo: number, tagName: string) => boolean;
  /** Throws PRODUCT_NOT_FOUND. */
  readonly productOf: (appNo: number, productId: string) => Product;
  readonly tasks: TaskRepository;
  readonly items: ItemRepository;
  readonly specs: Specs;
  readonly changes: ItemChanges;
  readonly load: (task: Task, csv: AsyncIterable<Uint8Array>) => Promise<void>;
  readonly wake: () => void;
  readonly transactor: Transactor;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly settings: BatchSettings;
};
type Plan = Partial<Pick<NewTaskRow, "tags" | "timeoutS" | "startAt" | "deadline">>;

export function batchService(parts: Parts): BatchService {
  const { applications, groups, hasTag, productOf, tasks, items, specs, changes, transactor, clock, log } = parts;
  const { settings, ids, wake } = parts;

  function targetsOf(appNo: number, targets: Targets, groupTag: string | undefined) {
    if (groupTag !== undefined && !hasTag(appNo, groupTag))
      throw new DomainError("TAG_NOT_FOUND", { tagName: groupTag });
    return { ...resolveTargets(appNo, targets, groups), groupTag };
  }

  function add(
    application: Application,
    input: { name: string; operator: string; origin: Task["origin"] },
    spec: TaskSpec,
    { tags = [], timeoutS, startAt, deadline }: Plan = {},
  ): Promise<Task> {
    const { no: appNo, id: appId } = application;
    const { kind } = spec;
    return transactor.write(() => {
      if (tasks.isNameTaken(appNo, kind, input.name))
        throw new DomainError("BATCH_NAME_TAKEN", { taskName: input.name });
      if (tasks.countUnfinished(appNo, kind) >= settings.maxUnfinished)
        throw new DomainError("BATCH_LIMIT_REACHED", { limit: settings.maxUnfinished });
      const createdAt = clock.now();
      const task = tasks.add(
        {
          ...{ id: ids.next() as TaskId, appNo, appId, kind, tags, timeoutS, createdAt },
          ...{ name: input.name, operator: input.operator, origin: input.origin },
          phase: kind === "registration" ? "loading" : "expanding",
          startAt: startAt ?? createdAt,
          deadline: deadline ?? (timeoutS === undefined ? undefined : createdAt + timeoutS * 1_000),
        },
        spec,
      );
      transactor.afterCommit(wake);
      return task;
    });
  }

  function getById(taskId: string): Task {
    const task = tasks.find(taskId);
    if (!task || task.phase === "deleting" || task.phase === "loading")
      throw new DomainError("BATCH_TASK_NOT_FOUND", { taskId: taskId.slice(0, 256) });
    return task;
  }

  /** How many match, where the counters of the task know it. */
  function known({ total, counts, ...task }: Task, { state, target, commandId }: ItemFilter): number | undefined {
    if (target !== undefined || commandId !== undefined) return undefined;
    switch (state) {
      case undefined:
        return total;
      case "Pending":
        return pendingOf({ ...task, total, counts });
      case "WaitResult":
        return counts.waiting;
      case "Success":
        return counts.success;
      case "Fail":
        return counts.fail;
      case "Timeout":
        return counts.timeout;
      default:
        return state satisfies never;
    }
  }

  return {
    async createCommands(appId, { targets, groupTag, timeoutMinutes, tags, ...input }) {
      const application = applications.get(appId);
      checkName(input.name);
      const { serviceId, method, paras, callbackUrl, callbackAppNo, maxRetransmit } = input;
      const plan = { tags: checkTaskTags(tags ?? []), timeoutS: checkTimeout(timeoutMinutes, settings) };
      const resolved = targetsOf(application.no, targets, groupTag);
      const command = { serviceId, method, paras, callbackUrl, callbackAppNo, maxRetransmit };
      return add(application, input, { kind: "command", ...resolved, ...command }, plan);
    },

    async createConfiguration(appId, { targets, groupTag, ...input }) {
      const application = applications.get(appId);
      checkName(input.name, settings.maxConfigurationNameChars);
      const values = checkValues(input.values, settings);
      const retry = checkRetry(input.retry, settings);
      const period = checkPeriod(input, clock.now(), settings);
      const resolved = targetsOf(application.no, targets, groupTag);
      return add(application, input, { kind: "configuration", ...resolved, values, retry }, period);
    },

    async createDeletion(appId, { targets, groupTag, cascade, ...input }) {
      const application = applications.get(appId);
      checkName(input.name);
      const resolved = targetsOf(application.no, targets, groupTag);
      return add(application, input, { kind: "deletion", ...resolved, cascade });
    },

    async createRegistrations(appId, input, csv) {
      const application = applications.get(appId);
      checkName(input.name);
      const { id: productId } = productOf(application.no, input.productId);
      const fileName = input.fileName.slice(0, 256);
      const task = await add(application, input, { kind: "registration", productId, fileName });
      try {
        await parts.load(task, csv);
        return await transactor.write(() => {
          const loaded = tasks.get(task.no);
          if (loaded?.phase !== "loading") throw new DomainError("APP_NOT_FOUND", { appId });
          const running = tasks.setState(task.no, stepTask(loaded, { type: "loaded" }), undefined);
          changes.settle(running); // when no row can be registered
          transactor.afterCommit(wake);
          return tasks.get(task.no) ?? running;
        });
      } catch (error) {
        await discard(task).catch((fault: unknown) =>
          log.error("batch_discard_failed", { taskId: task.id, error: fault }),
        );
        throw error;
      }
    },

    get(appNo, kind, taskId) {
      const task = getById(taskId);
      if (task.appNo !== appNo || task.kind !== kind) throw new DomainError("BATCH_TASK_NOT_FOUND", { taskId });
      return task;
    },
    getById,
    spec: (task) => tasks.spec(task.no),
    list: (filter, page, pageSize) => tasks.page(filter, page, pageSize),
    items: (task, filter, page, pageSize) => items.page(task.no, filter, known(task, filter), page, pageSize),
    resultFile(task) {
      if (task.kind !== "registration")
        throw new DomainError("CONFLICT", { reason: `a ${task.kind} has no result file` });
      return resultFile(task, items, parts.sealer);
    },

    stop: (taskId) =>
      transactor.write(() => {
        const task = getById(taskId);
        const next = stepTask(task, { type: "stopped" });
        if (next === task) throw new DomainError("CONFLICT", { reason: "the task has ended, or is about to" });
        transactor.afterCommit(wake);
        return tasks.setState(task.no, next, undefined);
      }),

    delete: (taskId) =>
      transactor.write(() => {
        const task = getById(taskId);
        const next = stepTask(task, { type: "discarded" });
        if (next === task) throw new DomainError("CONFLICT", { reason: "the task has not ended: stop it first" });
        tasks.setState(task.no, next, task.endedAt);
        specs.forget(task.no);
        transactor.afterCommit(wake);
      }),
  };

  /** A file that was refused leaves nothing behind. */
  async function discard({ no }: Task): Promise<void> {
    await transactor.write(() => {
      const task = tasks.get(no);
      if (!task) return;
      tasks.setState(no, stepTask(task, { type: "discarded" }), undefined);
      transactor.afterCommit(wake);
    });
  }
}
