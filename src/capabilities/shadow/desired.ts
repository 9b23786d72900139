import type { AppId } from "../applications/application";
import type { Device, DeviceId } from "../devices/device";
import type { DesiredDelivery } from "./desired-delivery";

export type Values = Readonly<Record<string, unknown>>;

/** What an application wants one service of a device to be (1.5.8). */
export type ServiceDesired = { readonly serviceId: string; readonly desired: Values };

/** The newest wish for a property, and what became of it. */
export type DesiredProperty = { readonly value: unknown; readonly setAtMs: number; readonly delivery: DesiredDelivery };
export type DesiredService = {
  readonly serviceId: string;
  readonly properties: Readonly<Record<string, DesiredProperty>>;
  /** The newest time of any property, ms. */
  readonly setAtMs: number;
};

/** One change of one service as it was asked for. */
export type DesiredRecord = {
  readonly deviceNo: number;
  readonly serviceId: string;
  readonly desired: Values;
  readonly setAtMs: number;
};
export type DesiredHistoryQuery = {
  readonly deviceNos: readonly number[];
  readonly serviceId?: string | undefined;
  /** Only changes that named this property. */
  readonly property?: string | undefined;
  /** Both ends belong to the period, ms. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly page: number; // from 0
  readonly pageSize: number;
};

export interface DesiredShadow {
  /**
   * Wants all of it, or changes nothing. Resolves when it is on disk; it is sent at once when the device listens, else at
   * its next contact. Services that are named twice are merged, the later value of a property wins.
   * Throws SHADOW_MODEL_MISSING, PROPERTY_NOT_WRITABLE (also for every property of a device that has no shadow: MQTT,
   * LoRaWAN, behind a gateway), SERVICE_NOT_FOUND, SHADOW_PROPERTIES_EMPTY (the service has none), SHADOW_PROPERTIES_UNKNOWN,
   * INPUT_INVALID, DEVICE_NOT_FOUND (deleted meanwhile).
   */
  want(device: Device, services: readonly ServiceDesired[]): Promise<void>;
  /** In the order of service ids. */
  of(deviceNo: number): DesiredService[];
  /** Newest first. */
  history(query: DesiredHistoryQuery): { items: DesiredRecord[]; total: number };
}

/** Emitted inside the transaction in which the outcome is stored. Values that wait for another try are not told. */
export type ShadowEvents = {
  desiredSettled: {
    readonly device: { readonly no: number; readonly id: DeviceId; readonly appNo: number; readonly appId: AppId };
    readonly serviceId: string;
    readonly properties: Values;
    readonly status: "DELIVERED" | "FAILED";
  };
};

export type ShadowSettings = {
  /** Contacts at which a value is sent without an answer before it counts as failed. */
  readonly maxTries: number;
  /** CoAP: first wait for the acknowledgement of a message through the codec; spread and doubled. */
  readonly ackTimeoutMs: number;
  readonly maxRetransmit: number;
  readonly giveUpAfterMs: number;
  /** Devices that are written to at a time. */
  readonly maxSendingDevices: number;
  /** Largest desired values of one service, as JSON. */
  readonly maxDesiredChars: number;
  readonly historyPerDevice: number;
  readonly historyKeepMs: number;
  readonly purgeIntervalMs: number;
  readonly purgeBatch: number;
};
export const SHADOW_DEFAULTS: ShadowSettings = {
  maxTries: 5,
  ackTimeoutMs: 10_000,
  maxRetransmit: 3,
  giveUpAfterMs: 180_000,
  maxSendingDevices: 100,
  maxDesiredChars: 16_384,
  historyPerDevice: 1_000,
  historyKeepMs: 90 * 24 * 3_600_000,
  purgeIntervalMs: 3_600_000,
  purgeBatch: 500,
};
