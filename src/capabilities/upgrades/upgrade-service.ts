import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ApplicationService } from "../applications/application";
import type { Device } from "../devices/device";
import type { PackageService } from "../packages/package";
import type { ProductService } from "../products/product";
import { isForDevice, planFor, versionOf, wayOf } from "./capability";
import { TEXTS } from "./failure-texts";
import { assertProduct, type CheckedUpgrade, checkUpgrade, memberPieces, type UpgradeCheckParts } from "./new-upgrade";
import type { StoredTask } from "./stored";
import type { SubTaskChanges } from "./sub-task-changes";
import { NO_COUNTS, unfinishedOf } from "./sub-task-machine";
import type { SubTaskRepository } from "./sub-task-repository";
import type { TaskRepository } from "./task-repository";
import type { TaskSteps } from "./task-steps";
import type { DryRunItem, NewUpgrade, OperationId, SubOperationId, UpgradeService, UpgradeTask } from "./upgrade";

type Parts = UpgradeCheckParts & {
  readonly applications: Pick<ApplicationService, "byNo">;
  readonly products: Pick<ProductService, "compiled">;
  readonly packages: Pick<PackageService, "find" | "findByNo">;
  readonly tasks: TaskRepository;
  readonly subTasks: SubTaskRepository;
  readonly changes: SubTaskChanges;
  readonly steps: TaskSteps;
  readonly transactor: Transactor;
  /** Sub-tasks of all tasks that have not ended. */
  readonly unfinished: () => number;
  /** New sub-tasks are counted by whoever makes them. */
  readonly added: (subTasks: number) => void;
  /** Of a device: commands that have not ended. */
  readonly openCommands: (device: Device) => number;
  readonly wake: () => void;
  readonly clock: Pick<Clock, "now">;
  readonly ids: Ids;
};

export function upgradeService(parts: Parts): UpgradeService {
  const { applications, products, packages, tasks, subTasks, changes, steps, transactor, settings, clock, ids } = parts;

  function get(operationId: string, appNo?: number): StoredTask {
    const found = tasks.find(operationId);
    const isThere = found && found.work !== "loading" && found.work !== "deleting";
    if (!isThere || (appNo !== undefined && found.task.appNo !== appNo))
      throw new DomainError("UPGRADE_TASK_NOT_FOUND", { operationId: operationId.slice(0, 256) });
    return found;
  }

  const conflict = (reason: string) => new DomainError("CONFLICT", { reason });

  /** In a transaction, on the task as it is then; with its first step, which is the only one of a small task. */
  const change = (operationId: string, work: (stored: StoredTask) => void): Promise<UpgradeTask> =>
    transactor.write(() => {
      const stored = get(operationId);
      work(stored);
      const { no } = stored.task;
      steps.first(no);
      transactor.afterCommit(parts.wake);
      return tasks.get(no).task;
    });

  function assertRoom(more: number): void {
    if (parts.unfinished() + more > settings.maxUnfinished)
      throw new DomainError("CONGESTED", { reason: `${settings.maxUnfinished} unfinished upgrades are the limit` });
  }

  function addTask(appNo: number, input: NewUpgrade, { packages: found, product }: CheckedUpgrade): StoredTask {
    const application = applications.byNo(appNo);
    if (!application) throw new DomainError("APP_NOT_FOUND", { appNo });
    for (const { no, fileId } of found)
      if (!packages.findByNo(no)) throw new DomainError("PACKAGE_NOT_FOUND", { fileId }); // removed meanwhile
    const id = ids.next() as OperationId;
    const { kind, targets, policy, operator, origin } = input;
    const stored = tasks.add({
      ...{ id, appNo, appId: application.id, kind, targets, policy, operator, origin, product },
      name: input.name || `${kind} ${found.map(({ version }) => version).join(", ")}`.slice(0, 256),
      packages: found.map(({ no, fileId }) => ({ no, id: fileId })),
      createdAt: clock.now(),
    });
    tasks.usePackages(
      stored.task.no,
      found.map(({ no }) => no),
    );
    return stored;
  }

  /** How many: a device that it has already is left out. */
  function addSubTasks({ task }: StoredTask, { packages: found }: CheckedUpgrade, devices: readonly Device[]): number {
    const only = found.length === 1 ? found[0] : undefined;
    let added = 0;
    for (const device of devices) {
      const id = ids.next() as SubOperationId;
      const { no: deviceNo, id: deviceId } = device;
      const isNew = subTasks.add({
        ...{ id, taskNo: task.no, deviceNo, deviceId, kind: task.kind, createdAt: clock.now(), package: only },
      });
      added += Number(isNew);
    }
    if (added === 0) return 0;
    assertRoom(added);
    tasks.count(task.no, { ...NO_COUNTS, total: added, wait: added });
    transactor.afterCommit(() => parts.added(added));
    return added;
  }

  /** All is there: its sub-tasks begin their lives. */
  function activate(taskNo: number): UpgradeTask {
    tasks.setWork(taskNo, "admitting");
    steps.first(taskNo);
    transactor.afterCommit(parts.wake);
    return tasks.get(taskNo).task;
  }

  const createForDevices = (appNo: number, input: NewUpgrade, checked: CheckedUpgrade, devices: readonly Device[]) =>
    transactor.write(() => {
      const stored = addTask(appNo, input, checked);
      addSubTasks(stored, checked, devices);
      return activate(stored.task.no);
    });

  /** In many short transactions; what is not complete when the process ends was told to nobody, and goes. */
  async function createForGroups(appNo: number, input: NewUpgrade, checked: CheckedUpgrade): Promise<UpgradeTask> {
    const { no } = (await transactor.write(() => addTask(appNo, input, checked))).task;
    try {
      let total = 0;
      for (const { found } of memberPieces(checked, appNo, settings.stepItems, parts))
        total += await transactor.write(() => addSubTasks(tasks.get(no), checked, found));
      if (total === 0)
        throw new DomainError("UPGRADE_TARGET_INVALID", {
          problem: "targetsMissing",
          reason: "no member of this product",
        });
      return await transactor.write(() => activate(no));
    } catch (error) {
      await transactor.write(() => tasks.setWork(no, "deleting"));
      parts.wake();
      throw error;
    }
  }

  function dryRunItem(checked: CheckedUpgrade, { kind, policy }: NewUpgrade, device: Device): DryRunItem {
    const version = versionOf(device, kind);
    const { plan, package: chosen } =
      version === undefined
        ? { plan: "upgrade" as const, package: checked.packages.length === 1 ? checked.packages[0] : undefined }
        : planFor(version, checked.packages);
    const product = device.productNo === undefined ? undefined : products.compiled(device.productNo)?.product;
    const obstacles = [
      checked.packages.every((it) => isForDevice(it, device)) ? undefined : TEXTS.otherProduct,
      wayOf(product, kind) ? undefined : TEXTS.noWay,
      subTasks.claimOf(device.no) === undefined ? undefined : TEXTS.conflict,
      policy.executeType === "now" && device.status === "ABNORMAL" ? TEXTS.notOnline : undefined,
      plan === "same" ? TEXTS.sameVersion : undefined,
      plan === "unsupported" ? TEXTS.sourceVersion : undefined,
    ];
    const commands = parts.openCommands(device);
    const warnings = [
      commands > 0 ? `${commands} commands have not ended` : undefined,
      version === undefined ? "its version is not known yet" : undefined,
      device.status === "ONLINE" ? undefined : `it is ${device.status}`,
    ];
    return {
      deviceId: device.id,
      version,
      packageId: chosen?.fileId,
      targetVersion: chosen?.version,
      obstacle: obstacles.find((text) => text !== undefined),
      warnings: warnings.filter((text) => text !== undefined),
    };
  }

  return {
    async create(appNo, input) {
      const checked = checkUpgrade(appNo, input, clock.now(), parts);
      assertProduct(checked);
      assertRoom(1);
      const { targets } = checked;
      if ("devices" in targets) return createForDevices(appNo, input, checked, targets.devices);
      return createForGroups(appNo, input, checked);
    },

    dryRun(appNo, input, limit) {
      const checked = checkUpgrade(appNo, input, clock.now(), parts);
      const item = (device: Device) => dryRunItem(checked, input, device);
      const { targets } = checked;
      if ("devices" in targets)
        return { items: targets.devices.slice(0, limit).map(item), total: targets.devices.length };
      const found: Device[] = [];
      let looked = 0;
      for (const piece of memberPieces(checked, appNo, settings.stepItems, parts)) {
        found.push(...piece.found);
        looked += piece.looked;
        if (looked >= settings.maxDryRunDevices) break;
      }
      // Of those that were not looked at, all may be meant.
      const total = looked >= targets.members ? found.length : found.length + targets.members - looked;
      return { items: found.slice(0, limit).map(item), total };
    },

    get: (operationId, appNo) => get(operationId, appNo).task,
    list: (filter, page, pageSize) => tasks.page(filter, page, pageSize),
    subTasks({ no }, { status }, page, pageSize) {
      const counts = tasks.lookUp(no)?.task.counts ?? NO_COUNTS;
      return {
        items: subTasks.page(no, status, page, pageSize),
        total: status === undefined ? counts.total : counts[status],
      };
    },

    stop: (operationId) =>
      change(operationId, ({ task, stopped }) => {
        if (stopped || unfinishedOf(task.counts) === 0) throw conflict("the task has ended");
        tasks.setStopped(task.no, true);
        tasks.setPaused(task.no, undefined);
        tasks.setUnparked(task.no);
        tasks.setWork(task.no, "stopping");
        changes.settle(tasks.get(task.no), false);
      }),

    retry: (operationId) =>
      change(operationId, (stored) => {
        const { task, work, packageNos } = stored;
        const { no, counts } = task;
        if (work === "stopping") throw conflict("the task is being stopped");
        if (counts.fail + counts.stop === 0 && !subTasks.waitsForRetry(no)) throw conflict("nothing has failed");
        assertRoom(counts.fail + counts.stop);
        for (const packageNo of packageNos)
          if (!packages.findByNo(packageNo)) throw new DomainError("PACKAGE_NOT_FOUND", { reason: "it was removed" });
        tasks.usePackages(no, packageNos);
        tasks.setStopped(no, false);
        tasks.setSince(no, counts.success, 0); // the failed ones begin anew
        if (changes.isLapsed(stored)) tasks.openWindow(no);
        // Those that were never admitted go on with that.
        tasks.setWork(no, "retrying");
      }),

    pause: (operationId) =>
      change(operationId, ({ task }) => {
        if (unfinishedOf(task.counts) === 0) throw conflict("the task has ended");
        if (task.paused !== "byOperator") tasks.setPaused(task.no, "byOperator");
      }),
    resume: (operationId) =>
      change(operationId, ({ task: { no, counts, paused } }) => {
        if (paused === undefined) throw conflict("the task is not paused");
        tasks.setSince(no, counts.success + counts.fail, counts.fail);
        tasks.setPaused(no, undefined);
      }),

    delete: async (operationId) => {
      await change(operationId, ({ task, work }) => {
        if (unfinishedOf(task.counts) > 0 || work !== undefined) throw conflict("the task has not ended");
        tasks.setWork(task.no, "deleting");
      });
    },
  };
}
