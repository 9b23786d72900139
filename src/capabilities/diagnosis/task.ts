import type { DeviceId } from "../devices/device";

export type TaskId = string & { readonly brand: "DiagnosisTaskId" };
export const TASK_KINDS = ["reboot", "collectLog"] as const;
export type TaskKind = (typeof TASK_KINDS)[number];
export const TASK_STATES = ["Waiting", "Processing", "Success", "Fail"] as const;
export type TaskState = (typeof TASK_STATES)[number];

export const TASK_FAILURES = [
  /** The device did not come within the time. */
  "not_sent_in_time",
  /** It was sent, and nothing came back within the time. */
  "no_answer",
  /** The device said no; the detail has its code. */
  "refused",
  /** What came back cannot be read. */
  "unreadable",
  "log_too_large",
  /** It registered with the dialect that knows no objects. */
  "no_objects",
  "cancelled",
] as const;
export type TaskFailure = (typeof TASK_FAILURES)[number];

/** Remote diagnosis of platform.md 13. Times in ms. */
export type DiagnosisTask = {
  readonly no: number; // grows with creation
  readonly id: TaskId;
  readonly deviceNo: number;
  readonly deviceId: DeviceId;
  readonly kind: TaskKind;
  readonly state: TaskState;
  /** Of Processing: with the device. A restart is processed before it is sent. */
  readonly sent: boolean;
  readonly reason: TaskFailure | undefined;
  readonly detail: string | undefined;
  readonly createdAt: number;
  readonly processingAt: number | undefined;
  readonly sentAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly logBytes: number | undefined;
};

export type CollectedLog = { readonly content: Uint8Array; readonly contentType: string };

export type TaskFilter = {
  readonly deviceNo?: number | undefined;
  readonly kind?: TaskKind | undefined;
  readonly state?: TaskState | undefined;
  readonly page: number; // from 0
  readonly pageSize: number;
};

export interface Diagnosis {
  /**
   * Throws DEVICE_NOT_FOUND, DIAGNOSIS_UNSUPPORTED {reason}, CONFLICT (one of the kind is unfinished), CONGESTED.
   * Resolves when it is on disk; it is sent when the device is heard the next time.
   */
  create(deviceId: string, kind: TaskKind): Promise<DiagnosisTask>;
  /** Newest first. */
  list(filter: TaskFilter): { items: DiagnosisTask[]; total: number };
  /** Throws DIAGNOSIS_TASK_NOT_FOUND. */
  get(deviceNo: number, id: string): DiagnosisTask;
  /** Throws DIAGNOSIS_TASK_NOT_FOUND, CONFLICT when there is no log (yet). */
  log(deviceNo: number, id: string): CollectedLog;
  /** Only what was not sent; it ends as Fail. Throws DIAGNOSIS_TASK_NOT_FOUND, CONFLICT. */
  cancel(deviceNo: number, id: string): Promise<DiagnosisTask>;
}

export type DiagnosisSettings = {
  /** A restart waits so long before it may be sent. */
  readonly rebootDelayMs: number;
  /** A task that could not be sent within this time has failed; of a restart, from the end of that wait. */
  readonly sendWithinMs: number;
  /** And one that was not answered within this time after it was sent. */
  readonly answerWithinMs: number;
  /** Largest log that is kept. */
  readonly maxLogBytes: number;
  /** Ended tasks (with their logs) kept per device and kind. */
  readonly keepPerDevice: number;
  /** Unfinished tasks of all devices. */
  readonly maxUnfinished: number;
  /** How often it is looked for times that have passed. */
  readonly sweepIntervalMs: number;
  /** Tasks touched in one transaction of that. */
  readonly sweepBatch: number;
};
export const DIAGNOSIS_DEFAULTS: DiagnosisSettings = {
  rebootDelayMs: 10_000,
  sendWithinMs: 25 * 3_600_000,
  answerWithinMs: 30 * 60_000,
  maxLogBytes: 1024 * 1024,
  keepPerDevice: 5,
  maxUnfinished: 100_000,
  sweepIntervalMs: 1_000,
  sweepBatch: 500,
};
