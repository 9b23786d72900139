import { Hono } from "hono";
import { z } from "zod";
import type { Application } from "../../capabilities/applications/application";
import { NOTIFY_TYPES } from "../../capabilities/subscriptions/notification";
import type { Subscription, SubscriptionService } from "../../capabilities/subscriptions/subscription";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";
import { type Endpoints, requireEdit } from "./endpoint";
import { integer, MAX_INTEGER, optional, present, text } from "./fields";

const PATH = "/iocm/app/sub/v1.2.0/subscriptions";
// Subscribed by 1.7.2; known here as filters.
const MANAGEMENT_TYPES = [
  "swUpgradeStateChangeNotify",
  "swUpgradeResultNotify",
  "fwUpgradeStateChangeNotify",
  "fwUpgradeResultNotify",
] as const;
const ownerFlag = z.object({ ownerFlag: optional(z.enum(["true", "false"])) });

const Subscribe = z.object({
  appId: optional(text(256)),
  notifyType: z.enum(NOTIFY_TYPES),
  callbackUrl: z.unknown().optional(), // everything that is wrong with it is one error of its own
});
const List = z.object({
  notifyType: optional(z.enum([...NOTIFY_TYPES, ...MANAGEMENT_TYPES])),
  pageNo: optional(integer(0, MAX_INTEGER)).default(0),
  pageSize: optional(integer(1, 1_000)).default(10),
});
const DeleteMatching = z.object({
  notifyType: optional(text(256)),
  callbackUrl: optional(text(1_024)), // the document says 256, and would leave longer ones undeletable
  channel: optional(text(32)),
});

/** 1.7.1, 1.7.3-1.7.6. */
export function subscriptionRoutes({ call }: Endpoints, subscriptions: SubscriptionService) {
  return new Hono<FrontEnv>()
    .post(
      PATH,
      call("1.7.1", { needs: "query", query: ownerFlag, body: Subscribe, ownerInBody: true }, async (it) => {
        const { application, caller, query, body } = it;
        // Who writes the address owns it, unless it says that it is the other's: then it acts for that one.
        const isOwners = query.ownerFlag === "false";
        if (isOwners) requireEdit(it);
        const subscription = await subscriptions.subscribe({
          appNo: application.no,
          appId: application.id,
          ownerAppNo: isOwners ? application.no : caller.no,
          madeByNo: caller.no,
          notifyType: body.notifyType,
          callbackUrl: readCallbackUrl(body.callbackUrl),
        });
        return { status: 201, json: toResource(subscription) };
      }),
    )
    .get(
      `${PATH}/:subscriptionId`,
      call("1.7.3", { needs: "query" }, (it) => {
        const subscription = subscriptions.get(it.application.no, it.param("subscriptionId"), visibleTo(it));
        return { status: 200, json: toResource(subscription) };
      }),
    )
    .get(
      PATH,
      call("1.7.4", { needs: "query", query: List }, (it) => {
        const { pageNo, pageSize, ...given } = it.query;
        const filter = { ...present(given), ownerAppNos: visibleTo(it) };
        const { items, total } = subscriptions.list(it.application.no, filter, pageNo, pageSize);
        return { status: 200, json: { totalCount: total, pageNo, pageSize, subscriptions: items.map(toResource) } };
      }),
    )
    .delete(
      `${PATH}/:subscriptionId`,
      call("1.7.5", { needs: "query" }, async (it) => {
        const { no } = it.application;
        const id = it.param("subscriptionId");
        if (subscriptions.get(no, id, visibleTo(it)).ownerAppNo !== it.caller.no) requireEdit(it);
        await subscriptions.delete(no, id, visibleTo(it));
        return undefined;
      }),
    )
    .delete(
      PATH,
      call("1.7.6", { needs: "query", query: DeleteMatching }, async (it) => {
        const ownerAppNos = it.access === "edit" ? visibleTo(it) : [it.caller.no];
        await subscriptions.deleteMatching(it.application.no, { ...present(it.query), ownerAppNos });
        return undefined;
      }),
    );
}

/**
 * Whose addresses a call reaches among the subscriptions to an application's data: the application's and the caller's
 * own. What a third one has subscribed is its own affair, and that of the operator.
 */
const visibleTo = ({ application, caller }: { application: Application; caller: Application }) => [
  ...new Set([application.no, caller.no]),
];

const MAX_CALLBACK_URL = 1_024;

/** Its form is judged by the service; here only that there is one. */
function readCallbackUrl(value: unknown): string {
  if (typeof value !== "string" || value === "") {
    throw new DomainError("CALLBACK_URL_ILLEGAL", { field: "callbackUrl", reason: "is required, as a string" });
  }
  if (value.length > MAX_CALLBACK_URL) {
    throw new DomainError("CALLBACK_URL_ILLEGAL", { field: "callbackUrl", reason: "is longer than 1024 characters" });
  }
  return value;
}

const toResource = ({ id, notifyType, callbackUrl }: Subscription) => ({ subscriptionId: id, notifyType, callbackUrl });
