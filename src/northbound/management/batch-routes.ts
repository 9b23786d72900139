import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import { renderCsvRow } from "../../capabilities/batch/csv";
import { REGISTRATION_COLUMNS } from "../../capabilities/batch/registration-rows";
import { type BatchService, ITEM_STATES, TASK_KINDS, TASK_PHASES } from "../../capabilities/batch/task";
import { parseCallbackUrl } from "../../capabilities/subscriptions/callback-url";
import { AppPath, toAppId } from "./application-routes";
import {
  ItemResource,
  TargetsBody,
  TaskDetail,
  TaskResource,
  toItemResource,
  toTaskDetail,
  toTaskResource,
} from "./batch-resource";
import { fromZero, listOf, pageQuery } from "./page";
import { done, json, jsonBody, Moment, pathParameter, problems, routes } from "./routes";

const anyObject = z.record(z.string(), z.unknown());
const DEFAULT_INTERVAL_S = 120; // platform.md 14

const taskName = z.string().min(1).max(256);
const targeted = {
  taskName,
  targets: TargetsBody,
  groupTag: z.string().min(1).max(128).optional().openapi({ description: "only devices with a tag of this name" }),
};
const NewCommands = z
  .strictObject({
    ...targeted,
    timeoutMinutes: z.int().openapi({ description: "10 to 2880, unless configured otherwise" }),
    serviceId: z.string().min(1).max(64),
    method: z.string().min(1).max(128),
    paras: anyObject.default({}),
    callbackUrl: z.string().max(1_024).optional(),
    maxRetransmit: z.int().min(0).max(3).optional(),
  })
  .openapi("NewBatchCommands");
const NewConfiguration = z
  .strictObject({
    ...targeted,
    taskName: z.string().min(1).max(256).openapi({ description: "up to 50 characters, unless configured otherwise" }),
    values: anyObject.openapi({
      description: "the configuration file: property → value, or serviceId → {property → value}",
      example: { sensitivity: "0", dataReportInterval: "20" },
    }),
    execute: z
      .enum(["now", "deviceOnline", "custom"])
      .default("now")
      .openapi({ description: "values wait for the device in any case; custom: between startTime and endTime" }),
    startTime: Moment.optional(),
    endTime: Moment.optional(),
    retry: z
      .strictObject({ times: z.int(), intervalSeconds: z.int().default(DEFAULT_INTERVAL_S) })
      .optional()
      .openapi({
        description: "how often, and after what time, a device is tried again that has refused; up to 5 times",
      }),
  })
  .refine((it) => it.execute === "custom" || (it.startTime === undefined && it.endTime === undefined), {
    message: "startTime and endTime are for execute: custom",
  })
  .refine((it) => it.execute !== "custom" || (it.startTime !== undefined && it.endTime !== undefined), {
    message: "execute: custom needs startTime and endTime",
  })
  .openapi("NewBatchConfiguration");
const NewDeletion = z
  .strictObject({
    ...targeted,
    cascade: z.boolean().default(true).openapi({ description: "also the devices behind them" }),
  })
  .openapi("NewBatchDeletion");
const NewRegistrations = z.strictObject({
  file: z
    .custom<File>((value) => value instanceof File, "a file is needed")
    .openapi({
      type: "string",
      format: "binary",
      description: `CSV in UTF-8 with a header; columns: ${REGISTRATION_COLUMNS.join(", ")}. Only nodeId is needed`,
    }),
  taskName,
  productId: z.string().min(1).max(256),
});

const TaskPath = z.object({ taskId: pathParameter("taskId", "batch task") });
const filters = { kind: z.enum(TASK_KINDS).optional(), phase: z.enum(TASK_PHASES).optional() };
const TaskQuery = z.strictObject({ ...pageQuery, ...filters });
const ItemQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(ITEM_STATES).optional(),
  target: z.string().min(1).max(256).optional(),
});
const TaskList = listOf("BatchTaskList", TaskResource);
const CsvFile = z.string().openapi({ format: "binary" });
const created = { 201: json(TaskResource, "Stored; it is done in the background") };
const csvResponse = (description: string) => ({ description, content: { "text/csv": { schema: CsvFile } } });
const csvHeaders = (fileName: string) => ({
  "content-type": "text/csv; charset=utf-8",
  "content-disposition": `attachment; filename="${fileName}"`,
});

type Ports = { applications: Pick<ApplicationService, "get">; batch: BatchService };

/** The same for many devices (console C-083 to C-085, C-170 to C-172, F-03). */
export function batchRoutes({ applications, batch }: Ports) {
  const appOf = (appId: string) => applications.get(toAppId(appId));
  const by = (env: { caller: string | undefined }, name: string) =>
    ({ name, operator: env.caller ?? "", origin: "Portal" }) as const;

  return routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/batch-commands",
        operationId: "createBatchCommands",
        tags: ["Batch tasks"],
        summary: "Send a cached command to many devices that sleep",
        request: { params: AppPath, body: jsonBody(NewCommands) },
        responses: { ...created, ...problems(404, 409) },
      }),
      async (c) => {
        const { id } = appOf(c.req.valid("param").appId);
        const { taskName: name, callbackUrl, ...input } = c.req.valid("json");
        if (callbackUrl) parseCallbackUrl(callbackUrl);
        const about = { ...input, ...by(c.env, name), callbackUrl: callbackUrl || undefined };
        return c.json(toTaskResource(await batch.createCommands(id, about)), 201);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/batch-configurations",
        operationId: "createBatchConfiguration",
        tags: ["Batch tasks"],
        summary: "Set properties of many devices that sleep",
        request: { params: AppPath, body: jsonBody(NewConfiguration) },
        responses: { ...created, ...problems(404, 409) },
      }),
      async (c) => {
        const { id } = appOf(c.req.valid("param").appId);
        const { taskName: name, startTime: startAt, endTime: endAt, retry, execute: _, ...input } = c.req.valid("json");
        const about = {
          ...{ ...input, ...by(c.env, name), startAt, endAt },
          retry: retry && { times: retry.times, intervalS: retry.intervalSeconds },
        };
        return c.json(toTaskResource(await batch.createConfiguration(id, about)), 201);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/batch-deletions",
        operationId: "createBatchDeletion",
        tags: ["Batch tasks"],
        summary: "Delete many devices",
        request: { params: AppPath, body: jsonBody(NewDeletion) },
        responses: { ...created, ...problems(404, 409) },
      }),
      async (c) => {
        const { id } = appOf(c.req.valid("param").appId);
        const { taskName: name, ...input } = c.req.valid("json");
        return c.json(toTaskResource(await batch.createDeletion(id, { ...input, ...by(c.env, name) })), 201);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/batch-registrations",
        operationId: "createBatchRegistrations",
        tags: ["Batch tasks"],
        summary: "Register the devices of a CSV file",
        request: {
          params: AppPath,
          body: { required: true, content: { "multipart/form-data": { schema: NewRegistrations } } },
        },
        responses: { ...created, ...problems(404, 409, 413, 415, 422) },
      }),
      async (c) => {
        const { id } = appOf(c.req.valid("param").appId);
        const { file, taskName: name, productId } = c.req.valid("form");
        const input = { ...by(c.env, name), productId, fileName: file.name };
        return c.json(toTaskResource(await batch.createRegistrations(id, input, file.stream())), 201);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/batch-registrations/template",
        operationId: "getBatchRegistrationTemplate",
        tags: ["Batch tasks"],
        summary: "Download an empty file for a batch registration",
        responses: { 200: csvResponse("The header"), ...problems() },
      }),
      (c) => c.body(renderCsvRow(REGISTRATION_COLUMNS), 200, csvHeaders("devices.csv")),
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/batch-tasks",
        operationId: "listBatchTasksOfApplication",
        tags: ["Batch tasks"],
        summary: "List the batch tasks of an application, newest first",
        request: { params: AppPath, query: TaskQuery },
        responses: { 200: json(TaskList, "A page"), ...problems(404) },
      }),
      (c) => {
        const { no: appNo } = appOf(c.req.valid("param").appId);
        const { kind, phase, ...query } = c.req.valid("query");
        const { items, total } = batch.list({ appNo, kind, phase }, fromZero(query), query.pageSize);
        return c.json({ items: items.map(toTaskResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/batch-tasks",
        operationId: "listBatchTasks",
        tags: ["Batch tasks"],
        summary: "List the batch tasks of all applications, newest first",
        request: { query: TaskQuery },
        responses: { 200: json(TaskList, "A page"), ...problems() },
      }),
      (c) => {
        const { kind, phase, ...query } = c.req.valid("query");
        const { items, total } = batch.list({ kind, phase }, fromZero(query), query.pageSize);
        return c.json({ items: items.map(toTaskResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/batch-tasks/{taskId}",
        operationId: "getBatchTask",
        tags: ["Batch tasks"],
        summary: "Get a batch task",
        request: { params: TaskPath },
        responses: { 200: json(TaskDetail, "The task"), ...problems(404) },
      }),
      (c) => {
        const task = batch.getById(c.req.valid("param").taskId);
        return c.json(toTaskDetail(task, batch.spec(task)), 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/batch-tasks/{taskId}/items",
        operationId: "listBatchItems",
        tags: ["Batch tasks"],
        summary: "List the sub-tasks of a batch task, one per device",
        request: { params: TaskPath, query: ItemQuery },
        responses: { 200: json(listOf("BatchItemList", ItemResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const task = batch.getById(c.req.valid("param").taskId);
        const { status: state, target, ...query } = c.req.valid("query");
        const { items, total } = batch.items(task, { state, target }, fromZero(query), query.pageSize);
        return c.json({ items: items.map(toItemResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/batch-tasks/{taskId}/result",
        operationId: "downloadBatchResult",
        tags: ["Batch tasks"],
        summary: "Download what became of the rows of a registration, with the credentials that the devices were given",
        request: { params: TaskPath },
        responses: { 200: csvResponse("A row for each of the file"), ...problems(404, 409) },
      }),
      (c) => {
        const task = batch.getById(c.req.valid("param").taskId);
        return c.body(inSteps(batch.resultFile(task)), 200, csvHeaders(`batch-${task.id}.csv`));
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/batch-tasks/{taskId}/stop",
        operationId: "stopBatchTask",
        tags: ["Batch tasks"],
        summary: "Close what is open; what has been sent is not called back",
        request: { params: TaskPath },
        responses: { 200: json(TaskResource, "The task"), ...problems(404, 409) },
      }),
      async (c) => c.json(toTaskResource(await batch.stop(c.req.valid("param").taskId)), 200),
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/batch-tasks/{taskId}",
        operationId: "deleteBatchTask",
        tags: ["Batch tasks"],
        summary: "Delete a batch task that has ended, and its sub-tasks",
        request: { params: TaskPath },
        responses: { 204: done, ...problems(404, 409) },
      }),
      async (c) => {
        await batch.delete(c.req.valid("param").taskId);
        return c.body(null, 204);
      },
    );
}

/** A step is made when the one before has been taken, so that a slow client costs no memory. */
function inSteps(texts: Iterable<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const steps = texts[Symbol.iterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const { done: isDone, value } = steps.next();
      if (isDone) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: () => void steps.return?.(),
  });
}
