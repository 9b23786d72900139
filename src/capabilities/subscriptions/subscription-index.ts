import type { NotifyType } from "./notification";
import type { StoredSubscription } from "./subscription-repository";

export type Recipient = {
  readonly subscriptionNo: number;
  readonly targetNo: number;
  /** Whose address it is. */
  readonly ownerAppNo: number;
};
const NOBODY: readonly Recipient[] = [];

/**
 * Who is told of what, for the hot path. Holds what is committed; changed by `afterCommit` hooks only.
 * `isPushedTo`: whether the push service of an application is on; asked for the addresses of other applications.
 */
export function subscriptionIndex(isPushedTo: (appNo: number) => boolean) {
  const byApplication = new Map<number, Map<NotifyType, readonly Recipient[]>>();
  const active = new Set<number>();
  const uses = new Map<number, number>(); // subscriptions per target

  return {
    add({ no, appNo, ownerAppNo, notifyType, targetNo }: StoredSubscription): void {
      if (active.has(no)) return;
      active.add(no);
      uses.set(targetNo, (uses.get(targetNo) ?? 0) + 1);
      const types = byApplication.get(appNo) ?? new Map<NotifyType, readonly Recipient[]>();
      byApplication.set(appNo, types);
      types.set(notifyType, [...(types.get(notifyType) ?? NOBODY), { subscriptionNo: no, targetNo, ownerAppNo }]);
    },
    remove({ no, appNo, notifyType, targetNo }: StoredSubscription): void {
      if (!active.delete(no)) return;
      uses.set(targetNo, (uses.get(targetNo) ?? 1) - 1);
      if (uses.get(targetNo) === 0) uses.delete(targetNo);
      const types = byApplication.get(appNo);
      const left = (types?.get(notifyType) ?? NOBODY).filter(({ subscriptionNo }) => subscriptionNo !== no);
      if (left.length > 0) types?.set(notifyType, left);
      else types?.delete(notifyType);
      if (types?.size === 0) byApplication.delete(appNo);
    },
    recipients(appNo: number, type: NotifyType): readonly Recipient[] {
      const all = byApplication.get(appNo)?.get(type) ?? NOBODY;
      const isOpen = ({ ownerAppNo }: Recipient) => ownerAppNo === appNo || isPushedTo(ownerAppNo);
      return all.every(isOpen) ? all : all.filter(isOpen);
    },
    isActive: (subscriptionNo: number): boolean => active.has(subscriptionNo),
    usesTarget: (targetNo: number): boolean => uses.has(targetNo),
  };
}
export type SubscriptionIndex = ReturnType<typeof subscriptionIndex>;
