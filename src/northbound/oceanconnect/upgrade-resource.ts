import type {
  SubTask,
  UpgradeKind,
  UpgradePolicy,
  UpgradeTargets,
  UpgradeTask,
} from "../../capabilities/upgrades/upgrade";
import { renderUtcTime } from "../../platform/utc-time";

export const OPERATE_TYPES = { firmware: "firmware_upgrade", software: "software_upgrade" } as const satisfies Record<
  UpgradeKind,
  string
>;

/** OperationInfo (1.12.6, 1.12.8). */
export const toOperation = (task: UpgradeTask) => ({
  operationId: task.id,
  createTime: renderUtcTime(task.createdAt),
  startTime: time(task.startedAt),
  stopTime: time(task.endedAt),
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
  startTime: time(startAt),
  endTime: time(endAt),
  retryType: retryTimes > 0,
  retryTimes: retryTimes > 0 ? retryTimes : null,
});

/** SubOperationInfo (1.12.7). The values of `extendPara` are strings; durations in whole seconds. */
export const toSubOperation = (it: SubTask) => ({
  subOperationId: it.id,
  createTime: renderUtcTime(it.createdAt),
  startTime: time(it.startedAt),
  stopTime: time(it.endedAt),
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

const time = (ms: number | undefined) => (ms === undefined ? null : renderUtcTime(ms));
const seconds = (fromMs: number | undefined, toMs: number | undefined) =>
  fromMs === undefined || toMs === undefined ? null : String(Math.round((toMs - fromMs) / 1_000));
