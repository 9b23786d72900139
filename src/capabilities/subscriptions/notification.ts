import type { Application } from "../applications/application";
import type { Device, LiveDevice } from "../devices/device";
import type { Product } from "../products/product";
import type { AcceptedReport } from "../telemetry/report";

/** Service data, subscribed by 1.7.1. */
export const SERVICE_NOTIFY_TYPES = [
  "deviceAdded",
  "bindDevice",
  "deviceInfoChanged",
  "deviceDataChanged",
  "deviceDatasChanged",
  "deviceCapabilitiesChanged",
  "deviceCapabilitiesAdded",
  "deviceCapabilitiesDeleted",
  "deviceDeleted",
  "messageConfirm",
  "commandRsp",
  "ruleEvent",
  "deviceDesiredPropertiesModifyStatusChanged",
] as const;
/** Management data, subscribed by 1.7.2; raised by upgrades. */
export const MANAGEMENT_NOTIFY_TYPES = [
  "swUpgradeStateChangeNotify",
  "swUpgradeResultNotify",
  "fwUpgradeStateChangeNotify",
  "fwUpgradeResultNotify",
] as const;
export const NOTIFY_TYPES = [...SERVICE_NOTIFY_TYPES, ...MANAGEMENT_NOTIFY_TYPES] as const;
export type NotifyType = (typeof NOTIFY_TYPES)[number];

export type UpgradeState = "idle" | "downloading" | "downloaded" | "updating";

/** What all notifications of upgrades say: whose upgrade, in which task and subtask. */
type UpgradeOf<T extends string> = {
  readonly type: T;
  readonly deviceId: string;
  readonly appId: string; // owner of the device
  readonly operationId: string;
  readonly subOperationId: string;
};
type UpgradeEnd = {
  readonly curVersion: string;
  readonly targetVersion: string;
  readonly sourceVersion: string;
  readonly result: "SUCCESS" | "FAIL";
  readonly resultDesc: string;
  /** How long it took. */
  readonly upgradeTimeMs: number;
};

/** The facts of a notification; a dialect renders them in its own words. */
export type Notification =
  | { readonly type: "deviceAdded"; readonly device: Device }
  | { readonly type: "bindDevice"; readonly device: Device; readonly result: "succeeded" | "expired" }
  | { readonly type: "deviceInfoChanged"; readonly device: Device }
  | { readonly type: "deviceDeleted"; readonly device: Device }
  | {
      readonly type: "deviceDataChanged" | "deviceDatasChanged";
      readonly device: LiveDevice;
      readonly requestId: string;
      readonly reports: readonly AcceptedReport[]; // exactly one for deviceDataChanged
    }
  | {
      readonly type: "deviceCapabilitiesAdded" | "deviceCapabilitiesChanged" | "deviceCapabilitiesDeleted";
      readonly application: Application;
      readonly product: Product;
    }
  | {
      readonly type: "messageConfirm";
      readonly requestId: string;
      readonly deviceId: string;
      readonly serviceId: string;
      readonly to: string;
      readonly status: "sent" | "delivered" | "executed";
      readonly timestampMs: number;
    }
  | {
      readonly type: "commandRsp";
      readonly requestId: string;
      readonly deviceId: string;
      readonly serviceId: string;
      readonly serviceType: string;
      readonly to: string;
      readonly method: string;
      readonly body: unknown;
    }
  | {
      /** 1.8.14. */
      readonly type: "deviceDesiredPropertiesModifyStatusChanged";
      readonly deviceId: string;
      readonly serviceId: string;
      readonly properties: Readonly<Record<string, unknown>>;
      readonly status: "DELIVERED" | "FAILED";
    }
  /** 1.8.15, 1.8.17. */
  | (UpgradeOf<"swUpgradeStateChangeNotify" | "fwUpgradeStateChangeNotify"> & { readonly state: UpgradeState })
  /** 1.8.16; `errorCode` as the device reported it, `description` its cause. */
  | (UpgradeOf<"swUpgradeResultNotify"> & UpgradeEnd & { readonly errorCode: string; readonly description: string })
  /** 1.8.18. */
  | (UpgradeOf<"fwUpgradeResultNotify"> & UpgradeEnd)
  | {
      /** 1.8.12: goes to the callback address of the command, without a subscription. */
      readonly type: "commandStatus";
      readonly deviceId: string;
      readonly commandId: string;
      readonly resultCode: string;
      readonly resultDetail: unknown;
    };

/** Port: the words of a dialect. `northbound/oceanconnect` implements it; joined in `app`. Returns the JSON body. */
export type RenderNotification = (notification: Notification) => string;
