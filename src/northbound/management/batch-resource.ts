import { z } from "@hono/zod-openapi";
import {
  ITEM_STATES,
  type Item,
  TASK_ENDINGS,
  TASK_KINDS,
  TASK_PHASES,
  type Targets,
  type Task,
  type TaskSpec,
} from "../../capabilities/batch/task";
import { pendingOf, progressOf, successRateOf } from "../../capabilities/batch/task-machine";
import { Timestamp, toOptionalTimestamp, toTimestamp } from "./routes";

const id = z.string().min(1).max(256);
const ids = z.array(id).min(1).max(100_000);
/** Which devices, as 1.10.1 names them. */
export const TargetsBody = z
  .discriminatedUnion("type", [
    z.strictObject({ type: z.literal("DeviceList"), deviceIds: ids }),
    z.strictObject({
      type: z.literal("DeviceType"),
      deviceType: id,
      manufacturerId: id.optional(),
      model: id.optional(),
    }),
    z.strictObject({ type: z.literal("DeviceArea"), location: z.string().min(1).max(1_024) }),
    z.strictObject({ type: z.literal("GroupList"), groups: ids.openapi({ description: "names" }) }),
    z.strictObject({ type: z.literal("GroupIdList"), groups: ids.openapi({ description: "ids" }) }),
    z.strictObject({ type: z.literal("Broadcast") }),
  ])
  .openapi("BatchTargets");

const permille = z.int().min(0).max(1_000).openapi({ description: "per mille, rounded down" });
export const TaskResource = z
  .object({
    taskId: z.string(),
    appId: z.string(),
    kind: z.enum(TASK_KINDS),
    name: z.string(),
    operator: z.string(),
    origin: z.enum(["Portal", "Northbound"]),
    phase: z.enum(TASK_PHASES),
    ending: z.enum(TASK_ENDINGS).optional().openapi({ description: "how it ends, or has ended" }),
    progress: permille,
    successRate: permille,
    total: z.int().openapi({ description: "sub-tasks; grows while the task is expanding" }),
    pending: z.int(),
    waiting: z.int().openapi({ description: "under way: the outcome is awaited" }),
    success: z.int(),
    fail: z.int(),
    timeout: z.int(),
    expired: z.int().openapi({ description: "of those in timeout: nothing was ever sent" }),
    createdAt: Timestamp,
    startAt: Timestamp,
    deadline: Timestamp.optional(),
    endedAt: Timestamp.optional(),
  })
  .openapi("BatchTask");
export const TaskDetail = TaskResource.extend({
  targets: TargetsBody.optional(),
  action: z.record(z.string(), z.unknown()).openapi({ description: "what is done, depending on the kind" }),
}).openapi("BatchTaskDetail");

export const toTaskResource = (task: Task) => ({
  taskId: task.id,
  appId: task.appId,
  kind: task.kind,
  name: task.name,
  operator: task.operator,
  origin: task.origin,
  phase: task.phase,
  ending: task.ending,
  progress: progressOf(task),
  successRate: successRateOf(task),
  total: task.total,
  pending: pendingOf(task),
  ...task.counts,
  createdAt: toTimestamp(task.createdAt),
  startAt: toTimestamp(task.startAt),
  deadline: toOptionalTimestamp(task.deadline),
  endedAt: toOptionalTimestamp(task.endedAt),
});

export function toTaskDetail(task: Task, spec: TaskSpec) {
  const { kind: _, ...rest } = spec;
  const { targets, groupNos: __, ...action } = { groupNos: [], targets: undefined, ...rest };
  return { ...toTaskResource(task), targets: targets && toTargets(targets), action: asJson(action) };
}

const asJson = (value: object) => value as Record<string, unknown>;
type TargetsShape = z.infer<typeof TargetsBody>;
/** Only the lists lose their `readonly`. */
const toTargets = (targets: Targets) => ({ ...targets }) as unknown as TargetsShape;

export const ItemResource = z
  .object({
    target: z.string().openapi({ description: "deviceId; for registrations the nodeId" }),
    deviceId: z.string().optional(),
    status: z.enum(ITEM_STATES),
    tries: z.int(),
    commandId: z.string().optional(),
    result: z.object({ status: z.string(), detail: z.unknown() }).optional(),
    error: z
      .object({ code: z.string(), details: z.record(z.string(), z.unknown()).optional() })
      .optional()
      .openapi({ description: "why it has not succeeded" }),
    endedAt: Timestamp.optional(),
  })
  .openapi("BatchItem");

export const toItemResource = ({ target, deviceId, state, tries, commandId, result, error, endedAt }: Item) => ({
  ...{ target, deviceId, status: state, tries, commandId },
  result: result && { status: result.status, detail: result.detail },
  error: error && { code: error.code, details: error.details && { ...error.details } },
  endedAt: toOptionalTimestamp(endedAt),
});
