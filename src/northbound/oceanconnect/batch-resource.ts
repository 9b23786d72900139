import { z } from "zod";
import {
  ITEM_STATES,
  type Item,
  type ItemError,
  type ItemFailure,
  type SpecOf,
  TARGET_TYPES,
  type Task,
} from "../../capabilities/batch/task";
import { completed, progressOf, successRateOf, vendorStatusOf } from "../../capabilities/batch/task-machine";
import { renderUtcTime } from "../../platform/utc-time";
import { count, free, known, list, time } from "./answer-fields";
import { errorRow } from "./errors";

const perMille = z.number().int().min(0).max(1_000);
const word = known(z.string());
const BatchTaskParam = z.object({
  type: z.enum(TARGET_TYPES),
  ...{ deviceList: list(z.string()).optional(), deviceType: z.string().optional() },
  ...{ manufacturerId: word.optional(), model: word.optional(), deviceLocation: z.string().optional() },
  groupList: list(z.string()).optional(),
  command: z.object({ serviceId: z.string(), method: z.string(), paras: free() }),
  ...{ callbackUrl: word, maxRetransmit: known(count()), groupTag: word },
});
export const BatchTaskResource = z.object({
  ...{ appId: z.string(), taskId: z.string(), taskName: z.string(), operator: z.string() },
  taskFrom: z.enum(["Portal", "Northbound"]),
  taskType: z.literal("DeviceCmd"),
  status: z.enum(["Pending", "Running", "Complete", "Timeout"]),
  startTime: time(),
  timeout: known(count()).meta({ description: "Seconds; minutes where a task is created" }),
  progress: perMille,
  ...{ totalCnt: count(), successCnt: count(), failCnt: count(), timeoutCnt: count(), expiredCnt: count() },
  completeCnt: count(),
  successRate: perMille,
  param: BatchTaskParam,
  tags: list(z.object({ tagName: z.string(), tagValue: z.string() }))
    .optional()
    .meta({ description: "Only where they are asked for with select=tag" }),
});
export const BatchSubtaskResource = z.object({
  status: z.enum(ITEM_STATES),
  output: word.meta({ description: "JSON: requestId, commandResult" }),
  error: word.meta({ description: "JSON: error_code, error_desc, error_detail" }),
  param: z.object({ deviceId: z.string(), commandId: word }),
});

/** 1.10.2. `tags` only when they are asked for. */
export const toTaskResource = (task: Task, spec: SpecOf<"command">, withTags: boolean) => ({
  appId: task.appId,
  taskId: task.id,
  taskName: task.name,
  operator: task.operator,
  taskFrom: task.origin,
  taskType: "DeviceCmd" as const,
  status: vendorStatusOf(task),
  startTime: renderUtcTime(task.createdAt),
  timeout: task.timeoutS ?? null, // seconds here, minutes at 1.10.1
  progress: progressOf(task),
  totalCnt: task.total,
  successCnt: task.counts.success,
  failCnt: task.counts.fail,
  timeoutCnt: task.counts.timeout,
  expiredCnt: task.counts.expired,
  completeCnt: completed(task.counts),
  successRate: successRateOf(task),
  param: toParam(spec),
  ...(withTags && { tags: task.tags }),
});

function toParam({ targets, serviceId, method, paras, callbackUrl, maxRetransmit, groupTag }: SpecOf<"command">) {
  return {
    ...toTargets(targets),
    command: { serviceId, method, paras },
    callbackUrl: callbackUrl ?? null,
    maxRetransmit: maxRetransmit ?? null,
    groupTag: groupTag ?? null,
  };
}

function toTargets(targets: SpecOf<"command">["targets"]) {
  const { type } = targets;
  switch (type) {
    case "DeviceList":
      return { type, deviceList: targets.deviceIds };
    case "DeviceType": {
      const { deviceType, manufacturerId = null, model = null } = targets;
      return { type, deviceType, manufacturerId, model };
    }
    case "DeviceArea":
      return { type, deviceLocation: targets.location };
    case "GroupList":
    case "GroupIdList":
      return { type, groupList: targets.groups };
    case "Broadcast":
      return { type };
    default:
      return type satisfies never;
  }
}

/** 1.10.3: `output` and `error` are JSON in strings. */
export const toDetailResource = ({ state, target, deviceId, commandId, result, error }: Item) => ({
  status: state,
  output: commandId === undefined ? null : JSON.stringify({ requestId: commandId, commandResult: toResult(result) }),
  error: error && (state === "Fail" || state === "Timeout") ? JSON.stringify(toErrorBody(error)) : null,
  param: { deviceId: deviceId ?? target, commandId: commandId ?? null },
});

/** The form of the pushed result (1.8.12). */
const toResult = (result: Item["result"]) =>
  result ? { resultCode: result.status, resultDetail: result.detail } : null;

type Words = readonly [code: string, desc: string];
/** What became of a command has no error code at the vendor: the status of the command stands for it. */
const FAILURES: Record<ItemFailure, Words> = {
  COMMAND_FAILED: ["FAILED", "The command failed."],
  COMMAND_TIMEOUT: ["TIMEOUT", "The device did not acknowledge the command."],
  COMMAND_EXPIRED: ["EXPIRED", "The command expired before it was sent."],
  COMMAND_CANCELED: ["CANCELED", "The command was cancelled."],
  CONFIGURATION_FAILED: ["FAILED", "The configuration failed."], // this one and the next: in our own API only
  CONFIGURATION_SUPERSEDED: ["FAILED", "A later configuration took its place."],
  TASK_TIMEOUT: ["TIMEOUT", "The time of the task is over."],
  TASK_STOPPED: ["CANCELED", "The task was stopped."],
  INTERNAL: ["50252", "Internal server error."],
};

/** As 1.9.1 answers the same command to this one device. */
function toErrorBody({ code, details }: ItemError) {
  const [error_code, error_desc] = Object.hasOwn(FAILURES, code) ? FAILURES[code as ItemFailure] : wordsOf(code);
  return { error_code, error_desc, error_detail: details };
}
function wordsOf(code: ItemError["code"]): Words {
  const row = errorRow("1.9.1", code as Exclude<ItemError["code"], ItemFailure>);
  return [row.code, row.desc];
}
