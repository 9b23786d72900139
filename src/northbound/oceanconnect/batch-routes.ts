import { Hono } from "hono";
import { z } from "zod";
import { type BatchService, ITEM_STATES, type SpecOf, TARGET_TYPES, type Targets } from "../../capabilities/batch/task";
import { parseCallbackUrl } from "../../capabilities/subscriptions/callback-url";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";
import { count, list } from "./answer-fields";
import { BatchSubtaskResource, BatchTaskResource, toDetailResource, toTaskResource } from "./batch-resource";
import type { Endpoints } from "./endpoint";
import { anyObject, integer, MAX_INTEGER, optional, text } from "./fields";

const TASKS = "/iocm/app/batchtask/v1.1.0/tasks";
const DETAILS = "/iocm/app/batchtask/v1.1.0/taskDetails";
const MAX_TEXT = 256; // where the document names no limit

const name = optional(text(MAX_TEXT, 1));
const Param = z.object({
  type: z.enum(TARGET_TYPES),
  deviceList: optional(z.array(text(256, 1))),
  deviceType: name,
  manufacturerId: name,
  model: name,
  deviceLocation: optional(text(1_024, 1)),
  groupList: optional(z.array(text(MAX_TEXT, 1))),
  command: z.object({
    serviceId: text(64, 1),
    method: text(128, 1),
    paras: optional(anyObject()),
  }),
  callbackUrl: optional(text(1_024)),
  maxRetransmit: optional(integer(0, 3)),
  groupTag: optional(text(128)),
});
const Create = z.object({
  appId: optional(text(64)),
  taskName: text(256, 1),
  taskType: z.enum(["DeviceCmd"]),
  timeout: integer(0, MAX_INTEGER), // the service knows the limits
  param: Param,
  tags: optional(z.array(z.object({ tagName: text(128, 1), tagValue: text(1_024, 1) }))),
});
const Query = z.object({ select: optional(z.enum(["tag"])) });
const List = z.object({
  taskId: text(MAX_TEXT, 1),
  status: optional(z.enum(ITEM_STATES)),
  deviceId: optional(text(MAX_TEXT)),
  commandId: optional(text(MAX_TEXT)),
  pageNo: optional(integer(0, MAX_INTEGER)).default(0),
  pageSize: optional(integer(1, 250)).default(25),
});

const CREATED = { status: 200, schema: z.object({ taskID: z.string() }) } as const;
const DETAILS_PAGE = {
  status: 200,
  schema: z.object({
    ...{ pageNo: count(), pageSize: count(), totalCount: count() },
    taskDetails: list(BatchSubtaskResource),
  }),
} as const;

/** 1.10.1 (also 1.9.4), 1.10.2, 1.10.3: tasks of taskType DeviceCmd. The other kinds are in the management API. */
export function batchRoutes(
  { call }: Endpoints,
  batch: Pick<BatchService, "createCommands" | "get" | "spec" | "items">,
) {
  const found = { status: 200, schema: BatchTaskResource } as const;
  const query = call(
    "1.10.2",
    { needs: "query", query: Query, response: found },
    ({ application, query: { select }, param }) => {
      const taskId = param("taskId").trim();
      if (taskId === "")
        throw new DomainError("REQUIRED_MISSING", { issues: [{ field: "taskId", reason: "is required" }] });
      const task = batch.get(application.no, "command", taskId);
      return { status: 200, json: toTaskResource(task, batch.spec(task) as SpecOf<"command">, select === "tag") };
    },
  );

  return new Hono<FrontEnv>()
    .post(
      TASKS,
      call(
        "1.10.1",
        { needs: "edit", body: Create, ownerInBody: true, response: CREATED },
        async ({ application, caller, body }) => {
          const { taskName, timeout: timeoutMinutes, tags, param } = body;
          const { command, callbackUrl, maxRetransmit, groupTag } = param;
          if (callbackUrl) parseCallbackUrl(callbackUrl);
          const task = await batch.createCommands(application.id, {
            name: taskName,
            operator: caller.name, // the document wants a user's; this API knows applications only
            origin: "Northbound",
            timeoutMinutes,
            tags,
            targets: targetsOf(param),
            groupTag: groupTag || undefined,
            ...{ ...command, paras: command.paras ?? {} },
            callbackUrl: callbackUrl || undefined,
            callbackAppNo: caller.no === application.no ? undefined : caller.no,
            maxRetransmit,
          });
          return { status: 200, json: { taskID: task.id } };
        },
      ),
    )
    .get(`${TASKS}/:taskId`, query)
    .get(`${TASKS}/`, query) // names no task: 100019
    .get(
      DETAILS,
      call(
        "1.10.3",
        { needs: "query", query: List, response: DETAILS_PAGE },
        ({ application, query: { taskId, status, deviceId, commandId, pageNo, pageSize } }) => {
          const task = batch.get(application.no, "command", taskId);
          const { items, total } = batch.items(task, { state: status, target: deviceId, commandId }, pageNo, pageSize);
          return {
            status: 200,
            json: { pageNo, pageSize, totalCount: total, taskDetails: items.map(toDetailResource) },
          };
        },
      ),
    );
}

/** What the type asks for has to be there; what another one would ask for is ignored. */
function targetsOf(param: z.infer<typeof Param>): Targets {
  const { type, deviceList, deviceType, manufacturerId, model, deviceLocation, groupList } = param;
  switch (type) {
    case "DeviceList":
      return { type, deviceIds: needed("deviceList", deviceList) };
    case "DeviceType":
      return { type, deviceType: needed("deviceType", deviceType), manufacturerId, model };
    case "DeviceArea":
      return { type, location: needed("deviceLocation", deviceLocation) };
    case "GroupList":
    case "GroupIdList":
      return { type, groups: needed("groupList", groupList) };
    case "Broadcast":
      return { type };
    default:
      return type satisfies never;
  }
}

function needed<T>(field: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new DomainError("REQUIRED_MISSING", { issues: [{ field: `param.${field}`, reason: "is required" }] });
}
