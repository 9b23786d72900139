import type { DomainErrorCode } from "../../platform/domain-error";
import type { Section } from "./errors";

/** Chapters of the vendor's document, as tags. */
export const TAGS = {
  "1.4": "1.4 Access tokens",
  "1.5": "1.5 Devices",
  "1.6": "1.6 Device data",
  "1.7": "1.7 Subscriptions",
  "1.9": "1.9 Commands",
  "1.10": "1.10 Batch tasks",
  "1.11": "1.11 Device groups",
} as const;

export type Operation = {
  readonly id: string; // operationId, unique among all APIs of the process
  readonly summary: string;
  /** More of its sections, or what is special. */
  readonly note?: string;
  /** What it can fail with besides what every call can (open-api-errors.ts). */
  readonly fails: readonly DomainErrorCode[];
};

const PRODUCT = ["PRODUCT_NOT_FOUND"] as const;
const DEVICE = ["DEVICE_NOT_FOUND"] as const;
const REGISTRATION = [
  "PRODUCT_NOT_FOUND",
  "NODE_ID_TAKEN",
  "DEVICE_ALREADY_BOUND",
  "DEVICE_LIMIT_REACHED",
  "NON_SECURE_LIMIT_REACHED",
] as const;
const HISTORY = ["DEVICE_NOT_FOUND", "DEVICE_OR_GATEWAY_MISSING", "RESULT_TOO_LARGE"] as const;
const COMMAND = [
  "DEVICE_NOT_FOUND",
  "SERVICE_NOT_FOUND",
  "COMMAND_NAME_INVALID",
  "COMMAND_PARAMETERS_INVALID",
  "COMMAND_MUTED",
  "DEVICE_OFFLINE",
  "GATEWAY_OFFLINE",
  "CONGESTED",
] as const;
const LORA_SERVER = ["LORA_SERVER_NOT_FOUND", "LORA_SERVER_OFFLINE", "LORA_SERVER_FAILED"] as const;
const LORA_REGISTRATION = [
  ...LORA_SERVER,
  ...PRODUCT,
  "LORA_PROTOCOL_REQUIRED",
  "LORA_EUI_TAKEN",
  "LORA_REGISTRATION_FAILED",
  "DEVICE_LIMIT_REACHED",
  "CONGESTED",
] as const;

/** What is said about each endpoint besides its schemas, in our words. Total: a section without a line does not compile. */
export const OPERATIONS: Readonly<Record<Exclude<Section, "none">, Operation>> = {
  "1.4.1": {
    id: "login",
    summary: "Exchange the id and secret of an application for an access token",
    note: "Earlier tokens of the application are void from then on.",
    fails: ["APP_CREDENTIALS_WRONG", "APP_FROZEN", "CONGESTED"],
  },
  "1.4.2": {
    id: "refreshAccessToken",
    summary: "Exchange a refresh token for a new access token",
    fails: ["APP_CREDENTIALS_WRONG", "APP_FROZEN", "CONGESTED", "REFRESH_TOKEN_INVALID"],
  },
  "1.5.1": {
    id: "registerDeviceByCode",
    summary: "Register a device that binds with a verification code",
    note: "The product is named by productId, or by all five fields of deviceInfo.",
    fails: [...REGISTRATION, "VERIFY_CODE_INVALID"],
  },
  "1.5.2": {
    id: "registerDeviceByPassword",
    summary: "Register an MQTT device with a password",
    note: "The product is named by productId, or by all five fields of the model in deviceInfo.",
    fails: REGISTRATION,
  },
  "1.5.3": {
    id: "refreshDeviceCredentials",
    summary: "Let a device bind anew, with another node id or code",
    fails: [...DEVICE, "NODE_ID_TAKEN", "DEVICE_NOT_ACTIVE", "DEVICE_ONLINE", "VERIFY_CODE_INVALID"],
  },
  "1.5.4": {
    id: "modifyDevice",
    summary: "Change what is known of a device",
    note: "Only fields that are given change.",
    fails: [...DEVICE, ...PRODUCT, "IS_SECURE_INVALID", "FROZEN_LIMIT_REACHED", "NON_SECURE_LIMIT_REACHED"],
  },
  "1.5.5": {
    id: "removeDevice", // deleteDevice is of the management API
    summary: "Delete a device",
    note: "With cascade, also the devices behind a gateway; without, they become direct devices.",
    fails: DEVICE,
  },
  "1.5.7": { id: "queryDeviceActivation", summary: "Show whether a device has connected yet", fails: DEVICE },
  "1.5.8": {
    id: "modifyDeviceShadow",
    summary: "Set the desired values of a device",
    note: "All services of a call are taken, or none.",
    fails: [
      ...DEVICE,
      "SHADOW_MODEL_MISSING",
      "SERVICE_NOT_FOUND",
      "SHADOW_PROPERTIES_EMPTY",
      "SHADOW_PROPERTIES_UNKNOWN",
      "PROPERTY_NOT_WRITABLE",
    ],
  },
  "1.5.9": { id: "queryDeviceShadow", summary: "Show the reported and desired values of a device", fails: DEVICE },
  "1.5.10": {
    id: "registerLoraGateway",
    summary: "Register a LoRa gateway at its LoRa server",
    fails: [...LORA_REGISTRATION, "LORA_GATEWAY_TYPE_REQUIRED", "LORA_GATEWAY_EXISTS"],
  },
  "1.5.11": {
    id: "registerLoraNode",
    summary: "Register a LoRa node at its LoRa server",
    fails: [
      ...LORA_REGISTRATION,
      "LORA_GATEWAY_TYPE_REFUSED",
      "LORA_NODE_EXISTS",
      "LORA_APP_KEY_MISSING",
      "LORA_APP_SKEY_MISSING",
      "LORA_NWK_SKEY_MISSING",
      "LORA_DEV_ADDR_MISSING",
    ],
  },
  "1.5.12": { id: "queryLoraGateway", summary: "Show a LoRa gateway", fails: ["LORA_GATEWAY_NOT_FOUND"] },
  "1.5.13": {
    id: "deleteLoraGateway",
    summary: "Delete a LoRa gateway, at its LoRa server first",
    fails: ["LORA_GATEWAY_NOT_FOUND", ...LORA_SERVER, "CONGESTED"],
  },
  "1.5.14": { id: "queryLoraNode", summary: "Show a LoRa node with its keys", fails: ["LORA_NODE_NOT_FOUND"] },
  "1.5.15": {
    id: "deleteLoraNode",
    summary: "Delete a LoRa node, at its LoRa server first",
    fails: ["LORA_NODE_NOT_FOUND", ...LORA_SERVER, "CONGESTED"],
  },
  "1.6.1": { id: "queryDevice", summary: "Show a device with what it last reported", fails: DEVICE },
  "1.6.2": {
    id: "queryDevices",
    summary: "List devices with what they last reported",
    note: "One of pageNo and gatewayId is needed.",
    fails: ["PAGE_OR_GATEWAY_MISSING"],
  },
  "1.6.3": {
    id: "queryDeviceDataHistory",
    summary: "List what a device, or a gateway with the devices behind it, has reported",
    note: "One of deviceId and gatewayId is needed. Newest first.",
    fails: HISTORY,
  },
  "1.6.4": {
    id: "queryDesiredHistory",
    summary: "List the desired values that a device, or a gateway with the devices behind it, was given",
    note: "One of deviceId and gatewayId is needed. Newest first.",
    fails: HISTORY,
  },
  "1.6.5": {
    id: "queryDeviceCapabilities",
    summary: "Show the product models of devices",
    fails: ["RESULT_TOO_LARGE"],
  },
  "1.7.1": {
    id: "subscribeToServiceData",
    summary: "Have notifications of a type sent to an address",
    note: "callbackUrl is needed unless the channel is MQTTS.",
    fails: ["CALLBACK_URL_ILLEGAL", "SUBSCRIPTION_EXISTS"],
  },
  "1.7.2": {
    id: "subscribeToManagementData",
    summary: "Have notifications about upgrades sent to an address",
    note: "Subscribed again, it moves to the new address.",
    fails: ["CALLBACK_URL_ILLEGAL", "SUBSCRIPTION_EXISTS"],
  },
  "1.7.3": { id: "querySubscription", summary: "Show a subscription", fails: ["SUBSCRIPTION_NOT_FOUND"] },
  "1.7.4": { id: "querySubscriptions", summary: "List subscriptions", fails: ["RESULT_TOO_LARGE"] },
  "1.7.5": {
    id: "deleteSubscription",
    summary: "End a subscription",
    fails: ["SUBSCRIPTION_NOT_FOUND", "APP_EDIT_NOT_AUTHORIZED"],
  },
  "1.7.6": {
    id: "deleteSubscriptions",
    summary: "End all subscriptions that match",
    fails: ["SUBSCRIPTION_NOT_FOUND"],
  },
  "1.9.1": {
    id: "createDeviceCommand",
    summary: "Send a command to a device, or keep it until the device listens",
    fails: [...COMMAND, "COMMAND_LIMIT_REACHED", "DEVICE_ZOMBIE", "CALLBACK_URL_ILLEGAL"],
  },
  "1.9.2": { id: "queryDeviceCommands", summary: "List commands", fails: DEVICE },
  "1.9.3": {
    id: "cancelDeviceCommand",
    summary: "Take back a command that has not been sent",
    fails: ["COMMAND_NOT_FOUND", "COMMAND_NOT_CANCELLABLE"],
  },
  "1.9.5": {
    id: "createCommandCancelTask",
    summary: "Take back all commands of a device that have not been sent",
    fails: DEVICE,
  },
  "1.9.6": { id: "queryCommandCancelTasks", summary: "List tasks that take back commands", fails: DEVICE },
  "1.9.7": {
    id: "sendCommand",
    summary: "Send a command to a connected device",
    note: "Also 1.5.6: a gateway deletes a device behind it when it is told so by a command of its model.",
    fails: [...COMMAND, "RECEIVER_TYPE_UNKNOWN"],
  },
  "1.10.1": {
    id: "createBatchTask",
    summary: "Send a command to many devices",
    note: "Also 1.9.4. param holds what its type asks for: deviceList, deviceType, deviceLocation or groupList.",
    fails: [
      "CALLBACK_URL_ILLEGAL",
      "BATCH_NAME_TAKEN",
      "BATCH_LIMIT_REACHED",
      "BATCH_TARGET_NOT_FOUND",
      "TAG_NOT_FOUND",
      "TAG_USED",
    ],
  },
  "1.10.2": {
    id: "queryBatchTask",
    summary: "Show a batch task",
    fails: ["BATCH_TASK_NOT_FOUND", "REQUIRED_MISSING"],
  },
  "1.10.3": {
    id: "queryBatchSubtasks",
    summary: "List the sub-tasks of a batch task",
    fails: ["BATCH_TASK_NOT_FOUND"],
  },
  "1.11.1": {
    id: "createDeviceGroup",
    summary: "Create a group, with its first devices",
    fails: [...DEVICE, "GROUP_NAME_TAKEN", "GROUP_LIMIT_REACHED", "GROUP_TOO_MANY_DEVICES", "DEVICE_IN_OTHER_GROUP"],
  },
  "1.11.2": {
    id: "deleteDeviceGroup",
    summary: "Delete a group; its devices stay",
    fails: ["GROUP_NOT_FOUND", "GROUP_IS_DEFAULT"],
  },
  "1.11.3": {
    id: "modifyDeviceGroup",
    summary: "Change a group",
    fails: ["GROUP_NOT_FOUND", "GROUP_NAME_TAKEN", "GROUP_FULL", "GROUP_IS_DEFAULT"],
  },
  "1.11.4": { id: "queryDeviceGroups", summary: "List groups", fails: [] },
  "1.11.5": { id: "queryDeviceGroup", summary: "Show a group", fails: ["GROUP_NOT_FOUND"] },
  "1.11.6": { id: "queryDeviceGroupMembers", summary: "List the devices of a group", fails: ["GROUP_NOT_FOUND"] },
  "1.11.7": {
    id: "addDevicesToGroup",
    summary: "Add devices to a group, all or none",
    fails: ["GROUP_NOT_FOUND", ...DEVICE, "DEVICE_IN_OTHER_GROUP", "GROUP_FULL"],
  },
  "1.11.8": {
    id: "removeDevicesFromGroup",
    summary: "Take devices out of a group, all or none",
    fails: ["GROUP_NOT_FOUND", ...DEVICE, "DEVICE_NOT_IN_GROUP"],
  },
};
