/**
 * Every way a request can fail for a reason the caller can act on. Dialects map these; they add none.
 * The code is the contract; `details` say what is wrong and where (field, limit, JSON path).
 */
export const DOMAIN_ERROR_CODES = [
  // any request
  "INPUT_INVALID",
  "REQUIRED_MISSING",
  "BODY_MALFORMED", // not JSON, not UTF-8, too deeply nested
  "PAYLOAD_TOO_LARGE",
  "MEDIA_TYPE_UNSUPPORTED",
  "METHOD_NOT_ALLOWED",
  "NOT_FOUND",
  "CONFLICT",
  "CONGESTED",
  // access
  "UNAUTHENTICATED",
  "APP_KEY_MISSING",
  "APP_CREDENTIALS_WRONG",
  "APP_FROZEN",
  "APP_NOT_FOUND",
  "APP_NOT_AUTHORIZED",
  "APP_EDIT_NOT_AUTHORIZED", // authorised to read only
  "GRANT_NOT_FOUND",
  "APP_NAME_TAKEN",
  "APP_IN_USE",
  "TOKEN_INVALID",
  "REFRESH_TOKEN_INVALID",
  "THROTTLED",
  // products
  "PRODUCT_NOT_FOUND",
  "PRODUCT_INVALID",
  "PRODUCT_EXISTS",
  "PRODUCT_IN_USE",
  "TOPIC_INVALID",
  "CODEC_INVALID",
  "CODEC_NOT_FOUND",
  // devices
  "DEVICE_NOT_FOUND",
  "NODE_ID_TAKEN",
  "DEVICE_ALREADY_BOUND", // the same, by a device of the application that has connected
  "DEVICE_LIMIT_REACHED",
  "FROZEN_LIMIT_REACHED",
  "NON_SECURE_LIMIT_REACHED",
  "IS_SECURE_INVALID",
  "VERIFY_CODE_INVALID",
  "DEVICE_NOT_ACTIVE",
  "DEVICE_ONLINE",
  "DEVICE_OFFLINE",
  "GATEWAY_OFFLINE",
  "PAGE_OR_GATEWAY_MISSING",
  "DEVICE_OR_GATEWAY_MISSING",
  "NOT_A_GATEWAY",
  // groups
  "GROUP_NOT_FOUND",
  "GROUP_NAME_TAKEN",
  "GROUP_LIMIT_REACHED",
  "GROUP_FULL",
  "GROUP_TOO_MANY_DEVICES",
  "GROUP_HIERARCHY_INVALID",
  "GROUP_IS_DEFAULT",
  "DEVICE_IN_OTHER_GROUP",
  "DEVICE_NOT_IN_GROUP",
  // commands
  "SERVICE_NOT_FOUND",
  "COMMAND_NAME_INVALID",
  "COMMAND_PARAMETERS_INVALID",
  "COMMAND_MUTED",
  "COMMAND_NOT_FOUND",
  "COMMAND_LIMIT_REACHED",
  "COMMAND_NOT_CANCELLABLE",
  "RECEIVER_TYPE_UNKNOWN",
  "DEVICE_ZOMBIE",
  "COMMAND_NOT_CACHEABLE", // the device does not sleep
  // batch tasks
  "BATCH_TASK_NOT_FOUND",
  "BATCH_NAME_TAKEN",
  "BATCH_LIMIT_REACHED",
  "BATCH_TARGET_NOT_FOUND", // a group that the request names
  "BATCH_FILE_INVALID",
  "TAG_NOT_FOUND",
  "TAG_USED",
  // shadow
  "SHADOW_MODEL_MISSING",
  "SHADOW_PROPERTIES_EMPTY",
  "SHADOW_PROPERTIES_UNKNOWN",
  "PROPERTY_NOT_WRITABLE",
  // resources and diagnosis
  "DEVICE_NOT_REGISTERED",
  "DEVICE_ASLEEP",
  "DEVICE_NO_ANSWER",
  "DEVICE_REFUSED",
  "RESOURCE_UNKNOWN",
  "DIAGNOSIS_UNSUPPORTED",
  "DIAGNOSIS_TASK_NOT_FOUND",
  // packages
  "PAGE_BEYOND_LIMIT",
  "PACKAGE_NOT_FOUND",
  "PACKAGE_INVALID", // {file, path, reason}
  "PACKAGE_EXISTS",
  "PACKAGE_IN_USE",
  "PUBLIC_KEY_INVALID",
  "PUBLIC_KEY_NOT_FOUND",
  // upgrades
  "UPGRADE_TASK_NOT_FOUND",
  "UPGRADE_TARGET_INVALID", // {problem}: a TargetProblem
  "UPGRADE_POLICY_INVALID", // {problem}: a PolicyProblem
  "UPGRADE_PACKAGES_INVALID", // {reason}
  // LoRa
  "LORA_SERVER_NOT_FOUND",
  "LORA_SERVER_OFFLINE",
  "LORA_SERVER_FAILED", // {reason}: it refused, or gave no answer in time
  "LORA_PROTOCOL_REQUIRED",
  "LORA_GATEWAY_TYPE_REQUIRED",
  "LORA_GATEWAY_TYPE_REFUSED",
  "LORA_APP_KEY_MISSING",
  "LORA_APP_SKEY_MISSING",
  "LORA_NWK_SKEY_MISSING",
  "LORA_DEV_ADDR_MISSING",
  "LORA_GATEWAY_EXISTS",
  "LORA_NODE_EXISTS",
  "LORA_EUI_TAKEN", // by something that is not the application's own LoRa gateway or node
  "LORA_GATEWAY_NOT_FOUND",
  "LORA_NODE_NOT_FOUND",
  "LORA_REGISTRATION_FAILED", // a fault of ours, logged where it happened
  // subscriptions
  "CALLBACK_URL_ILLEGAL",
  "SUBSCRIPTION_EXISTS",
  "SUBSCRIPTION_NOT_FOUND",
  "RESULT_TOO_LARGE",
] as const;
export type DomainErrorCode = (typeof DOMAIN_ERROR_CODES)[number];

export class DomainError extends Error {
  override name = "DomainError";
  readonly code: DomainErrorCode;
  readonly details: Record<string, unknown>;
  constructor(code: DomainErrorCode, details: Record<string, unknown> = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}
