import { Hono } from "hono";
import { z } from "zod";
import type { Application } from "../../capabilities/applications/application";
import {
  MANAGEMENT_NOTIFY_TYPES,
  NOTIFY_TYPES,
  SERVICE_NOTIFY_TYPES,
} from "../../capabilities/subscriptions/notification";
import {
  CHANNELS,
  type Channel,
  type Subscription,
  type SubscriptionService,
} from "../../capabilities/subscriptions/subscription";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";
import { list, paged } from "./answer-fields";
import { type Endpoints, requireEdit } from "./endpoint";
import { integer, judgedLater, MAX_INTEGER, optional, present, text } from "./fields";

const PATH = "/iocm/app/sub/v1.2.0/subscriptions";
const MANAGEMENT_PATH = "/iodm/app/sub/v1.1.0/subscribe";
const MAX_CALLBACK_URL = 1_024;
const ownerFlag = z.object({ ownerFlag: optional(z.enum(["true", "false"])) });

// The document has `channel` only where subscriptions are deleted (1.7.6); empty means HTTP there.
const address = {
  callbackUrl: judgedLater({ type: "string", minLength: 1, maxLength: MAX_CALLBACK_URL }),
  channel: optional(z.enum(["", ...CHANNELS])),
};
const Subscribe = z.object({ appId: optional(text(256)), notifyType: z.enum(SERVICE_NOTIFY_TYPES), ...address });
const SubscribeManagement = z.object({ notifyType: z.enum(MANAGEMENT_NOTIFY_TYPES), ...address });
const List = z.object({
  notifyType: optional(z.enum(NOTIFY_TYPES)),
  pageNo: optional(integer(0, MAX_INTEGER)).default(0),
  pageSize: optional(integer(1, MAX_INTEGER)).default(10),
});
const DeleteMatching = z.object({
  notifyType: optional(text(256)),
  callbackUrl: optional(text(1_024)), // the document says 256, and would leave longer ones undeletable
  channel: optional(text(32)),
});

const SUBSCRIBE = { needs: "query", query: ownerFlag, body: Subscribe, ownerInBody: true } as const;

export const SubscriptionResource = z.object({
  ...{ subscriptionId: z.string(), notifyType: z.enum(NOTIFY_TYPES), callbackUrl: z.string() },
  channel: z.enum(CHANNELS).optional().meta({ description: "Left out when it is HTTP" }),
});
const CREATED = { status: 201, schema: SubscriptionResource } as const;
const FOUND = { status: 200, schema: SubscriptionResource } as const;
const PAGE = { status: 200, schema: z.object({ ...paged, subscriptions: list(SubscriptionResource) }) } as const;

/** 1.7.1-1.7.6. */
export function subscriptionRoutes({ call }: Endpoints, subscriptions: SubscriptionService) {
  return new Hono<FrontEnv>()
    .post(
      PATH,
      call("1.7.1", { ...SUBSCRIBE, response: CREATED }, async (it) => {
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
          ...readAddress(body),
        });
        return { status: 201, json: toResource(subscription) };
      }),
    )
    .post(
      MANAGEMENT_PATH,
      call(
        "1.7.2",
        { needs: "own", body: SubscribeManagement, response: { status: 200 } },
        async ({ application: { no: appNo, id: appId }, body }) => {
          const { notifyType } = body;
          await subscriptions.subscribe({ appNo, appId, notifyType, ...readAddress(body), ifExists: "move" });
          return { status: 200, json: undefined };
        },
      ),
    )
    .get(
      `${PATH}/:subscriptionId`,
      call("1.7.3", { needs: "query", response: FOUND }, (it) => {
        const subscription = subscriptions.get(it.application.no, it.param("subscriptionId"), visibleTo(it));
        return { status: 200, json: toResource(subscription) };
      }),
    )
    .get(
      PATH,
      call("1.7.4", { needs: "query", query: List, response: PAGE }, (it) => {
        const { pageNo, pageSize, ...given } = it.query;
        const filter = { ...present(given), ownerAppNos: visibleTo(it) };
        const { items, total } = subscriptions.list(it.application.no, filter, pageNo, pageSize);
        return { status: 200, json: { totalCount: total, pageNo, pageSize, subscriptions: items.map(toResource) } };
      }),
    )
    .delete(
      `${PATH}/:subscriptionId`,
      call("1.7.5", { needs: "query", response: { status: 204 } }, async (it) => {
        const { no } = it.application;
        const id = it.param("subscriptionId");
        if (subscriptions.get(no, id, visibleTo(it)).ownerAppNo !== it.caller.no) requireEdit(it);
        await subscriptions.delete(no, id, visibleTo(it));
        return undefined;
      }),
    )
    .delete(
      PATH,
      call("1.7.6", { needs: "query", query: DeleteMatching, response: { status: 204 } }, async (it) => {
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

/** With MQTTS the service knows the address: none, null and the empty text say the same. */
function readAddress({ callbackUrl, channel }: { callbackUrl?: unknown; channel?: "" | Channel | undefined }) {
  if (channel !== "MQTTS") return { callbackUrl: readCallbackUrl(callbackUrl) };
  const isLeftOut = callbackUrl === undefined || callbackUrl === null || callbackUrl === "";
  return { channel, ...(isLeftOut ? {} : { callbackUrl: readCallbackUrl(callbackUrl) }) };
}

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

const toResource = ({ id, notifyType, callbackUrl, channel }: Subscription) => ({
  subscriptionId: id,
  notifyType,
  callbackUrl,
  ...(channel === "HTTP" ? {} : { channel }),
});
