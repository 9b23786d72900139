import type { AppId } from "../applications/application";
import type { CompiledProduct, ProductId } from "../products/product";

export type DeviceId = string & { readonly brand: "DeviceId" };
export const DEVICE_STATUSES = ["ONLINE", "OFFLINE", "INACTIVE", "ABNORMAL"] as const;
export type DeviceStatus = (typeof DEVICE_STATUSES)[number];
export const NODE_TYPES = ["ENDPOINT", "GATEWAY", "UNKNOW"] as const; // the vendor's spelling
export type NodeType = (typeof NODE_TYPES)[number];

export type Tag = { readonly tagName: string; readonly tagValue: string; readonly tagType?: number };
export type CustomField = { readonly fieldName?: string; readonly fieldType?: string; readonly fieldValue?: unknown };

/** What the API can show and change about a device. Undefined: never told. */
export type DeviceInfo = {
  readonly name?: string;
  readonly description?: string;
  readonly manufacturerId?: string;
  readonly manufacturerName?: string;
  readonly deviceType?: string;
  readonly model?: string;
  readonly protocolType?: string;
  readonly mac?: string;
  readonly location?: string;
  readonly swVersion?: string;
  readonly fwVersion?: string;
  readonly hwVersion?: string;
  readonly imsi?: string;
  readonly ip?: string;
  readonly radiusIp?: string;
  readonly bridgeId?: string;
  readonly signalStrength?: string;
  readonly sigVersion?: string;
  readonly serialNumber?: string;
  readonly batteryLevel?: string;
  readonly endUser?: string;
  readonly organization?: string;
  readonly region?: string;
  readonly timezone?: string;
};

export type Device = {
  readonly no: number;
  readonly id: DeviceId; // productId_nodeId when registered here; opaque, up to 256 characters
  readonly appNo: number;
  readonly appId: AppId;
  readonly productNo: number | undefined;
  readonly productId: ProductId | undefined;
  readonly nodeId: string;
  readonly nodeType: NodeType;
  readonly gatewayNo: number | undefined; // undefined: directly connected
  readonly gatewayId: DeviceId; // its own id when directly connected
  readonly info: DeviceInfo;
  readonly status: DeviceStatus;
  readonly statusDetail: string;
  readonly muted: boolean; // `mute` TRUE: reports are neither managed nor stored
  readonly isSecure: boolean;
  readonly tags: readonly Tag[];
  readonly customFields: readonly CustomField[];
  readonly dataAgingDays: number | undefined;
  /** Commands that may not be sent, by service (serviceInfo.muteCmds). */
  readonly mutedCommands: Readonly<Record<string, readonly string[]>>;
  readonly activated: boolean;
  readonly createdAt: number;
  readonly modifiedAt: number;
  /** When an unactivated device is deleted; undefined: never. */
  readonly expiresAt: number | undefined;
};

/**
 * What the access side and the ingest path need of a device in use, kept in memory while somebody holds it and changed
 * in place (after the commit) when the device, its product or its application changes. `deleted` turns true for ever.
 */
export type LiveDevice = {
  readonly no: number;
  readonly id: DeviceId;
  readonly appNo: number;
  readonly appId: AppId;
  nodeId: string;
  gatewayNo: number | undefined;
  gatewayId: DeviceId;
  product: CompiledProduct | undefined;
  muted: boolean;
  isSecure: boolean;
  /** Not ONLINE, or not bound: its next contact has to be told to `DeviceService.seen`. False spares a transaction. */
  needsContact: boolean;
  storeHistory: boolean;
  pushEnabled: boolean;
  deleted: boolean;
};

/** Emitted inside the transaction of the change. */
export type DeviceEvents = {
  deviceAdded: { device: Device };
  /** First contact (`succeeded`), or the validity time passed without one (`expired`). */
  deviceBound: { device: Device; result: "succeeded" | "expired" };
  deviceInfoChanged: { device: Device };
  deviceDeleted: { device: Device };
};

/** Outside transactions, from the access side: facts about devices without a long connection. */
export type ContactEvents = {
  /**
   * The device has just been heard (a registration, an update, a notification; authenticated where it is secure), that
   * was stored and acknowledged, and it listens now. `hasMore`: it said that more is coming, cached commands wait.
   */
  deviceHeard: { readonly deviceNo: number; readonly hasMore: boolean };
};
