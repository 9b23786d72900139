import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import type { DeadLetter, PushAttempt, PushLog, PushTargetView } from "../../capabilities/subscriptions/push-log";
import { GIVE_UP_REASONS, PUSH_REASONS, PUSH_TARGET_STATES } from "../../capabilities/subscriptions/push-log";
import { CHANNELS } from "../../capabilities/subscriptions/subscription";
import { AppPath, toAppId } from "./application-routes";
import { given } from "./given";
import { fromZero, listOf, PageQuery, pageOf, pageQuery } from "./page";
import { json, jsonBody, problems, routes, Timestamp, toOptionalTimestamp, toTimestamp } from "./routes";

const PushTargetResource = z
  .object({
    targetNo: z.int(),
    callbackUrl: z.string().openapi({ description: "with MQTTS the topic" }),
    channel: z.enum(CHANNELS),
    state: z.enum(PUSH_TARGET_STATES).openapi({
      description: "HTTP: valid or invalid. MQTTS: connected (and subscribed to the topic), not_subscribed or away",
    }),
    failedRetries: z.int().openapi({ description: "in a row" }),
    invalidSince: Timestamp.optional(),
    waiting: z.int().openapi({ description: "neither delivered nor given up" }),
    inFlight: z.int(),
    deadLetters: z.int(),
    delivered: z.int().openapi({ description: "since the process started" }),
    failedAttempts: z.int(),
    givenUp: z.int(),
  })
  .openapi("PushTarget");
const PushAttemptResource = z
  .object({
    notificationId: z.int(),
    at: Timestamp,
    notifyType: z.string(),
    deviceNo: z.int().optional().openapi({ description: "internal number of the device it was about" }),
    attempt: z.int().openapi({ description: "1 is the first" }),
    reason: z.enum(PUSH_REASONS),
    status: z.int().optional().openapi({ description: "of the HTTP answer" }),
    latencyMs: z.number(),
  })
  .openapi("PushAttempt");
const DeadLetterResource = z
  .object({
    id: z.int(),
    notifyType: z.string(),
    deviceNo: z.int().optional(),
    body: z.string().openapi({ description: "what was to be pushed" }),
    createdAt: Timestamp,
    givenUpAt: Timestamp,
    attempts: z.int(),
    reason: z.enum(GIVE_UP_REASONS),
  })
  .openapi("DeadLetter");
const AttemptQuery = z.strictObject({
  ...pageQuery,
  outcome: z.enum(["delivered", "failed"]).optional(),
  notifyType: z.string().min(1).max(256).optional(),
  notificationId: z.coerce.number().int().optional(),
});
const Replay = z
  .strictObject({
    ids: z.union([z.literal("all"), z.array(z.int()).min(1).max(10_000)]).openapi({ description: "of dead letters" }),
  })
  .openapi("Replay");

const TargetPath = z.object({
  targetNo: z.coerce
    .number()
    .int()
    .openapi({ param: { name: "targetNo", in: "path", required: true }, description: "push address" }),
});

const deviceNoOf = (orderKey: number) => (orderKey > 0 ? orderKey : undefined);
const toTarget = ({ appNo: _, invalidSinceMs, ...rest }: PushTargetView) => ({
  ...rest,
  invalidSince: toOptionalTimestamp(invalidSinceMs),
});
const toAttempt = ({ targetNo: _, atMs, orderKey, ...rest }: PushAttempt) => ({
  ...rest,
  at: toTimestamp(atMs),
  deviceNo: deviceNoOf(orderKey),
});
const toDeadLetter = ({ targetNo: _, orderKey, createdAtMs, givenUpAtMs, ...rest }: DeadLetter) => ({
  ...rest,
  deviceNo: deviceNoOf(orderKey),
  createdAt: toTimestamp(createdAtMs),
  givenUpAt: toTimestamp(givenUpAtMs),
});

type Ports = { applications: Pick<ApplicationService, "get">; pushLog: PushLog };

export const pushRoutes = ({ applications, pushLog }: Ports) =>
  routes()
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/push-targets",
        operationId: "listPushTargets",
        tags: ["Push"],
        summary: "List the callback addresses of an application and how they do",
        request: { params: AppPath, query: PageQuery },
        responses: { 200: json(listOf("PushTargetList", PushTargetResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const application = applications.get(toAppId(c.req.valid("param").appId));
        const { items, total } = pageOf(pushLog.targets(application.no), c.req.valid("query"));
        return c.json({ items: items.map(toTarget), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/push-targets/{targetNo}",
        operationId: "getPushTarget",
        tags: ["Push"],
        summary: "Get a callback address and how it does",
        request: { params: TargetPath },
        responses: { 200: json(PushTargetResource, "The address"), ...problems(404) },
      }),
      (c) => c.json(toTarget(pushLog.target(c.req.valid("param").targetNo)), 200),
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/push-targets/{targetNo}/attempts",
        operationId: "listPushAttempts",
        tags: ["Push"],
        summary: "List what was sent to an address and how it ended, newest first",
        request: { params: TargetPath, query: AttemptQuery },
        responses: { 200: json(listOf("PushAttemptList", PushAttemptResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const { targetNo } = pushLog.target(c.req.valid("param").targetNo);
        const { page, pageSize, ...filter } = c.req.valid("query");
        const { items, total } = pushLog.attempts({ targetNo, ...given(filter) }, page - 1, pageSize);
        return c.json({ items: items.map(toAttempt), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/push-targets/{targetNo}/dead-letters",
        operationId: "listDeadLetters",
        tags: ["Push"],
        summary: "List what was given up",
        request: { params: TargetPath, query: PageQuery },
        responses: { 200: json(listOf("DeadLetterList", DeadLetterResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const { targetNo } = pushLog.target(c.req.valid("param").targetNo);
        const query = c.req.valid("query");
        const { items, total } = pushLog.deadLetters(targetNo, fromZero(query), query.pageSize);
        return c.json({ items: items.map(toDeadLetter), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/push-targets/{targetNo}/replay",
        operationId: "replayDeadLetters",
        tags: ["Push"],
        summary: "Send again what was given up, oldest first",
        request: { params: TargetPath, body: jsonBody(Replay) },
        responses: {
          200: json(z.object({ replayed: z.int() }).openapi("Replayed"), "How many are queued again"),
          ...problems(404, 409),
        },
      }),
      async (c) => {
        const { ids } = c.req.valid("json");
        return c.json({ replayed: await pushLog.replay(c.req.valid("param").targetNo, ids) }, 200);
      },
    );
