import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ApplicationGrants } from "../applications/application-grants";
import { parseCallbackUrl } from "./callback-url";
import {
  CHANNELS,
  type Channel,
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
  const { repository, index, ensureTarget, grants, transactor, events, clock, ids, maxMatches = MAX_MATCHES } = parts;
  for (const subscription of repository.all()) index.add(subscription);

  /** Only inside a transaction. */
  function remove(subscription: StoredSubscription): void {
    repository.remove(subscription.no);
    const { hostPort } = parseCallbackUrl(subscription.callbackUrl);
    const lastOfHost = repository
      .addressesOf(subscription.ownerAppNo)
      .every((address) => parseCallbackUrl(address).hostPort !== hostPort);
    events.emit("subscriptionDeleted", { subscription, hostPort, lastOfHost });
    transactor.afterCommit(() => index.remove(subscription));
  }

  function get(appNo: number, id: string, ownerAppNos?: readonly number[]): StoredSubscription {
    const found = repository.find(appNo, id, ownerAppNos);
    if (!found) throw new DomainError("SUBSCRIPTION_NOT_FOUND", { subscriptionId: id });
    return found;
  }

  return {
    async subscribe(input) {
      const {
        appNo,
        appId,
        ownerAppNo = appNo,
        madeByNo = ownerAppNo,
        notifyType,
        callbackUrl,
        channel = "HTTP",
      } = input;
      parseCallbackUrl(callbackUrl);
      return transactor.write(() => {
        if (madeByNo !== appNo && !grants.holds(appNo, madeByNo))
          throw new DomainError("APP_NOT_AUTHORIZED", { appId });
        const same = repository.findSame({ appNo, notifyType, channel, ownerAppNo });
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
