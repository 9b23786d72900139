import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { AppId } from "../applications/application";
import type { Device } from "../devices/device";
import { type CancelTask, type CancelTaskFilter, type CancelTaskPage, endOf } from "./cancel-task";
import { cancelTaskRepository, type StoredTask } from "./cancel-task-repository";
import type { CommandSettings } from "./command";
import type { ApplyChange } from "./command-changes";
import type { StoredCommand } from "./command-row";
import type { QueueRepository } from "./queue-repository";

type Parts = {
  readonly db: Database;
  readonly queue: Pick<QueueRepository, "pendingOf">;
  readonly transactor: Transactor;
  readonly apply: ApplyChange;
  readonly devices: { find(appId: AppId, id: string): Device | undefined };
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly settings: Pick<CommandSettings, "sweepBatch">;
};

/** 1.9.5, 1.9.6: tasks that cancel what waits for a device. They are on disk, so a later run ends what this one began. */
export function cancelTasks({ db, queue, transactor, apply, devices, clock, ids, log, settings }: Parts) {
  const repository = cancelTaskRepository(db);
  const running = new Set<number>();

  function deviceOf(appId: AppId, deviceId: string): Device {
    const device = devices.find(appId, deviceId);
    if (!device) throw new DomainError("DEVICE_NOT_FOUND", { deviceId });
    return device;
  }

  /** WAITTING → RUNNING → its end, in bounded transactions. */
  async function run(no: number): Promise<void> {
    if (running.has(no)) return;
    running.add(no);
    try {
      await transactor.write(() => {
        const task = repository.get(no);
        if (task?.status === "WAITTING") repository.save(no, "RUNNING", 0);
      });
      for (let isRunning = true; isRunning; ) isRunning = await transactor.write(() => goOn(no));
    } finally {
      running.delete(no);
    }
  }

  /** Is there more to do? */
  function goOn(no: number): boolean {
    const task = repository.get(no);
    if (task?.status !== "RUNNING") return false;
    const batch = repository.undone(no, settings.sweepBatch);
    let { cancelled } = task;
    for (const stored of batch) {
      if (cancel(stored)) cancelled += 1;
      repository.setDone(no, stored.command.no);
    }
    const isRunning = batch.length === settings.sweepBatch;
    repository.save(no, isRunning ? "RUNNING" : endOf({ total: task.total, cancelled }), cancelled);
    return isRunning;
  }

  /** A command that another task or a call has cancelled meanwhile is cancelled, as was wanted. */
  function cancel(stored: StoredCommand): boolean {
    const now = clock.now();
    const isExpired = stored.delivery.state === "PENDING" && stored.until <= now;
    return apply(stored, { type: isExpired ? "expired" : "cancelled" }, now).status === "CANCELED";
  }

  const start = (no: number): void =>
    void run(no).catch((error: unknown) => log.error("command_cancel_task_failed", { taskNo: no, error }));

  const withCommands = ({ cancelled: _, ...task }: StoredTask): CancelTask => ({
    ...task,
    commands: repository.commandsOf(task.no).map(({ command }) => command),
  });

  return {
    async create(appId: AppId, deviceId: string): Promise<CancelTask> {
      const device = deviceOf(appId, deviceId);
      return transactor.write(() => {
        const now = clock.now();
        const pending = queue.pendingOf(device.no, now).map(({ command }) => command.no);
        const facts = { appId: device.appId, deviceNo: device.no, deviceId: device.id, createdAt: now };
        const task = repository.add({ id: ids.next(), ...facts }, pending);
        transactor.afterCommit(() => start(task.no));
        return withCommands(task);
      });
    },

    query(appId: AppId, filter: CancelTaskFilter): CancelTaskPage {
      const { deviceId, createdAfter, createdBefore } = filter;
      if (createdAfter !== undefined && createdBefore !== undefined && createdBefore <= createdAfter)
        throw new DomainError("INPUT_INVALID", { field: "endTime", reason: "not later than startTime" });
      const deviceNo = deviceId === undefined ? undefined : deviceOf(appId, deviceId).no;
      const { items, totalCommands } = repository.page(appId, deviceNo, filter);
      return { items: items.map(withCommands), totalCommands };
    },

    /** Ends what an earlier run, or one that met a full disk, left open. */
    async runOpen(): Promise<void> {
      let last = 0;
      for (;;) {
        const open = repository.openAfter(last, settings.sweepBatch);
        if (open.length === 0) return;
        for (const no of open) await run(no);
        last = open.at(-1) ?? last;
      }
    },

    /** Only inside a transaction, as the next one. */
    deleteEnded: repository.deleteEnded,
    deleteOfDevice: repository.deleteOfDevice,
  };
}
