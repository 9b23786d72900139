import type { AppId } from "../applications/application";
import type { DeviceId } from "../devices/device";
import type { ProductId } from "../products/product";

export type LoraKind = "gateway" | "node";
export const JOIN_TYPES = ["OTAA", "ABP"] as const;
export type JoinType = (typeof JOIN_TYPES)[number];

/** 1.5.10. EUIs have 16 hex digits, access codes and keys 32, addresses 8: the caller has checked that. */
export type NewLoraGateway = {
  readonly loraServerId: string;
  readonly productId: string;
  readonly gatewayEUI: string;
  readonly name: string;
  readonly gatewaySeq?: string | undefined;
};
/** 1.5.11. */
export type NewLoraNode = {
  readonly loraServerId: string;
  readonly productId: string;
  readonly devEUI: string;
  readonly name: string;
  readonly appEUI: string;
  readonly authCode?: string | undefined;
  readonly deviceClass?: string | undefined; // classA
  readonly joinType?: JoinType | undefined; // OTAA
  readonly appSKey?: string | undefined;
  readonly devAddr?: string | undefined;
  readonly nwkSKey?: string | undefined;
  readonly appKey?: string | undefined;
  readonly description?: string | undefined;
};

type Registered = {
  readonly deviceId: DeviceId;
  readonly loraServerId: string; // also when that is gone
  readonly productId: ProductId | undefined;
  readonly name: string;
};
export type LoraGateway = Registered & Pick<NewLoraGateway, "gatewayEUI" | "gatewaySeq">;
export type LoraNode = Registered &
  Omit<NewLoraNode, keyof Registered | "deviceClass" | "joinType"> & {
    readonly deviceClass: string;
    readonly joinType: JoinType;
  };

/**
 * Gateways and nodes of LoRa. They are devices behind a LoRa server, which is a gateway of the same application that speaks
 * MQTT; what is registered and deleted here is first agreed with it (docs/lora.md).
 */
export interface LoraService {
  /**
   * Resolves when the server has said yes and it is on disk. Throws PRODUCT_NOT_FOUND, LORA_SERVER_NOT_FOUND,
   * LORA_PROTOCOL_REQUIRED, LORA_GATEWAY_TYPE_REQUIRED, LORA_GATEWAY_EXISTS (by the application itself), LORA_EUI_TAKEN,
   * LORA_SERVER_OFFLINE, CONGESTED, LORA_SERVER_FAILED {reason}, the limits of devices, LORA_REGISTRATION_FAILED.
   * Whatever it throws, no device is left.
   */
  registerGateway(appId: AppId, input: NewLoraGateway): Promise<LoraGateway>;
  /**
   * As above, with LORA_NODE_EXISTS and LORA_GATEWAY_TYPE_REFUSED. Before everything else it throws what the way to join
   * is missing: LORA_APP_KEY_MISSING (OTAA), LORA_APP_SKEY_MISSING, LORA_NWK_SKEY_MISSING, LORA_DEV_ADDR_MISSING (ABP).
   */
  registerNode(appId: AppId, input: NewLoraNode): Promise<LoraNode>;
  /** Throws LORA_GATEWAY_NOT_FOUND. */
  gateway(appId: AppId, deviceId: string): LoraGateway;
  /** Throws LORA_NODE_NOT_FOUND. */
  node(appId: AppId, deviceId: string): LoraNode;
  /**
   * Resolves when the server has said yes and the device is gone. Throws LORA_GATEWAY_NOT_FOUND or LORA_NODE_NOT_FOUND,
   * LORA_SERVER_NOT_FOUND (deleted without its devices), LORA_SERVER_OFFLINE, LORA_SERVER_FAILED {reason}; then the
   * device stays.
   */
  delete(appId: AppId, kind: LoraKind, deviceId: string): Promise<void>;
}

export type LoraSettings = {
  /** From the request to the server's answer. */
  readonly answerTimeoutMs: number;
  /** Registrations at one server that wait for its answer. */
  readonly maxUnderWay: number;
  /** How often servers are told to forget what the platform gave up; how many of it at a time; and for how long. */
  readonly withdrawIntervalMs: number;
  readonly withdrawBatch: number;
  readonly withdrawKeepMs: number;
};
export const LORA_DEFAULTS: LoraSettings = {
  answerTimeoutMs: 20_000,
  maxUnderWay: 100,
  withdrawIntervalMs: 60_000,
  withdrawBatch: 100,
  withdrawKeepMs: 7 * 24 * 3_600_000,
};
