import type { AppId } from "../applications/application";
import type { NotifyType } from "./notification";

export type SubscriptionId = string & { readonly brand: "SubscriptionId" };
/** How a notification travels: by POST to a callback URL, or by MQTT to a topic of the application. */
export const CHANNELS = ["HTTP", "MQTTS"] as const;
export type Channel = (typeof CHANNELS)[number];

/** An application server wants to hear of one type of notification at one address (1.7.1, 1.7.2). */
export type Subscription = {
  readonly no: number;
  readonly id: SubscriptionId;
  /** The application whose devices it is about. */
  readonly appNo: number;
  readonly appId: AppId;
  /** The application that the address belongs to: its certificate and signing secret count. Mostly `appNo` itself. */
  readonly ownerAppNo: number;
  /** The application that subscribed: `appNo`, or one that it authorised. The subscription goes when that ends. */
  readonly madeByNo: number;
  readonly notifyType: NotifyType;
  /** With MQTTS the topic of the type (notification-topic.ts). */
  readonly callbackUrl: string;
  readonly channel: Channel;
  readonly createdAt: number; // ms
};

export type NewSubscription = {
  readonly appNo: number;
  readonly appId: AppId;
  /** Default: `appNo`. */
  readonly ownerAppNo?: number;
  /** Default: `ownerAppNo`. */
  readonly madeByNo?: number;
  readonly notifyType: NotifyType;
  /** HTTP needs one. MQTTS has its topic for that: left out, or just that. */
  readonly callbackUrl?: string;
  readonly channel?: Channel;
  /** When there is one of this type, channel and owner already. `move`: it goes to the new address (1.7.2, no 409). */
  readonly ifExists?: "refuse" | "move";
};

/** Every field narrows. A type or address that nobody has subscribed matches nothing. */
export type SubscriptionFilter = {
  readonly notifyType?: string;
  readonly callbackUrl?: string;
  /** Only with an address of one of these applications: what a caller may see. */
  readonly ownerAppNos?: readonly number[];
};

export interface SubscriptionService {
  /**
   * Throws CALLBACK_URL_ILLEGAL {reason}; SUBSCRIPTION_EXISTS {subscriptionId} when the application has a subscription
   * of this type, channel and owner already, at whatever address: to change an address, delete first. What is queued
   * for a subscription that moves still goes to the address it was queued for.
   * APP_NOT_AUTHORIZED when another application subscribes whose right has ended meanwhile.
   */
  subscribe(input: NewSubscription): Promise<Subscription>;
  /** Throws SUBSCRIPTION_NOT_FOUND, also for another application's subscription. `ownerAppNos`: as in the filter. */
  get(appNo: number, id: string, ownerAppNos?: readonly number[]): Subscription;
  /** `page` from 0. Oldest first. Throws RESULT_TOO_LARGE {limit} when more than 1000 match, whatever the page. */
  list(
    appNo: number,
    filter: SubscriptionFilter,
    page: number,
    pageSize: number,
  ): { items: Subscription[]; total: number };
  /** What is still queued for it is not sent any more. Throws SUBSCRIPTION_NOT_FOUND. */
  delete(appNo: number, id: string, ownerAppNos?: readonly number[]): Promise<void>;
  /**
   * `channel` as the caller wrote it: absent and empty mean HTTP, an unknown one matches nothing (1.7.6).
   * Returns how many were deleted. Throws SUBSCRIPTION_NOT_FOUND when nothing matches.
   */
  deleteMatching(appNo: number, filter: SubscriptionFilter & { channel?: string }): Promise<number>;
}

/** Emitted inside the transaction. */
export type SubscriptionEvents = {
  subscriptionAdded: { subscription: Subscription };
  /**
   * Also of the address that a subscription has moved away from. `hostPort`: undefined for MQTTS. `lastOfHost`: the owner
   * has no other subscription at this host and port; its certificate there is to be unbound.
   */
  subscriptionDeleted: { subscription: Subscription; hostPort: string | undefined; lastOfHost: boolean };
};
