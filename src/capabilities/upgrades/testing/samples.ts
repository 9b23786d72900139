import type { AppId } from "../../applications/application";
import type { DeviceId } from "../../devices/device";
import type { PackageId } from "../../packages/package";
import type { OperationId, SubOperationId, SubTask, UpgradeTask } from "../upgrade";

export const SAMPLE_AT = Date.UTC(2026, 0, 31, 12);
export const OPERATION_ID = "0123456789abcdef0123456789abcdef" as OperationId;

/** Of an application of number 7. */
export const sampleTask: UpgradeTask = {
  ...{
    no: 9,
    id: OPERATION_ID,
    appNo: 7,
    appId: "app1" as AppId,
    kind: "software",
    name: "winter",
    operator: "meters",
  },
  origin: "Northbound",
  packages: ["f1" as PackageId],
  targets: { devices: ["d1", "d2"] },
  policy: { executeType: "now", retryTimes: 2, retryIntervalS: 120, priority: 0 },
  ...{ status: "processing", paused: undefined },
  counts: { total: 2, wait: 0, processing: 1, success: 1, fail: 0, stop: 0, timeout: 0 },
  ...{ createdAt: SAMPLE_AT, startedAt: SAMPLE_AT + 10_000, endedAt: undefined },
};

export const sampleSubTask: SubTask = {
  ...{ no: 1, id: "s1" as SubOperationId, taskNo: 9, deviceNo: 11, deviceId: "d1" as DeviceId, kind: "software" },
  ...{ status: "success", stage: undefined, retryAt: undefined, executions: 1, way: "pcp" },
  ...{ packageId: "f1" as PackageId, sourceVersion: "V1.0", currentVersion: "V2.0", targetVersion: "V2.0" },
  ...{ detail: "success", errorCode: undefined },
  ...{ createdAt: SAMPLE_AT, startedAt: SAMPLE_AT + 10_000, downloadStartedAt: SAMPLE_AT + 20_000 },
  ...{ downloadedAt: SAMPLE_AT + 50_000, endedAt: SAMPLE_AT + 100_000 },
};
