import { createRoute, z } from "@hono/zod-openapi";
import type { Traces } from "../../capabilities/trace/trace";
import type { TraceRecord } from "../../capabilities/trace/trace-repository";
import { type DeviceLookup, deviceOf } from "./device-lookup";
import { DevicePath } from "./device-routes";
import { fromZero, listOf, PageQuery, pageQuery } from "./page";
import { json, problems, routes, Timestamp, toTimestamp } from "./routes";

const TraceResource = z
  .object({
    at: Timestamp,
    kind: z.enum(["login", "report", "command", "response", "subscribe", "publish", "connection"]),
    outcome: z.enum(["succeeded", "failed"]),
    reason: z.string(),
    detail: z.string().optional(),
    claimedId: z.string().optional().openapi({ description: "who it claimed to be, when no device was found for it" }),
  })
  .openapi("TraceRecord");
const TraceList = listOf("TraceList", TraceResource);
const TraceQuery = z.strictObject({
  ...pageQuery,
  claimedId: z.string().min(1).max(256).openapi({ description: "a device id or node id that nobody has" }),
});

const toResource = ({ atMs, deviceNo: _, ...rest }: TraceRecord) => ({ at: toTimestamp(atMs), ...rest });

type Ports = { devices: DeviceLookup; traces: Pick<Traces, "find"> };

export const traceRoutes = ({ devices, traces }: Ports) =>
  routes()
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/trace",
        operationId: "getDeviceTrace",
        tags: ["Device data"],
        summary: "List what was accepted of a device and refused, and why, newest first",
        request: { params: DevicePath, query: PageQuery },
        responses: { 200: json(TraceList, "A page"), ...problems(404) },
      }),
      (c) => {
        const { no: deviceNo } = deviceOf(devices, c.req.valid("param").deviceId);
        const query = c.req.valid("query");
        const { items, total } = traces.find({ deviceNo }, fromZero(query), query.pageSize);
        return c.json({ items: items.map(toResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/trace",
        operationId: "getTraceOfClaimedId",
        tags: ["Device data"],
        summary: "List what was refused of somebody who is no registered device, newest first",
        request: { query: TraceQuery },
        responses: { 200: json(TraceList, "A page"), ...problems() },
      }),
      (c) => {
        const { claimedId, ...query } = c.req.valid("query");
        const { items, total } = traces.find({ claimedId }, fromZero(query), query.pageSize);
        return c.json({ items: items.map(toResource), total }, 200);
      },
    );
