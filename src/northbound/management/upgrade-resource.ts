import { z } from "@hono/zod-openapi";
import { PACKAGE_KINDS } from "../../capabilities/packages/package";
import {
  type DryRunItem,
  EXECUTE_TYPES,
  SUB_TASK_STATUSES,
  type SubTask,
  TASK_STATUSES,
  type UpgradePolicy,
  type UpgradeTargets,
  type UpgradeTask,
} from "../../capabilities/upgrades/upgrade";
import { STAGES, UPGRADE_WAYS } from "../../capabilities/upgrades/upgrade-link";
import { Moment, Timestamp, toOptionalTimestamp, toTimestamp } from "./routes";

const DEFAULT_INTERVAL_S = 120; // ota.md 6
const name = z.string().min(1).max(256);
const names = z.array(name).min(1);

const targets = {
  devices: names.optional().openapi({ description: "deviceIds; either these or deviceGroups" }),
  deviceGroups: names.optional().openapi({
    description:
      "names; with them the three names of the product are needed, and members of other products are left out",
  }),
  deviceType: name.optional(),
  model: name.optional(),
  manufacturerName: name.optional(),
};
const policy = {
  executeType: z.enum(EXECUTE_TYPES).default("now").openapi({
    description:
      "now: fails for a device that is ABNORMAL, waits for others; device_online: waits for every device; custom: begins between startTime and endTime",
  }),
  retryTimes: z
    .int()
    .min(0)
    .max(5)
    .default(0)
    .openapi({ description: "how often a device that failed is tried again" }),
  retryIntervalSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(DEFAULT_INTERVAL_S)
    .openapi({ description: "from a failure to the next try" }),
  maxConcurrent: z.int().min(1).optional().openapi({ description: "devices that are upgraded at the same time" }),
  spreadSeconds: z
    .int()
    .min(1)
    .max(7 * 86_400)
    .optional()
    .openapi({ description: "each device starts at a random moment within this time" }),
  pauseOnFailure: z
    .strictObject({ percent: z.int().min(1).max(100), minEnded: z.int().min(1).default(10) })
    .optional()
    .openapi({ description: "the task pauses itself when this share of at least minEnded ended devices has failed" }),
  priority: z
    .int()
    .min(0)
    .max(9)
    .default(0)
    .openapi({ description: "higher goes first where devices wait for each other" }),
};
export const NewUpgradeBody = z
  .strictObject({
    name: name.optional().openapi({ description: "left out: made of kind and versions" }),
    kind: z.enum(PACKAGE_KINDS).openapi({ description: "of all packages" }),
    packages: z.array(name).min(1).openapi({
      description:
        "fileIds; several, when the source versions they are for do not overlap: each device gets the one that fits",
    }),
    targets: z.strictObject(targets),
    policy: z.strictObject({ ...policy, startTime: Moment.optional(), endTime: Moment.optional() }).prefault({}),
  })
  .openapi("NewUpgrade");
export type NewUpgradeBody = z.infer<typeof NewUpgradeBody>;

export function toNewUpgrade({ policy: given, ...input }: NewUpgradeBody, operator: string) {
  const { startTime: startAt, endTime: endAt, retryIntervalSeconds, spreadSeconds, ...rest } = given;
  const policy: UpgradePolicy = {
    ...{ ...rest, startAt, endAt },
    ...{ retryIntervalS: retryIntervalSeconds, spreadS: spreadSeconds },
  };
  return { ...input, policy, operator, origin: "Portal" } as const;
}

const counts = z.object({
  total: z.int().openapi({ description: "devices; those of the other statuses add up to it" }),
  wait: z.int(),
  processing: z.int().openapi({ description: "those that wait for their device or a retry included" }),
  success: z.int(),
  fail: z.int(),
  stop: z.int(),
  timeout: z.int().openapi({ description: "of those in fail: a time limit passed" }),
});
export const UpgradeResource = z
  .object({
    operationId: z.string(),
    appId: z.string(),
    name: z.string(),
    kind: z.enum(PACKAGE_KINDS),
    operator: z.string().openapi({ description: "who created it: an operator, or the application" }),
    origin: z.enum(["Portal", "Northbound"]).openapi({ description: "this API, or the vendor's" }),
    packages: z.array(z.string()).openapi({ description: "fileIds" }),
    targets: z.object(targets),
    policy: z.object({ ...policy, startTime: Timestamp.optional(), endTime: Timestamp.optional() }),
    status: z.enum(TASK_STATUSES).openapi({ description: "failed: it has ended, and at least one device failed" }),
    paused: z
      .enum(["byOperator", "byFailures"])
      .optional()
      .openapi({ description: "no further device begins; byFailures: see policy.pauseOnFailure" }),
    counts,
    createdAt: Timestamp,
    startedAt: Timestamp.optional(),
    endedAt: Timestamp.optional(),
  })
  .openapi("Upgrade");

export const toUpgradeResource = (task: UpgradeTask) => ({
  operationId: task.id,
  appId: task.appId,
  name: task.name,
  kind: task.kind,
  operator: task.operator,
  origin: task.origin,
  packages: [...task.packages],
  targets: toTargets(task.targets),
  policy: toPolicy(task.policy),
  status: task.status,
  paused: task.paused,
  counts: task.counts,
  createdAt: toTimestamp(task.createdAt),
  startedAt: toOptionalTimestamp(task.startedAt),
  endedAt: toOptionalTimestamp(task.endedAt),
});
const toTargets = ({ devices, deviceGroups, ...rest }: UpgradeTargets) => ({
  devices: devices && [...devices],
  deviceGroups: deviceGroups && [...deviceGroups],
  ...rest,
});
const toPolicy = ({ startAt, endAt, retryIntervalS, spreadS, ...rest }: UpgradePolicy) => ({
  ...rest,
  retryIntervalSeconds: retryIntervalS,
  spreadSeconds: spreadS,
  startTime: toOptionalTimestamp(startAt),
  endTime: toOptionalTimestamp(endAt),
});

export const SubTaskResource = z
  .object({
    subOperationId: z.string(),
    deviceId: z.string(),
    status: z.enum(SUB_TASK_STATUSES),
    stage: z.enum(STAGES).optional().openapi({ description: "of processing: what is awaited" }),
    retryAt: Timestamp.optional().openapi({ description: "it failed, and is tried again then" }),
    way: z.enum(UPGRADE_WAYS).optional().openapi({
      description: "object5: firmware over LwM2M; pcp: software over LwM2M and CoAP; mqtt: events and HTTP",
    }),
    executions: z.int().openapi({ description: "attempts that have ended" }),
    packageId: z.string().optional().openapi({ description: "fileId of the package that fits its version" }),
    sourceVersion: z.string().optional().openapi({ description: "that it told before the upgrade" }),
    currentVersion: z.string().optional().openapi({ description: "that it told last" }),
    targetVersion: z.string().optional(),
    detail: z.string().optional().openapi({ description: "what it waits for, or why it failed" }),
    errorCode: z.string().optional().openapi({ description: "as the device said it" }),
    createdAt: Timestamp,
    startedAt: Timestamp.optional(),
    downloadStartedAt: Timestamp.optional(),
    downloadedAt: Timestamp.optional(),
    endedAt: Timestamp.optional(),
  })
  .openapi("UpgradeOfDevice");

export const toSubTaskResource = (it: SubTask) => ({
  subOperationId: it.id,
  deviceId: it.deviceId,
  status: it.status,
  stage: it.stage,
  retryAt: toOptionalTimestamp(it.retryAt),
  executions: it.executions,
  way: it.way,
  packageId: it.packageId,
  sourceVersion: it.sourceVersion,
  currentVersion: it.currentVersion,
  targetVersion: it.targetVersion,
  detail: it.detail,
  errorCode: it.errorCode,
  createdAt: toTimestamp(it.createdAt),
  startedAt: toOptionalTimestamp(it.startedAt),
  downloadStartedAt: toOptionalTimestamp(it.downloadStartedAt),
  downloadedAt: toOptionalTimestamp(it.downloadedAt),
  endedAt: toOptionalTimestamp(it.endedAt),
});

export const DryRunItemResource = z
  .object({
    deviceId: z.string(),
    wouldUpgrade: z.boolean(),
    obstacle: z.string().optional().openapi({ description: "why it would not be upgraded" }),
    warnings: z.array(z.string()).openapi({ description: "what does not hinder: commands under way, not online, …" }),
    version: z.string().optional().openapi({ description: "as it was last known" }),
    packageId: z.string().optional(),
    targetVersion: z.string().optional(),
  })
  .openapi("UpgradeDryRunItem");

export const toDryRunItemResource = ({ obstacle, warnings, ...rest }: DryRunItem) => ({
  ...rest,
  wouldUpgrade: obstacle === undefined,
  obstacle,
  warnings: [...warnings],
});
