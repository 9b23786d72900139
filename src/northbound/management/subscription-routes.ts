import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import { NOTIFY_TYPES } from "../../capabilities/subscriptions/notification";
import { CHANNELS, type Subscription, type SubscriptionService } from "../../capabilities/subscriptions/subscription";
import { AppPath, toAppId } from "./application-routes";
import { given } from "./given";
import { listOf, pageQuery } from "./page";
import { json, problems, routes, Timestamp, toTimestamp } from "./routes";

const SubscriptionResource = z
  .object({
    subscriptionId: z.string(),
    notifyType: z.enum(NOTIFY_TYPES),
    callbackUrl: z.string(),
    channel: z.enum(CHANNELS),
    createdAt: Timestamp,
  })
  .openapi("Subscription");
const SubscriptionQuery = z.strictObject({
  ...pageQuery,
  notifyType: z.enum(NOTIFY_TYPES).optional(),
  callbackUrl: z.string().min(1).max(2_048).optional(),
});

const toResource = (it: Subscription) => ({
  subscriptionId: it.id,
  notifyType: it.notifyType,
  callbackUrl: it.callbackUrl,
  channel: it.channel,
  createdAt: toTimestamp(it.createdAt),
});

type Ports = { applications: Pick<ApplicationService, "get">; subscriptions: Pick<SubscriptionService, "list"> };

export const subscriptionRoutes = ({ applications, subscriptions }: Ports) =>
  routes().openapi(
    createRoute({
      method: "get",
      path: "/apps/{appId}/subscriptions",
      operationId: "listSubscriptions",
      tags: ["Push"],
      summary: "List what an application has subscribed to, oldest first",
      request: { params: AppPath, query: SubscriptionQuery },
      responses: { 200: json(listOf("SubscriptionList", SubscriptionResource), "A page"), ...problems(404) },
    }),
    (c) => {
      const { no } = applications.get(toAppId(c.req.valid("param").appId));
      const { page, pageSize, ...filter } = c.req.valid("query");
      const { items, total } = subscriptions.list(no, given(filter), page - 1, pageSize);
      return c.json({ items: items.map(toResource), total }, 200);
    },
  );
