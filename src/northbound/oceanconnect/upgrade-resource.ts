import { z } from "zod";
import {
  EXECUTE_TYPES,
  SUB_TASK_STATUSES,
  type SubTask,
  TASK_STATUSES,
  type UpgradeKind,
  type UpgradePolicy,
  type UpgradeTargets,
  type UpgradeTask,
} from "../../capabilities/upgrades/upgrade";
import { renderUtcTime } from "../../platform/utc-time";
import { count, known, list, time } from "./answer-fields";

export const OPERATE_TYPES = { firmware: "firmware_upgrade", software: "software_upgrade" } as const satisfies Record<
  UpgradeKind,
  string
>;

const text = () => known(z.string());
const counts = { total: count(), wait: count(), processing: count(), success: count(), fail: count(), stop: count() };
export const OperationInfo = z.object({
  ...{ operationId: z.string(), createTime: time(), startTime: known(time()), stopTime: known(time()) },
  operateType: z.enum(Object.values(OPERATE_TYPES)),
  targets: z.object({
    ...{ deviceGroups: known(list(z.string())), deviceType: text(), model: text(), manufacturerName: text() },
    devices: known(list(z.string())),
  }),
  policy: z.object({
    ...{ executeType: z.enum(EXECUTE_TYPES), startTime: known(time()), endTime: known(time()) },
    ...{ retryType: z.boolean(), retryTimes: known(count()) },
  }),
  status: z.enum(TASK_STATUSES),
  staResult: z.object({ ...counts, timeout: count().meta({ description: "of those in fail: a time limit passed" }) }),
  extendPara: z.record(z.string(), z.string()),
});
export const SubOperationInfo = z.object({
  ...{ subOperationId: z.string(), createTime: time(), startTime: known(time()), stopTime: known(time()) },
  ...{ operateType: z.enum(Object.values(OPERATE_TYPES)), deviceId: z.string(), status: z.enum(SUB_TASK_STATUSES) },
  detailInfo: text().meta({ description: "what it waits for, or why it failed" }),
  extendPara: z.object({
    upgradeTime: text().meta({ description: "in whole seconds" }),
    downloadTime: text().meta({ description: "in whole seconds" }),
    ...{ sourceVersion: text(), curVersion: text(), targetVersion: text() },
  }),
});

/** OperationInfo (1.12.6, 1.12.8). */
export const toOperation = (task: UpgradeTask) => ({
  operationId: task.id,
  createTime: renderUtcTime(task.createdAt),
  startTime: at(task.startedAt),
  stopTime: at(task.endedAt),
  operateType: OPERATE_TYPES[task.kind],
  targets: toTargets(task.targets),
  policy: toPolicy(task.policy),
  status: task.status,
  staResult: task.counts,
  extendPara: { taskName: task.name, fileId: task.packages.join(","), ...(task.paused && { paused: task.paused }) },
});

const toTargets = ({ devices, deviceGroups, deviceType, model, manufacturerName }: UpgradeTargets) => ({
  deviceGroups: deviceGroups ?? null,
  deviceType: deviceType ?? null,
  model: model ?? null,
  manufacturerName: manufacturerName ?? null,
  devices: devices ?? null,
});

const toPolicy = ({ executeType, startAt, endAt, retryTimes }: UpgradePolicy) => ({
  executeType,
  startTime: at(startAt),
  endTime: at(endAt),
  retryType: retryTimes > 0,
  retryTimes: retryTimes > 0 ? retryTimes : null,
});

/** SubOperationInfo (1.12.7). The values of `extendPara` are strings; durations in whole seconds. */
export const toSubOperation = (it: SubTask) => ({
  subOperationId: it.id,
  createTime: renderUtcTime(it.createdAt),
  startTime: at(it.startedAt),
  stopTime: at(it.endedAt),
  operateType: OPERATE_TYPES[it.kind],
  deviceId: it.deviceId,
  status: it.status,
  detailInfo: it.detail ?? null,
  extendPara: {
    upgradeTime: seconds(it.startedAt, it.endedAt),
    downloadTime: seconds(it.downloadStartedAt, it.downloadedAt),
    sourceVersion: it.sourceVersion ?? null,
    curVersion: it.currentVersion ?? null,
    targetVersion: it.targetVersion ?? null,
  },
});

const at = (ms: number | undefined) => (ms === undefined ? null : renderUtcTime(ms));
const seconds = (fromMs: number | undefined, toMs: number | undefined) =>
  fromMs === undefined || toMs === undefined ? null : String(Math.round((toMs - fromMs) / 1_000));
