import { createRoute, z } from "@hono/zod-openapi";
import { COMMAND_STATUSES, type Command, type CommandService } from "../../capabilities/commands/command";
import type { ReportedService, ReportedShadow } from "../../capabilities/shadow/reported-shadow";
import type { History } from "../../capabilities/telemetry/history";
import type { HistoryRecord } from "../../capabilities/telemetry/history-block";
import { type DeviceLookup, deviceOf } from "./device-lookup";
import { DevicePath } from "./device-routes";
import { listOf, PageQuery, pageOf, pageQuery } from "./page";
import { json, Moment, problems, routes, Timestamp, toOptionalTimestamp, toTimestamp } from "./routes";

const Values = z.record(z.string(), z.unknown());
const HistoryResource = z
  .object({ serviceId: z.string(), timestamp: Timestamp, data: Values })
  .openapi("HistoryRecord");
const HistoryQuery = z.strictObject({ ...pageQuery, from: Moment.optional(), to: Moment.optional() });

const ShadowResource = z
  .object({
    serviceId: z.string(),
    reported: Values,
    eventTime: Timestamp.openapi({ description: "of the newest property" }),
    olderTimes: z.record(z.string(), Timestamp).openapi({ description: "of the properties that are older" }),
  })
  .openapi("ShadowService");

const CommandView = z
  .object({
    commandId: z.string(),
    origin: z.enum(["signal", "command"]),
    serviceId: z.string(),
    method: z.string(),
    paras: Values,
    mode: z.enum(["ACK", "NOACK"]),
    callbackUrl: z.string().optional(),
    status: z.enum(COMMAND_STATUSES),
    result: z
      .union([z.object({ errcode: z.int(), body: Values.optional() }), z.object({ reason: z.string() })])
      .optional(),
    issuedTimes: z.int(),
    createdAt: Timestamp,
    sentAt: Timestamp.optional(),
    deliveredAt: Timestamp.optional(),
    executedAt: Timestamp.optional(),
  })
  .openapi("DeviceCommand");
const CommandQuery = z.strictObject({ ...pageQuery, status: z.enum(COMMAND_STATUSES).optional() });

const toHistory = (it: HistoryRecord) => ({
  serviceId: it.serviceId,
  timestamp: toTimestamp(it.timestampMs),
  data: { ...it.data },
});
const toShadow = (it: ReportedService) => ({
  serviceId: it.serviceId,
  reported: { ...it.reported },
  eventTime: toTimestamp(it.eventTimeMs),
  olderTimes: Object.fromEntries(Object.entries(it.olderTimesMs).map(([name, ms]) => [name, toTimestamp(ms)])),
});
const toCommand = (it: Command) => ({
  commandId: it.id,
  origin: it.origin,
  serviceId: it.serviceId,
  method: it.method,
  paras: { ...it.paras },
  mode: it.mode,
  callbackUrl: it.callbackUrl,
  status: it.status,
  result: it.result && ("reason" in it.result ? { reason: it.result.reason } : toAnswer(it.result)),
  issuedTimes: it.issuedTimes,
  createdAt: toTimestamp(it.createdAt),
  sentAt: toOptionalTimestamp(it.sentAt),
  deliveredAt: toOptionalTimestamp(it.deliveredAt),
  executedAt: toOptionalTimestamp(it.executedAt),
});
const toAnswer = ({ errcode, body }: { errcode: number; body: Readonly<Record<string, unknown>> | undefined }) => ({
  errcode,
  body: body && { ...body },
});

type Ports = {
  devices: DeviceLookup;
  history: History;
  shadow: Pick<ReportedShadow, "of">;
  commands: Pick<CommandService, "query">;
};

/** What a device has told, and what it was told. */
export const deviceDataRoutes = ({ devices, history, shadow, commands }: Ports) =>
  routes()
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/history",
        operationId: "getHistory",
        tags: ["Device data"],
        summary: "List what a device reported, newest first",
        request: { params: DevicePath, query: HistoryQuery },
        responses: { 200: json(listOf("HistoryList", HistoryResource), "A page"), ...problems(404) },
      }),
      async (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        const { page, pageSize, from: fromMs, to: toMs } = c.req.valid("query");
        const { items, total } = await history.page({ deviceNos: [no], fromMs, toMs, page: page - 1, pageSize });
        return c.json({ items: items.map(toHistory), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/shadow",
        operationId: "getShadow",
        tags: ["Device data"],
        summary: "Get the latest values that a device reported, by service",
        request: { params: DevicePath, query: PageQuery },
        responses: { 200: json(listOf("Shadow", ShadowResource), "A page of services"), ...problems(404) },
      }),
      (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        const { items, total } = pageOf(shadow.of(no), c.req.valid("query"));
        return c.json({ items: items.map(toShadow), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/commands",
        operationId: "listCommands",
        tags: ["Device data"],
        summary: "List the commands to a device, newest first",
        request: { params: DevicePath, query: CommandQuery },
        responses: { 200: json(listOf("DeviceCommandList", CommandView), "A page"), ...problems(404) },
      }),
      (c) => {
        const { appId, id: deviceId } = deviceOf(devices, c.req.valid("param").deviceId);
        const { page, pageSize, status } = c.req.valid("query");
        const { items, total } = commands.query(appId, { deviceId, status, pageNo: page - 1, pageSize });
        return c.json({ items: items.map(toCommand), total }, 200);
      },
    );
