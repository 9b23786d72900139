import { HTTPException } from "hono/http-exception";
import { DomainError, type DomainErrorCode } from "../../platform/domain-error";

/** Error answers of our own pages and API: RFC 9457 problem details, with our closed code beside them. */
export type ProblemCode = DomainErrorCode | "INTERNAL";
type Problem = { readonly status: number; readonly title: string };

// `Record` makes the table total: a new domain code does not compile until it has a line here.
export const PROBLEMS: Record<ProblemCode, Problem> = {
  INPUT_INVALID: { status: 400, title: "The input does not fit" },
  REQUIRED_MISSING: { status: 400, title: "Something required is missing" },
  BODY_MALFORMED: { status: 400, title: "The body cannot be read" },
  PAYLOAD_TOO_LARGE: { status: 413, title: "The body is too large" },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, title: "This content type is not understood here" },
  METHOD_NOT_ALLOWED: { status: 405, title: "This path has no such method" },
  NOT_FOUND: { status: 404, title: "There is nothing here" },
  CONFLICT: { status: 409, title: "The present state does not allow it" },
  CONGESTED: { status: 503, title: "Too much is under way, try again later" },

  UNAUTHENTICATED: { status: 401, title: "A valid session is needed" },
  APP_KEY_MISSING: { status: 401, title: "The application is not named" },
  APP_CREDENTIALS_WRONG: { status: 401, title: "User name or password is wrong" },
  APP_FROZEN: { status: 403, title: "The application is frozen" },
  APP_NOT_FOUND: { status: 404, title: "There is no such application" },
  APP_NOT_AUTHORIZED: { status: 403, title: "The application has no right to this" },
  APP_EDIT_NOT_AUTHORIZED: { status: 403, title: "The application may only read this" },
  GRANT_NOT_FOUND: { status: 404, title: "The application has not authorised the other" },
  APP_NAME_TAKEN: { status: 409, title: "Another application has this name" },
  APP_IN_USE: { status: 409, title: "The application still has products or devices" },
  TOKEN_INVALID: { status: 401, title: "A valid session is needed" },
  REFRESH_TOKEN_INVALID: { status: 401, title: "The refresh token is not valid" },
  THROTTLED: { status: 429, title: "Too many attempts, try again later" },

  PRODUCT_NOT_FOUND: { status: 404, title: "There is no such product" },
  PRODUCT_INVALID: { status: 422, title: "The product model cannot be imported" },
  PRODUCT_EXISTS: { status: 409, title: "A product with this manufacturer and model exists" },
  PRODUCT_IN_USE: { status: 409, title: "Devices are registered with the product" },
  TOPIC_INVALID: { status: 422, title: "The topics cannot be used" },
  CODEC_INVALID: { status: 422, title: "The codec cannot be used" },
  CODEC_NOT_FOUND: { status: 404, title: "The product has no codec" },

  DEVICE_NOT_FOUND: { status: 404, title: "There is no such device" },
  NODE_ID_TAKEN: { status: 409, title: "Another device has this node id" },
  DEVICE_ALREADY_BOUND: { status: 409, title: "A device with this node id is already bound" },
  DEVICE_LIMIT_REACHED: { status: 409, title: "The application may have no more devices" },
  FROZEN_LIMIT_REACHED: { status: 409, title: "The application may have no more frozen devices" },
  NON_SECURE_LIMIT_REACHED: { status: 409, title: "The application may have no more devices without security" },
  IS_SECURE_INVALID: { status: 400, title: "isSecure does not fit" },
  VERIFY_CODE_INVALID: { status: 400, title: "The verification code does not fit" },
  DEVICE_NOT_ACTIVE: { status: 409, title: "The device was never connected" },
  DEVICE_ONLINE: { status: 409, title: "The device is online" },
  DEVICE_OFFLINE: { status: 409, title: "The device is offline" },
  GATEWAY_OFFLINE: { status: 409, title: "The gateway of the device is offline" },
  PAGE_OR_GATEWAY_MISSING: { status: 400, title: "A page or a gateway is needed" },
  DEVICE_OR_GATEWAY_MISSING: { status: 400, title: "A device or a gateway is needed" },

  NOT_A_GATEWAY: { status: 409, title: "The device is no gateway" },
  GROUP_NOT_FOUND: { status: 404, title: "There is no such group" },
  GROUP_NAME_TAKEN: { status: 409, title: "Another group of the application has this name" },
  GROUP_LIMIT_REACHED: { status: 409, title: "The application may have no more groups" },
  GROUP_FULL: { status: 409, title: "The group has no room for so many devices" },
  GROUP_TOO_MANY_DEVICES: { status: 400, title: "Too many devices for one group or one call" },
  GROUP_HIERARCHY_INVALID: { status: 409, title: "The groups cannot stand like this" },
  GROUP_IS_DEFAULT: { status: 409, title: "The default group stays what it is" },
  DEVICE_IN_OTHER_GROUP: { status: 409, title: "The device is in another group" },
  DEVICE_NOT_IN_GROUP: { status: 409, title: "The device is not in the group" },

  SERVICE_NOT_FOUND: { status: 404, title: "The product has no such service" },
  COMMAND_NAME_INVALID: { status: 400, title: "The service has no such command" },
  COMMAND_PARAMETERS_INVALID: { status: 400, title: "The parameters do not fit the command" },
  COMMAND_MUTED: { status: 409, title: "The command is muted for this device" },
  COMMAND_NOT_FOUND: { status: 404, title: "There is no such command" },
  COMMAND_LIMIT_REACHED: { status: 409, title: "Too many commands wait for the device" },
  COMMAND_NOT_CANCELLABLE: { status: 409, title: "The command has ended already" },
  RECEIVER_TYPE_UNKNOWN: { status: 400, title: "The type of receiver is unknown" },
  DEVICE_ZOMBIE: { status: 409, title: "The device was not seen for too long" },
  COMMAND_NOT_CACHEABLE: { status: 409, title: "Commands are not cached for this device" },

  BATCH_TASK_NOT_FOUND: { status: 404, title: "There is no such batch task" },
  BATCH_NAME_TAKEN: { status: 409, title: "Another batch task has this name" },
  BATCH_LIMIT_REACHED: { status: 409, title: "Too many batch tasks are unfinished" },
  BATCH_TARGET_NOT_FOUND: { status: 404, title: "A group that is named does not exist" },
  BATCH_FILE_INVALID: { status: 422, title: "The file cannot be used" },
  TAG_NOT_FOUND: { status: 404, title: "There is no such tag" },
  TAG_USED: { status: 409, title: "The tag is used already" },

  SHADOW_MODEL_MISSING: { status: 409, title: "The device has no product model" },
  SHADOW_PROPERTIES_EMPTY: { status: 400, title: "The service has no properties" },
  SHADOW_PROPERTIES_UNKNOWN: { status: 409, title: "The state of the device is unknown" },
  PROPERTY_NOT_WRITABLE: { status: 409, title: "The property is not writable" },

  DEVICE_NOT_REGISTERED: { status: 409, title: "The device has no registration" },
  DEVICE_ASLEEP: { status: 409, title: "The device sleeps" },
  DEVICE_NO_ANSWER: { status: 504, title: "The device did not answer" },
  DEVICE_REFUSED: { status: 502, title: "The device refused" },
  RESOURCE_UNKNOWN: { status: 404, title: "There is no such resource" },
  DIAGNOSIS_UNSUPPORTED: { status: 409, title: "The product does not support this" },
  DIAGNOSIS_TASK_NOT_FOUND: { status: 404, title: "There is no such task" },

  PAGE_BEYOND_LIMIT: { status: 400, title: "There are no such pages" },
  PACKAGE_NOT_FOUND: { status: 404, title: "There is no such package" },
  PACKAGE_INVALID: { status: 422, title: "The package cannot be used" },
  PACKAGE_EXISTS: { status: 409, title: "The product has a package of this version already" },
  PACKAGE_IN_USE: { status: 409, title: "An unfinished upgrade uses the package" },
  PUBLIC_KEY_INVALID: { status: 422, title: "The public key cannot be used" },
  PUBLIC_KEY_NOT_FOUND: { status: 404, title: "The manufacturer has no public key" },
  UPGRADE_TASK_NOT_FOUND: { status: 404, title: "There is no such upgrade" },
  UPGRADE_TARGET_INVALID: { status: 400, title: "The targets cannot be upgraded" },
  UPGRADE_POLICY_INVALID: { status: 400, title: "The policy cannot be carried out" },
  UPGRADE_PACKAGES_INVALID: { status: 400, title: "The packages cannot be used together" },

  LORA_SERVER_NOT_FOUND: { status: 404, title: "There is no such LoRa server" },
  LORA_SERVER_OFFLINE: { status: 409, title: "The LoRa server is offline" },
  LORA_SERVER_FAILED: { status: 502, title: "The LoRa server did not do it" },
  LORA_PROTOCOL_REQUIRED: { status: 409, title: "The product is not one of LoRaWAN" },
  LORA_GATEWAY_TYPE_REQUIRED: { status: 409, title: "The product is not one of LoRa gateways" },
  LORA_GATEWAY_TYPE_REFUSED: { status: 409, title: "The product is one of LoRa gateways" },
  LORA_APP_KEY_MISSING: { status: 400, title: "The application key is missing" },
  LORA_APP_SKEY_MISSING: { status: 400, title: "The application session key is missing" },
  LORA_NWK_SKEY_MISSING: { status: 400, title: "The network session key is missing" },
  LORA_DEV_ADDR_MISSING: { status: 400, title: "The device address is missing" },
  LORA_GATEWAY_EXISTS: { status: 409, title: "The LoRa gateway exists" },
  LORA_NODE_EXISTS: { status: 409, title: "The LoRa node exists" },
  LORA_EUI_TAKEN: { status: 409, title: "The EUI is in use" },
  LORA_GATEWAY_NOT_FOUND: { status: 404, title: "There is no such LoRa gateway" },
  LORA_NODE_NOT_FOUND: { status: 404, title: "There is no such LoRa node" },
  LORA_REGISTRATION_FAILED: { status: 502, title: "The registration at the LoRa server failed" },

  CALLBACK_URL_ILLEGAL: { status: 400, title: "The callback address cannot be used" },
  SUBSCRIPTION_EXISTS: { status: 409, title: "The subscription exists" },
  SUBSCRIPTION_NOT_FOUND: { status: 404, title: "There is no such subscription" },
  RESULT_TOO_LARGE: { status: 400, title: "Too much matches, narrow the filter" },

  INTERNAL: { status: 500, title: "Something is wrong in the server" },
};

/** The code of an error that a route let through. `INTERNAL`: a fault of ours, to be reported. */
export function codeOf(error: unknown): ProblemCode {
  // A code without a line can only come from a build that does not compile: it is a fault.
  if (error instanceof DomainError) return Object.hasOwn(PROBLEMS, error.code) ? error.code : "INTERNAL";
  if (!(error instanceof HTTPException) || error.status >= 500) return "INTERNAL";
  // Hono raises these itself, before a route runs.
  return error.status === 415 ? "MEDIA_TYPE_UNSUPPORTED" : "BODY_MALFORMED";
}

type About = { readonly path: string; readonly requestId: string | undefined };

/** `application/problem+json`. Details of the error become members; nothing of a fault is told. */
export function renderProblem(error: unknown, { path, requestId }: About): Response {
  const code = codeOf(error);
  const { status, title } = PROBLEMS[code];
  const { issues, reason, ...rest } = error instanceof DomainError && code !== "INTERNAL" ? error.details : {};
  const body = {
    type: `urn:islet:problem:${code.toLowerCase().replaceAll("_", "-")}`,
    title,
    status,
    detail: typeof reason === "string" ? reason : undefined,
    instance: path,
    code,
    requestId,
    errors: toErrors(issues),
    details: Object.keys(rest).length > 0 ? rest : undefined,
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    },
  });
}

/** 405 with `Allow`. */
export function refuseMethod(allowed: readonly string[], about: About): Response {
  const response = renderProblem(new DomainError("METHOD_NOT_ALLOWED", { allowed }), about);
  response.headers.set("allow", allowed.join(", "));
  return response;
}

function toErrors(issues: unknown): { path: string; reason: string }[] | undefined {
  if (!Array.isArray(issues)) return undefined;
  return issues.map((issue: { path?: unknown; field?: unknown; reason?: unknown }) => ({
    path: String(issue.path ?? issue.field ?? ""),
    reason: String(issue.reason ?? ""),
  }));
}
