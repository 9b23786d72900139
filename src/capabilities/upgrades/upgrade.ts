import type { AppId } from "../applications/application";
import type { Device, DeviceId } from "../devices/device";
import type { PackageId, PackageKind } from "../packages/package";
import type { Stage, UpgradeWay } from "./upgrade-link";

export type UpgradeKind = PackageKind;
export type OperationId = string & { readonly brand: "OperationId" };
export type SubOperationId = string & { readonly brand: "SubOperationId" };

/** The vendor's words: tasks are `failed`, sub-tasks `fail` (ota.md 5). */
export const TASK_STATUSES = ["wait", "processing", "success", "failed", "stop"] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];
export const SUB_TASK_STATUSES = ["wait", "processing", "success", "fail", "stop"] as const;
export type SubTaskStatus = (typeof SUB_TASK_STATUSES)[number];
export const EXECUTE_TYPES = ["now", "device_online", "custom"] as const;
export type ExecuteType = (typeof EXECUTE_TYPES)[number];

/** Exactly one of `devices` (ids) and `deviceGroups` (names); groups need the three names of the product. */
export type UpgradeTargets = {
  readonly devices?: readonly string[] | undefined;
  readonly deviceGroups?: readonly string[] | undefined;
  readonly deviceType?: string | undefined;
  readonly model?: string | undefined;
  readonly manufacturerName?: string | undefined;
};

export type UpgradePolicy = {
  readonly executeType: ExecuteType;
  /** Of `custom`: when it starts, and when what has not begun fails. Ms. */
  readonly startAt?: number | undefined;
  readonly endAt?: number | undefined;
  readonly retryTimes: number; // 0: none
  readonly retryIntervalS: number;
  /** From here on the vendor has nothing like it. Devices of the task that are upgraded at the same time; left out: no limit. */
  readonly maxConcurrent?: number | undefined;
  /** Each device starts at a random moment within so many seconds. */
  readonly spreadS?: number | undefined;
  /** The task pauses itself when at least `minEnded` devices have ended and this share of them failed. */
  readonly pauseOnFailure?: { readonly percent: number; readonly minEnded: number } | undefined;
  /** 0 to 9; higher starts first where devices wait for a slot. */
  readonly priority: number;
};

export type SubTaskCounts = {
  readonly total: number;
  readonly wait: number;
  readonly processing: number;
  readonly success: number;
  readonly fail: number;
  readonly stop: number;
  /** Of those in `fail`: a time limit passed. */
  readonly timeout: number;
};

export type UpgradeTask = {
  readonly no: number;
  readonly id: OperationId;
  readonly appNo: number;
  readonly appId: AppId;
  readonly kind: UpgradeKind;
  readonly name: string;
  readonly operator: string;
  readonly origin: "Portal" | "Northbound";
  readonly packages: readonly PackageId[];
  readonly targets: UpgradeTargets;
  readonly policy: UpgradePolicy;
  readonly status: TaskStatus;
  /** By hand, or by `pauseOnFailure`: nothing new is started, what runs goes on. */
  readonly paused: "byOperator" | "byFailures" | undefined;
  readonly counts: SubTaskCounts;
  readonly createdAt: number;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
};

export type SubTask = {
  readonly no: number;
  readonly id: SubOperationId;
  readonly taskNo: number;
  readonly deviceNo: number;
  readonly deviceId: DeviceId;
  readonly kind: UpgradeKind;
  readonly status: SubTaskStatus;
  /** Of processing. Undefined while a retry is waited for. */
  readonly stage: Stage | undefined;
  readonly retryAt: number | undefined;
  /** Attempts that have ended (the console's execution count). */
  readonly executions: number;
  readonly way: UpgradeWay | undefined;
  readonly packageId: PackageId | undefined;
  readonly sourceVersion: string | undefined;
  readonly currentVersion: string | undefined;
  readonly targetVersion: string | undefined;
  /** Description of the state, the cause of a failure: texts of `failure-texts.ts`, or the device's. */
  readonly detail: string | undefined;
  readonly errorCode: string | undefined;
  readonly createdAt: number;
  readonly startedAt: number | undefined;
  readonly downloadStartedAt: number | undefined;
  readonly downloadedAt: number | undefined;
  readonly endedAt: number | undefined;
};

/** Emitted inside the transaction of the change. */
export type UpgradeEvents = {
  /** Progress on the device (1.8.15, 1.8.17). */
  deviceState: {
    readonly task: UpgradeTask;
    readonly subTask: SubTask;
    readonly device: Device;
    readonly state: "idle" | "downloading" | "downloaded" | "updating";
  };
  /** Success or fail, for good (1.8.16, 1.8.18); not for stopped ones. */
  subTaskEnded: { readonly task: UpgradeTask; readonly subTask: SubTask; readonly device: Device };
};

export type NewUpgrade = {
  readonly kind: UpgradeKind;
  /** 1 to 10; several need source versions that do not overlap. */
  readonly packages: readonly string[];
  readonly targets: UpgradeTargets;
  readonly policy: UpgradePolicy;
  readonly name?: string | undefined;
  readonly operator: string;
  readonly origin: UpgradeTask["origin"];
};

/** Of a device that a task would take: whether it would be upgraded, and why not. `version` as it was last known. */
export type DryRunItem = {
  readonly deviceId: DeviceId;
  readonly version: string | undefined;
  readonly packageId: PackageId | undefined;
  readonly targetVersion: string | undefined;
  /** Undefined: it would be upgraded (as far as is known now). */
  readonly obstacle: string | undefined;
  /** Does not hinder: commands under way, version not known yet, not online. */
  readonly warnings: readonly string[];
};

export type UpgradeFilter = {
  readonly appNo?: number | undefined;
  readonly kind?: UpgradeKind | undefined;
  readonly status?: TaskStatus | undefined;
  readonly deviceType?: string | undefined;
  readonly model?: string | undefined;
  readonly manufacturerName?: string | undefined;
  readonly deviceId?: string | undefined;
};

export interface UpgradeService {
  /**
   * Throws PACKAGE_NOT_FOUND, DEVICE_NOT_FOUND, UPGRADE_TARGET_INVALID {problem}, UPGRADE_POLICY_INVALID {problem},
   * UPGRADE_PACKAGES_INVALID {reason}, CONGESTED (too many unfinished sub-tasks). Resolves when the task and all its
   * sub-tasks are on disk.
   */
  create(appNo: number, input: NewUpgrade): Promise<UpgradeTask>;
  /** The same checks; changes nothing. At most `limit` items, and how many there are. */
  dryRun(
    appNo: number,
    input: NewUpgrade,
    limit: number,
  ): { readonly items: readonly DryRunItem[]; readonly total: number };
  /** Throws UPGRADE_TASK_NOT_FOUND, as all below. */
  get(operationId: string, appNo?: number): UpgradeTask;
  /** Newest first; pages from 0. */
  list(filter: UpgradeFilter, page: number, pageSize: number): { items: UpgradeTask[]; total: number };
  subTasks(
    task: UpgradeTask,
    filter: { readonly status?: SubTaskStatus | undefined },
    page: number,
    pageSize: number,
  ): { items: SubTask[]; total: number };
  /** Ends what is unfinished. Throws CONFLICT when it has ended. */
  stop(operationId: string): Promise<UpgradeTask>;
  /** Runs again what is failed or stopped, with all its retries. Throws CONFLICT when there is nothing. */
  retry(operationId: string): Promise<UpgradeTask>;
  pause(operationId: string): Promise<UpgradeTask>;
  resume(operationId: string): Promise<UpgradeTask>;
  /** Throws CONFLICT while it is unfinished. */
  delete(operationId: string): Promise<void>;
}

/** `problem` of UPGRADE_TARGET_INVALID and UPGRADE_POLICY_INVALID: each has its row at 1.12.4 and 1.12.5. */
export const TARGET_PROBLEMS = [
  "productMismatch", // 123016
  "manufacturerMissing", // 123019
  "deviceTypeMissing", // 123020
  "modelMissing", // 123021
  "targetsMissing", // 123022
  "targetsAmbiguous", // 123023
  "tooManyTargets", // 123024
] as const;
export type TargetProblem = (typeof TARGET_PROBLEMS)[number];
export const POLICY_PROBLEMS = [
  "executeTypeInvalid", // 123025
  "windowInvalid", // 123026
  "retryTimesInvalid", // 123028
  "startAfterEnd", // 123032
  "startInThePast", // 123033
  "windowTooShort", // 123034
] as const;
export type PolicyProblem = (typeof POLICY_PROBLEMS)[number];
