import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ApplicationGrants } from "../applications/application-grants";
import { parseCallbackUrl } from "./callback-url";
import { notificationTopic } from "./notification-topic";
import {
  CHANNELS,
  type Channel,
  type NewSubscription,
  type SubscriptionEvents,
  type SubscriptionFilter,
  type SubscriptionId,
  type SubscriptionService,
} from "./subscription";
import type { SubscriptionIndex } from "./subscription-index";
import type { StoredSubscription, SubscriptionRepository } from "./subscription-repository";

const MAX_MATCHES = 1000; // 1.7.4

type Parts = {
  repository: SubscriptionRepository;
  index: SubscriptionIndex;
  /** Inside the transaction: the number of the address, made if it is new. */
  ensureTarget: (ownerAppNo: number, callbackUrl: string) => number;
  appIdOf: (appNo: number) => string | undefined;
  grants: Pick<ApplicationGrants, "holds">;
  transactor: Transactor;
  events: Emitter<SubscriptionEvents>;
  clock: Clock;
  ids: Ids;
  maxMatches?: number;
};

export type SubscriptionStore = SubscriptionService & {
  /** Inside the transaction that deletes an application: its subscriptions and those to its addresses go with it. */
  removeOfApplication(appNo: number): void;
  /** Inside the transaction that ends the right of an application on another's data. */
  removeOfGrant(appNo: number, granteeNo: number): void;
};

export function subscriptionService(parts: Parts): SubscriptionStore {
  const { repository, index, ensureTarget, appIdOf, grants, transactor, events, clock, ids } = parts;
  const { maxMatches = MAX_MATCHES } = parts;
  for (const subscription of repository.all()) index.add(subscription);

  /** Only inside a transaction. */
  function remove(subscription: StoredSubscription): void {
    repository.remove(subscription.no);
    tellLeft(subscription);
    transactor.afterCommit(() => index.remove(subscription));
  }

  /** Only inside a transaction. The number stays, so what is queued is still sent. */
  function move(from: StoredSubscription, callbackUrl: string): StoredSubscription {
    const subscription = { ...from, callbackUrl, targetNo: ensureTarget(from.ownerAppNo, callbackUrl) };
    repository.move(subscription.no, callbackUrl, subscription.targetNo);
    tellLeft(from);
    events.emit("subscriptionAdded", { subscription });
    transactor.afterCommit(() => {
      index.remove(from);
      index.add(subscription);
    });
    return subscription;
  }

  function tellLeft(subscription: StoredSubscription): void {
    const { callbackUrl, channel, ownerAppNo } = subscription;
    if (channel === "MQTTS") {
      events.emit("subscriptionDeleted", { subscription, hostPort: undefined, lastOfHost: false });
      return;
    }
    const { hostPort } = parseCallbackUrl(callbackUrl);
    const lastOfHost = repository
      .addressesOf(ownerAppNo)
      .every((address) => parseCallbackUrl(address).hostPort !== hostPort);
    events.emit("subscriptionDeleted", { subscription, hostPort, lastOfHost });
  }

  /** Throws CALLBACK_URL_ILLEGAL. */
  function addressOf({ appNo, appId, ownerAppNo = appNo, notifyType, callbackUrl, channel }: NewSubscription): string {
    if (channel !== "MQTTS") {
      if (callbackUrl === undefined) throw new DomainError("CALLBACK_URL_ILLEGAL", { reason: "is required" });
      parseCallbackUrl(callbackUrl);
      return callbackUrl;
    }
    const ownerId = ownerAppNo === appNo ? appId : appIdOf(ownerAppNo);
    if (ownerId === undefined) throw new DomainError("APP_NOT_FOUND");
    const topic = notificationTopic(ownerId, notifyType);
    if (callbackUrl === undefined || callbackUrl === topic) return topic;
    const reason = "is not needed with MQTTS, and the topic is not for choice";
    throw new DomainError("CALLBACK_URL_ILLEGAL", { field: "callbackUrl", reason, topic });
  }

  function get(appNo: number, id: string, ownerAppNos?: readonly number[]): StoredSubscription {
    const found = repository.find(appNo, id, ownerAppNos);
    if (!found) throw new DomainError("SUBSCRIPTION_NOT_FOUND", { subscriptionId: id });
    return found;
  }

  return {
    async subscribe(input) {
      const { appNo, appId, ownerAppNo = appNo, madeByNo = ownerAppNo, notifyType } = input;
      const { channel = "HTTP", ifExists = "refuse" } = input;
      const callbackUrl = addressOf(input);
      return transactor.write(() => {
        if (madeByNo !== appNo && !grants.holds(appNo, madeByNo))
          throw new DomainError("APP_NOT_AUTHORIZED", { appId });
        const same = repository.findSame({ appNo, notifyType, channel, ownerAppNo });
        if (same && ifExists === "move") return same.callbackUrl === callbackUrl ? same : move(same, callbackUrl);
        if (same) throw new DomainError("SUBSCRIPTION_EXISTS", { subscriptionId: same.id, notifyType });
        const subscription = repository.add({
          id: ids.next() as SubscriptionId,
          appNo,
          appId,
          ownerAppNo,
          madeByNo,
          notifyType,
          callbackUrl,
          channel,
          targetNo: ensureTarget(ownerAppNo, callbackUrl),
          createdAt: clock.now(),
        });
        events.emit("subscriptionAdded", { subscription });
        transactor.afterCommit(() => index.add(subscription));
        return subscription;
      });
    },

    get,

    list(appNo, filter, page, pageSize) {
      const total = repository.count(appNo, filter);
      if (total > maxMatches) throw new DomainError("RESULT_TOO_LARGE", { limit: maxMatches });
      return { items: repository.list(appNo, filter, pageSize, page * pageSize), total };
    },

    delete: (appNo, id, ownerAppNos) => transactor.write(() => remove(get(appNo, id, ownerAppNos))),

    deleteMatching: (appNo, { channel, ...filter }) =>
      transactor.write(() => {
        const known = toChannel(channel);
        const matching = known ? repository.list(appNo, filter, -1, 0, known) : [];
        if (matching.length === 0) throw new DomainError("SUBSCRIPTION_NOT_FOUND", describe(filter));
        for (const subscription of matching) remove(subscription);
        return matching.length;
      }),

    removeOfGrant(appNo, granteeNo) {
      for (const subscription of repository.madeBy(appNo, granteeNo)) remove(subscription);
    },
    removeOfApplication(appNo) {
      for (const subscription of repository.involving(appNo)) remove(subscription);
    },
  };
}

/** 1.7.6: empty counts as HTTP; a name that is no channel matches nothing. */
function toChannel(channel: string | undefined): Channel | undefined {
  return channel ? CHANNELS.find((it) => it === channel) : "HTTP";
}

const describe = ({ notifyType, callbackUrl }: SubscriptionFilter) => ({ notifyType, callbackUrl });
