import { createRoute, z } from "@hono/zod-openapi";
import {
  type Diagnosis,
  type DiagnosisTask,
  TASK_FAILURES,
  TASK_KINDS,
  TASK_STATES,
} from "../../capabilities/diagnosis/task";
import { type DeviceLookup, deviceOf } from "./device-lookup";
import { DevicePath } from "./device-routes";
import { fromZero, listOf, pageQuery } from "./page";
import { json, jsonBody, pathParameter, problems, routes, Timestamp, toOptionalTimestamp, toTimestamp } from "./routes";

const NewTask = z
  .strictObject({
    kind: z.enum(TASK_KINDS).openapi({ description: "reboot: /3/0/4 is executed; collectLog: /20/0/4014 is read" }),
  })
  .openapi("NewDiagnosisTask");
const TaskResource = z
  .object({
    taskId: z.string(),
    deviceId: z.string(),
    kind: z.enum(TASK_KINDS),
    state: z.enum(TASK_STATES),
    reason: z.enum(TASK_FAILURES).optional().openapi({ description: "why it failed" }),
    detail: z.string().optional(),
    createdAt: Timestamp,
    processingAt: Timestamp.optional(),
    sentAt: Timestamp.optional().openapi({ description: "a restart is processed before it is sent" }),
    endedAt: Timestamp.optional(),
    logBytes: z.int().optional().openapi({ description: "size of the log that can be downloaded" }),
  })
  .openapi("DiagnosisTask");
const TaskList = listOf("DiagnosisTaskList", TaskResource);
const TaskQuery = z.strictObject({
  ...pageQuery,
  kind: z.enum(TASK_KINDS).optional(),
  state: z.enum(TASK_STATES).optional(),
});
const TaskPath = DevicePath.extend({ taskId: pathParameter("taskId", "diagnosis task") });
const LogFile = z.string().openapi({ format: "binary" });

const toResource = (it: DiagnosisTask) => ({
  taskId: it.id,
  deviceId: it.deviceId,
  kind: it.kind,
  state: it.state,
  reason: it.reason,
  detail: it.detail,
  createdAt: toTimestamp(it.createdAt),
  processingAt: toOptionalTimestamp(it.processingAt),
  sentAt: toOptionalTimestamp(it.sentAt),
  endedAt: toOptionalTimestamp(it.endedAt),
  logBytes: it.logBytes,
});
/** Of a device's id only what every file system and every header takes. */
const fileName = (deviceId: string, taskId: string) => `${`${deviceId}-${taskId}`.replace(/[^\w.-]/g, "_")}.log`;

type Ports = { devices: DeviceLookup; diagnosis: Diagnosis };

/** Restart of modules and their logs (console C-115, C-116). */
export const diagnosisRoutes = ({ devices, diagnosis }: Ports) =>
  routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/devices/{deviceId}/diagnosis-tasks",
        operationId: "createDiagnosisTask",
        tags: ["Diagnosis"],
        summary: "Have a device restarted or its log collected when it is heard the next time",
        request: { params: DevicePath, body: jsonBody(NewTask) },
        responses: { 201: json(TaskResource, "Stored"), ...problems(404, 409, 503) },
      }),
      async (c) => {
        const task = await diagnosis.create(c.req.valid("param").deviceId, c.req.valid("json").kind);
        return c.json(toResource(task), 201);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/diagnosis-tasks",
        operationId: "listDeviceDiagnosisTasks",
        tags: ["Diagnosis"],
        summary: "List the diagnosis tasks of a device, newest first",
        request: { params: DevicePath, query: TaskQuery },
        responses: { 200: json(TaskList, "A page"), ...problems(404) },
      }),
      (c) => {
        const { no: deviceNo } = deviceOf(devices, c.req.valid("param").deviceId);
        const { kind, state, ...query } = c.req.valid("query");
        const page = { page: fromZero(query), pageSize: query.pageSize };
        const { items, total } = diagnosis.list({ deviceNo, kind, state, ...page });
        return c.json({ items: items.map(toResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/diagnosis-tasks",
        operationId: "listDiagnosisTasks",
        tags: ["Diagnosis"],
        summary: "List the diagnosis tasks of all devices, newest first",
        request: { query: TaskQuery },
        responses: { 200: json(TaskList, "A page"), ...problems() },
      }),
      (c) => {
        const { kind, state, ...query } = c.req.valid("query");
        const { items, total } = diagnosis.list({ kind, state, page: fromZero(query), pageSize: query.pageSize });
        return c.json({ items: items.map(toResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/diagnosis-tasks/{taskId}",
        operationId: "getDiagnosisTask",
        tags: ["Diagnosis"],
        summary: "Get a diagnosis task",
        request: { params: TaskPath },
        responses: { 200: json(TaskResource, "The task"), ...problems(404) },
      }),
      (c) => {
        const { deviceId, taskId } = c.req.valid("param");
        return c.json(toResource(diagnosis.get(deviceOf(devices, deviceId).no, taskId)), 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/diagnosis-tasks/{taskId}/log",
        operationId: "downloadDiagnosisLog",
        tags: ["Diagnosis"],
        summary: "Download the log that was collected",
        request: { params: TaskPath },
        responses: {
          200: {
            description: "The log, as the device sent it",
            content: { "application/octet-stream": { schema: LogFile }, "text/plain": { schema: LogFile } },
          },
          ...problems(404, 409),
        },
      }),
      (c) => {
        const { deviceId, taskId } = c.req.valid("param");
        const { content, contentType } = diagnosis.log(deviceOf(devices, deviceId).no, taskId);
        return c.body(content as Uint8Array<ArrayBuffer>, 200, {
          "content-type": contentType,
          "content-disposition": `attachment; filename="${fileName(deviceId, taskId)}"`,
        });
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/devices/{deviceId}/diagnosis-tasks/{taskId}/cancel",
        operationId: "cancelDiagnosisTask",
        tags: ["Diagnosis"],
        summary: "Cancel a task that was not sent; it ends as Fail",
        request: { params: TaskPath },
        responses: { 200: json(TaskResource, "The task"), ...problems(404, 409) },
      }),
      async (c) => {
        const { deviceId, taskId } = c.req.valid("param");
        return c.json(toResource(await diagnosis.cancel(deviceOf(devices, deviceId).no, taskId)), 200);
      },
    );
