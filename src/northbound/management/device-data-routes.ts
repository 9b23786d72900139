import { createRoute, z } from "@hono/zod-openapi";
import {
  COMMAND_FAILURES,
  COMMAND_STATUSES,
  type Command,
  type CommandService,
} from "../../capabilities/commands/command";
import type { DesiredProperty, DesiredRecord, DesiredService, DesiredShadow } from "../../capabilities/shadow/desired";
import type { ReportedService, ReportedShadow } from "../../capabilities/shadow/reported-shadow";
import type { History } from "../../capabilities/telemetry/history";
import type { HistoryRecord } from "../../capabilities/telemetry/history-block";
import { DomainError } from "../../platform/domain-error";
import { type DeviceLookup, deviceOf } from "./device-lookup";
import { DevicePath } from "./device-routes";
import { listOf, PageQuery, pageOf, pageQuery } from "./page";
import {
  done,
  json,
  jsonBody,
  Moment,
  pathParameter,
  problems,
  routes,
  Timestamp,
  toOptionalTimestamp,
  toTimestamp,
} from "./routes";

const Values = z.record(z.string(), z.unknown());
const HistoryResource = z
  .object({ serviceId: z.string(), timestamp: Timestamp, data: Values })
  .openapi("HistoryRecord");
const HistoryQuery = z.strictObject({ ...pageQuery, from: Moment.optional(), to: Moment.optional() });

const DesiredValue = z
  .object({
    value: z.unknown(),
    setAt: Timestamp,
    state: z.enum(["waiting", "sending", "delivered", "failed"]),
    tries: z.int().optional().openapi({ description: "times it was sent and not answered, or is being sent" }),
    settledAt: Timestamp.optional(),
    reason: z.string().optional().openapi({ description: "why it failed" }),
  })
  .openapi("DesiredValue");
const ShadowResource = z
  .object({
    serviceId: z.string(),
    reported: Values,
    desired: z.record(z.string(), DesiredValue),
    eventTime: Timestamp.optional().openapi({ description: "of the newest reported property" }),
    olderTimes: z.record(z.string(), Timestamp).openapi({ description: "of the properties that are older" }),
  })
  .openapi("ShadowService");

const DesiredBody = z
  .strictObject({
    services: z
      .array(z.strictObject({ serviceId: z.string().min(1).max(256), desired: Values }))
      .min(1)
      .openapi({ description: "all of them are taken, or none" }),
  })
  .openapi("DesiredServices");
const DesiredHistoryResource = z
  .object({ serviceId: z.string(), desired: Values, setAt: Timestamp })
  .openapi("DesiredHistoryRecord");
const DesiredHistoryParameters = z.strictObject({
  ...pageQuery,
  serviceId: z.string().max(256).optional(),
  property: z.string().max(256).optional(),
  from: Moment.optional(),
  to: Moment.optional(),
});

const CommandView = z
  .object({
    commandId: z.string(),
    origin: z.enum(["signal", "command"]),
    dispatch: z.enum(["connected", "immediate", "cached"]).openapi({
      description: "through a connection; at once to a device that sleeps; kept until it is there",
    }),
    serviceId: z.string(),
    method: z.string(),
    paras: Values,
    mode: z.enum(["ACK", "NOACK"]),
    callbackUrl: z.string().optional(),
    status: z.enum(COMMAND_STATUSES),
    result: z
      .union([
        z.object({ errcode: z.int(), body: Values.optional() }),
        z.object({ reason: z.enum(COMMAND_FAILURES), detail: z.string().optional() }),
      ])
      .optional(),
    expiresAt: Timestamp.optional().openapi({ description: "of a cached command: not sent later than this" }),
    maxRetransmit: z.int().optional(),
    issuedTimes: z.int(),
    createdAt: Timestamp,
    sentAt: Timestamp.optional(),
    deliveredAt: Timestamp.optional(),
    executedAt: Timestamp.optional(),
  })
  .openapi("DeviceCommand");
const CommandPath = DevicePath.extend({ commandId: pathParameter("commandId", "as the list shows it") });
const CommandQuery = z.strictObject({ ...pageQuery, status: z.enum(COMMAND_STATUSES).optional() });

const toHistory = (it: HistoryRecord) => ({
  serviceId: it.serviceId,
  timestamp: toTimestamp(it.timestampMs),
  data: { ...it.data },
});
/** One of the two is there. */
const toShadow = (serviceId: string, it: ReportedService | undefined, desired: DesiredService | undefined) => ({
  serviceId,
  reported: { ...it?.reported },
  desired: mapValues(desired?.properties ?? {}, toDesiredValue),
  eventTime: toOptionalTimestamp(it?.eventTimeMs),
  olderTimes: mapValues(it?.olderTimesMs ?? {}, toTimestamp),
});
const toDesiredValue = ({ value, setAtMs, delivery }: DesiredProperty) => ({
  value,
  setAt: toTimestamp(setAtMs),
  state: delivery.state,
  ...("tries" in delivery && { tries: delivery.tries }),
  ...("atMs" in delivery && { settledAt: toTimestamp(delivery.atMs) }),
  ...("reason" in delivery && { reason: delivery.reason }),
});
const toDesiredHistory = (it: DesiredRecord) => ({
  serviceId: it.serviceId,
  desired: { ...it.desired },
  setAt: toTimestamp(it.setAtMs),
});
const mapValues = <T, U>(from: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(from).map(([name, value]) => [name, map(value)]));
const toCommand = (it: Command) => ({
  commandId: it.id,
  origin: it.origin,
  dispatch: it.dispatch,
  serviceId: it.serviceId,
  method: it.method,
  paras: { ...it.paras },
  mode: it.mode,
  callbackUrl: it.callbackUrl,
  status: it.status,
  result: it.result && ("reason" in it.result ? { ...it.result } : toAnswer(it.result)),
  expiresAt:
    it.dispatch === "cached" && it.expireTimeS !== undefined
      ? toTimestamp(it.createdAt + it.expireTimeS * 1_000)
      : undefined,
  maxRetransmit: it.maxRetransmit,
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
  desired: DesiredShadow;
  commands: Pick<CommandService, "query" | "find" | "cancel">;
};

/** What a device has told, and what it was told. */
export function deviceDataRoutes({ devices, history, shadow, desired, commands }: Ports) {
  /** Every service of which something was reported or is desired. */
  function shadowOf(deviceNo: number) {
    const reported = new Map(shadow.of(deviceNo).map((it) => [it.serviceId, it]));
    const wanted = new Map(desired.of(deviceNo).map((it) => [it.serviceId, it]));
    const serviceIds = [...new Set([...reported.keys(), ...wanted.keys()])].sort();
    return serviceIds.map((serviceId) => toShadow(serviceId, reported.get(serviceId), wanted.get(serviceId)));
  }

  return routes()
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
        summary: "Get the latest values that a device reported, and those that are desired of it, by service",
        request: { params: DevicePath, query: PageQuery },
        responses: { 200: json(listOf("Shadow", ShadowResource), "A page of services"), ...problems(404) },
      }),
      (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        const { items, total } = pageOf(shadowOf(no), c.req.valid("query"));
        return c.json({ items, total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "put",
        path: "/devices/{deviceId}/shadow/desired",
        operationId: "setDesired",
        tags: ["Device data"],
        summary: "Want values of a CoAP or LwM2M device; they are sent when it listens",
        request: { params: DevicePath, body: jsonBody(DesiredBody) },
        responses: { 204: done, ...problems(404, 409) },
      }),
      async (c) => {
        const device = deviceOf(devices, c.req.valid("param").deviceId);
        await desired.want(device, c.req.valid("json").services);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/shadow/desired/history",
        operationId: "getDesiredHistory",
        tags: ["Device data"],
        summary: "List what was desired of a device, newest first",
        request: { params: DevicePath, query: DesiredHistoryParameters },
        responses: { 200: json(listOf("DesiredHistoryList", DesiredHistoryResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        const { page, pageSize, from: fromMs, to: toMs, ...filter } = c.req.valid("query");
        const { items, total } = desired.history({
          deviceNos: [no],
          ...filter,
          fromMs,
          toMs,
          page: page - 1,
          pageSize,
        });
        return c.json({ items: items.map(toDesiredHistory), total }, 200);
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
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/devices/{deviceId}/commands/{commandId}/cancel",
        operationId: "cancelCommand",
        tags: ["Device data"],
        summary: "Cancel a command that still waits for its device",
        request: { params: CommandPath },
        responses: { 200: json(CommandView, "The command, CANCELED"), ...problems(404, 409) },
      }),
      async (c) => {
        const { deviceId, commandId } = c.req.valid("param");
        const { appId, no } = deviceOf(devices, deviceId);
        if (commands.find(appId, commandId)?.deviceNo !== no) throw new DomainError("COMMAND_NOT_FOUND", { commandId });
        return c.json(toCommand(await commands.cancel(appId, commandId)), 200);
      },
    );
}
