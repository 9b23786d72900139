import type { AppId } from "../applications/application";
import type { ProductSelector, ProtocolType } from "../products/product";
import type { CustomField, Device, DeviceId, DeviceInfo, DeviceStatus, LiveDevice, NodeType, Tag } from "./device";
import type { TagFilter } from "./tags";

/** How the device will prove who it is. What is not given is made. */
export type NewCredentials =
  /** 1.5.2, MQTT: `secret` is 20 hex digits. */
  | { readonly kind: "password"; readonly secret?: string | undefined; readonly psk?: string | undefined }
  /** 1.5.1, LWM2M and the agent SDK: `psk` is 8 to 32 hex digits, `verifyCode` unique in the installation. */
  | { readonly kind: "verifyCode"; readonly verifyCode?: string | undefined; readonly psk?: string | undefined };

export type NewDevice = {
  /** Unique in the whole installation: a device may log in with it alone. */
  readonly nodeId: string;
  /** May be undefined for a sub-device only, which then has no product. */
  readonly product: ProductSelector | undefined;
  readonly credentials: NewCredentials;
  /** `name` defaults to the nodeId. */
  readonly info?: DeviceInfo;
  /** Default: GATEWAY when the device type ends in `Gateway` or `LoRaServer`, else ENDPOINT. */
  readonly nodeType?: NodeType | undefined;
  /** Number of a directly connected device of the same application, which becomes (or is) a GATEWAY. */
  readonly gatewayNo?: number | undefined;
  readonly isSecure?: boolean | undefined; // default false
  /** Seconds after which the registration is deleted if the device has not connected; 0: never. */
  readonly timeoutS?: number | undefined; // default `settings.registrationTimeoutS`
  readonly tags?: readonly Tag[];
  /** Work of the caller's in the same transaction; what it throws undoes the registration. */
  readonly also?: ((device: Device) => void) | undefined;
};

/** `secret`, `psk` and `verifyCode` are told here and never again. */
export type Registration = {
  readonly device: Device;
  readonly secret: string;
  readonly psk: string;
  readonly verifyCode: string | undefined;
  readonly timeoutS: number;
};

/** 1.5.4: only what is given changes; null takes a value away. */
export type DevicePatch = {
  readonly info?: { readonly [K in keyof DeviceInfo]?: DeviceInfo[K] | null | undefined };
  readonly productId?: string | undefined;
  readonly nodeType?: NodeType | undefined;
  readonly muted?: boolean | undefined; // mute
  readonly isSecure?: boolean | undefined;
  readonly psk?: string | undefined;
  readonly tags?: readonly Tag[] | undefined; // replaces all of them
  readonly customFields?: readonly CustomField[] | undefined; // replaces all of them
  readonly dataAgingDays?: number | null | undefined; // deviceConfig.dataConfig.dataAgingTime
  /** Replaces the whole map: service id → command names (serviceInfo.muteCmds). */
  readonly mutedCommands?: Readonly<Record<string, readonly string[]>> | undefined;
};

export type CredentialsRefresh = {
  readonly nodeId?: string | undefined;
  readonly verifyCode?: string | undefined;
  readonly timeoutS?: number | undefined; // default `settings.refreshTimeoutS`
};

/** All given filters must hold. Texts are compared whole and exactly. */
export type DeviceFilter = {
  /** The device of this id itself, and the devices behind it. */
  readonly gatewayId?: string | undefined;
  readonly nodeType?: NodeType | undefined;
  readonly deviceType?: string | undefined;
  readonly location?: string | undefined;
  readonly name?: string | undefined;
  readonly status?: DeviceStatus | undefined;
  readonly tag?: TagFilter | undefined;
  /** Registered at or after, ms. */
  readonly startMs?: number | undefined;
  /** Registered at or before, ms. */
  readonly endMs?: number | undefined;
};
export type DeviceList = DeviceFilter & {
  readonly sort: "ASC" | "DESC"; // by the time of registration
  readonly page: number; // from 0
  readonly pageSize: number;
};

/** What a login is checked against. Not to be logged. */
export type DeviceLogin = {
  readonly no: number;
  readonly id: DeviceId;
  readonly nodeId: string;
  readonly appNo: number;
  readonly secret: string;
};

/** Who registers under one of several names (the IMEI forms of LwM2M). `ambiguous`: more than one of them is a device. */
export type EndpointLogin =
  | {
      readonly kind: "found";
      readonly no: number;
      readonly id: DeviceId;
      readonly nodeId: string;
      readonly appNo: number;
      readonly isSecure: boolean;
      readonly muted: boolean;
      /** Undefined: it has no product. */
      readonly protocolType: ProtocolType | undefined;
    }
  | { readonly kind: "unknown" | "ambiguous" };

export interface DeviceService {
  /**
   * Throws APP_NOT_FOUND, PRODUCT_NOT_FOUND, NODE_ID_TAKEN, VERIFY_CODE_INVALID (taken; not the nodeId with an MQTT product),
   * DEVICE_ALREADY_BOUND (by verifyCode: the application's own device of this nodeId has connected), DEVICE_NOT_FOUND (the gateway),
   * DEVICE_LIMIT_REACHED, NON_SECURE_LIMIT_REACHED, INPUT_INVALID {field, reason}. Resolves when it is on disk.
   */
  register(appId: AppId, input: NewDevice): Promise<Registration>;

  /** Within the application. */
  find(appId: AppId, deviceId: string): Device | undefined;
  /** Throws DEVICE_NOT_FOUND. */
  get(appId: AppId, deviceId: string): Device;
  /** In any application: for operators. */
  findById(deviceId: string): Device | undefined;
  findByNo(no: number): Device | undefined;
  findByNodeId(nodeId: string): Device | undefined;
  list(appId: AppId, query: DeviceList): { items: Device[]; total: number };
  /** How many devices of the application are in each status. */
  counts(appId: AppId): Readonly<Record<DeviceStatus, number>>;
  /** The device of this id first, then the devices behind it, at most `limit` of them (1.6.5, 1.6.3 by gatewayId). */
  behindGateway(appId: AppId, gatewayId: string, limit: number): Device[];

  /**
   * One deviceInfoChanged per call that changes something, none otherwise.
   * Throws DEVICE_NOT_FOUND, PRODUCT_NOT_FOUND, FROZEN_LIMIT_REACHED, NON_SECURE_LIMIT_REACHED, INPUT_INVALID.
   */
  modify(deviceNo: number, patch: DevicePatch): Promise<Device>;
  /**
   * The device must bind anew; its session, if it has one, is dropped after the commit. Throws DEVICE_NOT_FOUND, DEVICE_NOT_ACTIVE (never connected), DEVICE_ONLINE, NODE_ID_TAKEN,
   * VERIFY_CODE_INVALID, INPUT_INVALID.
   */
  refreshCredentials(
    deviceNo: number,
    input: CredentialsRefresh,
  ): Promise<{ device: Device; verifyCode: string; timeoutS: number }>;
  /** A new MQTT secret (20 hex), given or made; closes the device's connection. Throws DEVICE_NOT_FOUND, INPUT_INVALID. */
  resetSecret(deviceNo: number, secret?: string): Promise<string>;
  /** `cascade` also deletes the devices behind it, otherwise they become direct ones. Throws DEVICE_NOT_FOUND. */
  delete(deviceNo: number, options: { cascade: boolean }): Promise<void>;

  /** Fast: one look-up and one unsealing. */
  loginByDeviceId(deviceId: string): DeviceLogin | undefined;
  loginByNodeId(nodeId: string): DeviceLogin | undefined;
  /** Fast: one look-up a candidate. */
  loginByEndpoint(candidates: readonly string[]): EndpointLogin;
  /** DTLS: the pre-shared key in hex. */
  pskOf(deviceNo: number): string | undefined;
  /** The gateway itself or a device behind it, by deviceId or nodeId; undefined for anybody else's. */
  findSubDevice(gatewayNo: number, idOrNodeId: string): Device | undefined;

  /** One object per device, counted: every `acquire` needs a `release`. Undefined for an unknown device. */
  acquire(deviceNo: number): LiveDevice | undefined;
  release(device: LiveDevice): void;

  /**
   * A long connection of the device began. ONLINE at once; the first one binds the device. Call once per connection;
   * resolves when the change, if there was one, is on disk. Unknown devices are ignored.
   */
  connected(deviceNo: number): Promise<void>;
  /** That connection is gone. OFFLINE after the grace time unless another one begins. */
  disconnected(deviceNo: number): void;
  /** What a gateway says of a device behind it. Throws DEVICE_NOT_FOUND when it is not behind this gateway. */
  setSubDeviceStatus(gatewayNo: number, deviceNo: number, status: "ONLINE" | "OFFLINE", detail?: string): Promise<void>;
  /** Any uplink of a device without a long connection; a first one binds it. `LiveDevice.needsContact` says whether it matters. */
  seen(deviceNo: number): Promise<void>;
  /** A device without a long connection has taken its leave: OFFLINE at once. */
  left(deviceNo: number): Promise<void>;
  /** After the start: long connections did not survive it. Whoever is ONLINE by one has the grace time to come back. */
  recover(): void;

  /** Devices whose history has a time of its own, 1 to 90 days, in the order of their numbers. */
  agingOverrides(afterNo: number, limit: number): { readonly deviceNo: number; readonly days: number }[];
  /** Numbers of deleted devices whose telemetry is still to be purged, oldest first. Numbers are never used again. */
  pendingPurges(limit: number): number[];
  purged(deviceNos: readonly number[]): Promise<void>;
}
