import type { AppId } from "../applications/application";
import type { DeviceId } from "../devices/device";
import type { Command } from "./command";

/** The vendor's spelling. */
export const CANCEL_TASK_STATUSES = ["WAITTING", "RUNNING", "SUCCESS", "FAILED", "PART_SUCCESS"] as const;
export type CancelTaskStatus = (typeof CANCEL_TASK_STATUSES)[number];

/** Cancels what was PENDING for a device when it was created (1.9.5). */
export type CancelTask = {
  readonly no: number;
  readonly id: string;
  readonly appId: AppId;
  readonly deviceNo: number;
  readonly deviceId: DeviceId;
  readonly status: CancelTaskStatus;
  readonly total: number;
  readonly createdAt: number; // ms
  /** As they are now, oldest first; those that were deleted for their age are missing. */
  readonly commands: readonly Command[];
};

export type CancelTaskFilter = {
  readonly taskId?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly status?: CancelTaskStatus | undefined;
  readonly createdAfter?: number | undefined; // ms, exclusive
  readonly createdBefore?: number | undefined;
  readonly pageNo: number; // 0 is the first page
  readonly pageSize: number;
};
/** `totalCommands`: commands of all tasks that match, as 1.9.6 counts. */
export type CancelTaskPage = { readonly items: CancelTask[]; readonly totalCommands: number };

/** A command that left or ended before the task came to it was not cancelled. Nothing to cancel is a success. */
export function endOf({ total, cancelled }: { total: number; cancelled: number }): CancelTaskStatus {
  if (cancelled === total) return "SUCCESS";
  return cancelled === 0 ? "FAILED" : "PART_SUCCESS";
}
