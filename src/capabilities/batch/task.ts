import type { DomainErrorCode } from "../../platform/domain-error";
import type { AppId } from "../applications/application";
import type { CommandId, CommandParas, CommandStatus } from "../commands/command";
import type { DeviceId } from "../devices/device";
import type { ProductId } from "../products/product";

export type TaskId = string & { readonly brand: "BatchTaskId" };
export const TASK_KINDS = ["command", "configuration", "registration", "deletion"] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/**
 * loading: its file is being read. expanding: its targets are being found. scheduled: waits for its start. running: its
 * sub-tasks are started, and awaited. closing: its time is over, or it was stopped: what is open is closed. deleting: gone
 * for everybody but the disk.
 */
export const TASK_PHASES = ["loading", "expanding", "scheduled", "running", "closing", "ended", "deleting"] as const;
export type TaskPhase = (typeof TASK_PHASES)[number];
export const TASK_ENDINGS = ["Complete", "Timeout", "Stopped"] as const;
export type TaskEnding = (typeof TASK_ENDINGS)[number];
export type TaskState = { readonly phase: TaskPhase; readonly ending: TaskEnding | undefined };

/** How many sub-tasks are in which state; the rest of `total` is Pending. */
export type Counts = {
  readonly waiting: number;
  readonly success: number;
  readonly fail: number;
  readonly timeout: number;
  /** Of those in `timeout`: nothing was ever sent. */
  readonly expired: number;
};
export type TaskTag = { readonly tagName: string; readonly tagValue: string };

export type Task = TaskState & {
  readonly no: number;
  readonly id: TaskId;
  readonly appNo: number;
  readonly appId: AppId;
  readonly kind: TaskKind;
  readonly name: string;
  /** Who made it: a name for people. */
  readonly operator: string;
  readonly origin: "Portal" | "Northbound"; // the vendor's words for the console and the API
  readonly tags: readonly TaskTag[];
  readonly timeoutS: number | undefined;
  readonly startAt: number; // ms, as the others
  readonly deadline: number | undefined;
  readonly createdAt: number;
  readonly endedAt: number | undefined;
  readonly total: number;
  readonly counts: Counts;
};

/** Which devices. Of groups, the numbers were looked up when the task was made. */
export type Targets =
  | { readonly type: "DeviceList"; readonly deviceIds: readonly string[] }
  | {
      readonly type: "DeviceType";
      readonly deviceType: string;
      readonly manufacturerId?: string | undefined;
      readonly model?: string | undefined;
    }
  | { readonly type: "DeviceArea"; readonly location: string }
  /** `groups`: names, or ids, as they were given. */
  | { readonly type: "GroupList" | "GroupIdList"; readonly groups: readonly string[] }
  | { readonly type: "Broadcast" };
export const TARGET_TYPES = [
  "DeviceList",
  "DeviceType",
  "DeviceArea",
  "GroupList",
  "Broadcast",
  "GroupIdList",
] as const satisfies readonly Targets["type"][];

type Targeted = {
  readonly targets: Targets;
  readonly groupNos: readonly number[];
  /** Only devices that carry a tag of this name. */
  readonly groupTag?: string | undefined;
};
export type Retry = { readonly times: number; readonly intervalS: number };
/** What a task is to do. */
export type TaskSpec =
  | (Targeted & {
      readonly kind: "command";
      readonly serviceId: string;
      readonly method: string;
      readonly paras: CommandParas;
      readonly callbackUrl?: string | undefined;
      /** Whose address it is, when an application acts for another one. */
      readonly callbackAppNo?: number | undefined;
      readonly maxRetransmit?: number | undefined;
    })
  | (Targeted & {
      readonly kind: "configuration";
      readonly values: Readonly<Record<string, unknown>>;
      readonly retry?: Retry | undefined;
    })
  | (Targeted & { readonly kind: "deletion"; readonly cascade: boolean })
  | { readonly kind: "registration"; readonly productId: ProductId; readonly fileName: string };
export type SpecOf<K extends TaskKind> = Extract<TaskSpec, { kind: K }>;

export const ITEM_STATES = ["Pending", "WaitResult", "Success", "Fail", "Timeout"] as const;
export type ItemState = (typeof ITEM_STATES)[number];

/** Why a sub-task did not succeed, beside the domain errors: what became of what it started. */
export const ITEM_FAILURES = [
  "COMMAND_FAILED",
  "COMMAND_TIMEOUT",
  "COMMAND_EXPIRED",
  "COMMAND_CANCELED",
  "CONFIGURATION_FAILED",
  "CONFIGURATION_SUPERSEDED",
  "TASK_TIMEOUT",
  "TASK_STOPPED",
  "INTERNAL",
] as const;
export type ItemFailure = (typeof ITEM_FAILURES)[number];
export type ItemError = {
  readonly code: DomainErrorCode | ItemFailure;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
};

/** One device of a task. */
export type Item = {
  readonly taskNo: number;
  readonly pos: number; // from 0
  /** A deviceId, or the nodeId that is to be registered. */
  readonly target: string;
  readonly deviceNo: number | undefined;
  readonly deviceId: DeviceId | undefined;
  readonly state: ItemState;
  readonly tries: number;
  readonly commandNo: number | undefined;
  readonly commandId: CommandId | undefined;
  /** Configuration: the values of which the outcome is awaited, by service. */
  readonly wanted: WantedValues | undefined;
  /** Of a command: what the device said. */
  readonly result: { readonly status: CommandStatus; readonly detail: unknown } | undefined;
  readonly error: ItemError | undefined;
  readonly endedAt: number | undefined;
};
export type WantedValues = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

type NewTask = {
  readonly name: string;
  readonly operator: string;
  readonly origin: Task["origin"];
};
type NewTargeted = NewTask & { readonly targets: Targets; readonly groupTag?: string | undefined };
export type NewCommandTask = NewTargeted &
  Omit<SpecOf<"command">, "kind" | "groupNos" | "groupTag" | "targets"> & {
    readonly timeoutMinutes: number;
    readonly tags?: readonly TaskTag[] | undefined;
  };
export type NewConfigurationTask = NewTargeted & {
  /** Property → value, as platform.md 8 has it; or serviceId → properties. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly retry?: Retry | undefined;
  /** Left out: now. */
  readonly startAt?: number | undefined;
  /** Left out: as long after the start as a task may last. */
  readonly endAt?: number | undefined;
};
export type NewDeletionTask = NewTargeted & { readonly cascade: boolean };
export type NewRegistrationTask = NewTask & { readonly productId: string; readonly fileName: string };

export type TaskFilter = {
  readonly appNo?: number | undefined;
  readonly kind?: TaskKind | undefined;
  readonly phase?: TaskPhase | undefined;
};
export type ItemFilter = {
  readonly state?: ItemState | undefined;
  readonly target?: string | undefined;
  readonly commandId?: string | undefined;
};

/**
 * Tasks are done in the background, in steps. What creates a task throws INPUT_INVALID, APP_NOT_FOUND, BATCH_NAME_TAKEN,
 * BATCH_LIMIT_REACHED (unfinished tasks of this kind), and with targets GROUP_UNKNOWN_TO_BATCH, TAG_NOT_FOUND; then
 * nothing is left behind. It resolves when the task is on disk.
 */
export interface BatchService {
  createCommands(appId: AppId, input: NewCommandTask): Promise<Task>;
  createConfiguration(appId: AppId, input: NewConfigurationTask): Promise<Task>;
  createDeletion(appId: AppId, input: NewDeletionTask): Promise<Task>;
  /**
   * Reads the CSV to its end before it resolves; what is wrong with a row is the failure of its sub-task, what is wrong
   * with the file is BATCH_FILE_INVALID {line, reason}. Also throws PRODUCT_NOT_FOUND, PAYLOAD_TOO_LARGE.
   */
  createRegistrations(appId: AppId, input: NewRegistrationTask, csv: AsyncIterable<Uint8Array>): Promise<Task>;

  /** Within the application, of this kind. Throws BATCH_TASK_NOT_FOUND. */
  get(appNo: number, kind: TaskKind, taskId: string): Task;
  /** In any application: for operators. Throws BATCH_TASK_NOT_FOUND. */
  getById(taskId: string): Task;
  spec(task: Task): TaskSpec;
  /** Newest first. Pages count from 0, as below. */
  list(filter: TaskFilter, page: number, pageSize: number): { items: Task[]; total: number };
  items(task: Task, filter: ItemFilter, page: number, pageSize: number): { items: Item[]; total: number };
  /** The file of a registration with what became of each row; a text a step. Throws CONFLICT for other kinds. */
  resultFile(task: Task): Iterable<string>;

  /** Closes what is open; what has been sent is not called back. Throws BATCH_TASK_NOT_FOUND, CONFLICT (it has ended). */
  stop(taskId: string): Promise<Task>;
  /** Throws BATCH_TASK_NOT_FOUND, CONFLICT (it has not ended). */
  delete(taskId: string): Promise<void>;
}

export type BatchSettings = {
  readonly maxUnfinished: number;
  readonly minTimeoutMinutes: number;
  readonly maxTimeoutMinutes: number;
  readonly maxConfigurationNameChars: number;
  readonly maxConfigurationChars: number;
  readonly maxRetries: number;
  readonly maxFileBytes: number;
  readonly maxFileRows: number;
  readonly maxRowChars: number;
  readonly stepItems: number;
  readonly stepMs: number;
  readonly dutyCycle: number;
  readonly maxPauseMs: number;
  readonly faultPauseMs: number;
  readonly keepMs: number;
  readonly sweepMs: number;
};
export const BATCH_DEFAULTS: BatchSettings = {
  maxUnfinished: 10,
  minTimeoutMinutes: 10,
  maxTimeoutMinutes: 2_880,
  maxConfigurationNameChars: 50,
  maxConfigurationChars: 16_384,
  maxRetries: 5,
  maxFileBytes: 16 * 1024 * 1024,
  maxFileRows: 100_000,
  maxRowChars: 8_192,
  stepItems: 100,
  stepMs: 5,
  dutyCycle: 0.5,
  maxPauseMs: 200,
  faultPauseMs: 5_000,
  keepMs: 30 * 24 * 3_600_000,
  sweepMs: 60_000,
};
