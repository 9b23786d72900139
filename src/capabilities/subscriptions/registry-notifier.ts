import type { Database } from "bun:sqlite";
import type { Listenable } from "../../platform/events";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Application, ApplicationEvents } from "../applications/application";
import type { ApplicationGrants } from "../applications/application-grants";
import type { DeviceEvents } from "../devices/device";
import type { Product, ProductEvents } from "../products/product";
import type { MessageIds } from "./message-ids";
import type { Notification, RenderNotification } from "./notification";
import { INSERT_OUTBOX, type OutboxRow } from "./outbox";
import type { Recipient, SubscriptionIndex } from "./subscription-index";

/**
 * Tells of a change in registry.db: the messages are committed with it or not at all. Only inside a transaction.
 * `orderKey`: the number of the device, or 0. `callbackUrl`: to this address of the application in place of the
 * subscribers (1.8.12); it needs no subscription. `callbackAppNo`: the address belongs to this application, and is told
 * while that is authorised; default: the application itself.
 */
export type Notify = (
  notification: Notification,
  appNo: number,
  options: { readonly orderKey: number; readonly callbackUrl?: string; readonly callbackAppNo?: number | undefined },
) => void;

type Parts = {
  db: Database;
  index: SubscriptionIndex;
  render: RenderNotification;
  transactor: Transactor;
  messageIds: MessageIds;
  steadyNow: () => number;
  ensureTarget: (appNo: number, callbackUrl: string) => number;
  application: (no: number) => Application | undefined;
  grants: Pick<ApplicationGrants, "holds">;
  committed: (row: OutboxRow) => void;
};

export function registryNotifier(parts: Parts): Notify {
  const { db, index, render, transactor, messageIds, steadyNow, ensureTarget, application, grants, committed } = parts;
  const insert = db.query<null, [number, number, number, string, number, string, number]>(INSERT_OUTBOX);

  function recipients(
    notification: Notification,
    appNo: number,
    callbackUrl: string | undefined,
    callbackAppNo: number,
  ): readonly Pick<Recipient, "subscriptionNo" | "targetNo">[] {
    const owner = application(appNo);
    if (!owner?.pushEnabled) return [];
    if (callbackUrl !== undefined) {
      const isOpen = callbackAppNo === appNo || isAuthorised(appNo, callbackAppNo);
      return isOpen ? [{ subscriptionNo: 0, targetNo: ensureTarget(callbackAppNo, callbackUrl) }] : [];
    }
    // Push to subscribers needs the history too (platform.md 1); the answer to a command does not.
    if (!owner.storeHistory || notification.type === "commandStatus") return [];
    return index.recipients(appNo, notification.type);
  }

  const isAuthorised = (appNo: number, otherNo: number) =>
    application(otherNo)?.pushEnabled === true && grants.holds(appNo, otherNo);

  return (notification, appNo, { orderKey, callbackUrl, callbackAppNo = appNo }) => {
    const to = recipients(notification, appNo, callbackUrl, callbackAppNo);
    if (to.length === 0) return;
    const body = render(notification);
    for (const { targetNo, subscriptionNo } of to) {
      const row: OutboxRow = {
        source: "registry",
        targetNo,
        id: messageIds.next(),
        subscriptionNo,
        type: notification.type,
        orderKey,
        body,
        createdMs: steadyNow(),
        attempts: 0,
        retryMs: 0,
      };
      insert.run(targetNo, row.id, subscriptionNo, row.type, orderKey, body, row.createdMs);
      transactor.afterCommit(() => committed(row));
    }
  };
}

export type RegistryEvents = {
  readonly applications: Listenable<ApplicationEvents>;
  readonly products: Listenable<ProductEvents>;
  readonly devices: Listenable<DeviceEvents>;
};

/** Turns what happens to products and devices into notifications. */
export function notifyOfEvents(
  { products, devices }: Pick<RegistryEvents, "products" | "devices">,
  application: (no: number) => Application | undefined,
  notify: Notify,
): void {
  devices.on("deviceAdded", ({ device }) =>
    notify({ type: "deviceAdded", device }, device.appNo, { orderKey: device.no }),
  );
  devices.on("deviceBound", ({ device, result }) =>
    notify({ type: "bindDevice", device, result }, device.appNo, { orderKey: device.no }),
  );
  devices.on("deviceInfoChanged", ({ device }) =>
    notify({ type: "deviceInfoChanged", device }, device.appNo, { orderKey: device.no }),
  );
  devices.on("deviceDeleted", ({ device }) =>
    notify({ type: "deviceDeleted", device }, device.appNo, { orderKey: device.no }),
  );

  type CapabilityType = Extract<Notification, { product: Product }>["type"];
  const ofProduct = (type: CapabilityType, product: Product) => {
    const owner = application(product.appNo);
    // Negative: products keep an order among themselves and never share one with a device.
    if (owner) notify({ type, application: owner, product }, product.appNo, { orderKey: -product.no });
  };
  products.on("productAdded", ({ product }) => ofProduct("deviceCapabilitiesAdded", product));
  products.on("productChanged", ({ product }) => ofProduct("deviceCapabilitiesChanged", product));
  products.on("productDeleted", ({ product }) => ofProduct("deviceCapabilitiesDeleted", product));
}
