import {
  POLICY_PROBLEMS,
  type PolicyProblem,
  TARGET_PROBLEMS,
  type TargetProblem,
} from "../../capabilities/upgrades/upgrade";
import type { DomainErrorCode } from "../../platform/domain-error";

/**
 * The errors of this dialect, as data: what went wrong, at which endpoint, makes the row. Nothing else builds an error.
 * `Record` keeps the base total: a new domain code does not compile until this dialect has a line for it.
 */
export type ErrorKey =
  | DomainErrorCode
  | "INTERNAL"
  /** DEVICE_NOT_FOUND when the call named an application: "neither under the caller nor under that one". */
  | "DEVICE_NOT_FOUND_IN_NAMED_APP"
  /** APP_NOT_FOUND of the calling application: deleted while its token is still young. */
  | "CALLER_APP_NOT_FOUND";

export type ErrorStatus = 200 | 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 500 | 503;
export type ErrorRow = { readonly status: ErrorStatus; readonly code: string; readonly desc: string };

/** Sections of the vendor's document; `none` is a path or method that it does not have. */
export type Section =
  | "1.4.1"
  | "1.4.2"
  | "1.5.1"
  | "1.5.2"
  | "1.5.3"
  | "1.5.4"
  | "1.5.5"
  | "1.5.7"
  | "1.5.8"
  | "1.5.9"
  | "1.5.10"
  | "1.5.11"
  | "1.5.12"
  | "1.5.13"
  | "1.5.14"
  | "1.5.15"
  | "1.6.1"
  | "1.6.2"
  | "1.6.3"
  | "1.6.4"
  | "1.6.5"
  | "1.7.1"
  | "1.7.2"
  | "1.7.3"
  | "1.7.4"
  | "1.7.5"
  | "1.7.6"
  | "1.9.1"
  | "1.9.2"
  | "1.9.3"
  | "1.9.5"
  | "1.9.6"
  | "1.9.7"
  | "1.10.1"
  | "1.10.2"
  | "1.10.3"
  | "1.11.1"
  | "1.11.2"
  | "1.11.3"
  | "1.11.4"
  | "1.11.5"
  | "1.11.6"
  | "1.11.7"
  | "1.11.8"
  | "1.12.1"
  | "1.12.2"
  | "1.12.3"
  | "1.12.4"
  | "1.12.5"
  | "1.12.6"
  | "1.12.7"
  | "1.12.8"
  | "none";

const row = (status: ErrorStatus, code: string, desc: string): ErrorRow => ({ status, code, desc });

const INPUT_100022 = row(400, "100022", "The input is invalid.");
const INPUT_50400 = row(400, "50400", "The input is invalid.");
const INPUT_100216 = row(400, "100216", "The application input is invalid.");
const INPUT_100405 = row(400, "100405", "The request parameter is invalid.");
const BAD_MESSAGE = row(400, "100007", "Bad request message.");
const PARAMETER_EMPTY = row(400, "102202", "Required Parameter is null or empty.");
const WRONG_SECRET = row(401, "100208", "AppId or secret is not right.");
const CALLBACK_ILLEGAL = row(400, "100222", "The request callbackurl is illegal.");
const NOT_AUTHORIZED = row(403, "100217", "The application hasn't been authorized.");
const NO_DEVICE = row(404, "100403", "The device is not existed.");
const NO_DEVICE_DATA = row(404, "100418", "The deviceData is not existed.");
const NOT_FOUND = row(404, "100225", "The resource is not found");
const FAULT_50252 = row(500, "50252", "Internal server error.");
const FAULT_100001 = row(500, "100001", "Internal server error.");
const APP_KEY_500 = row(500, "100220", "Get AppKey from header failed.");
const NO_GROUP = row(200, "100603", "The device group is not existed.");
const GROUP_PARAMETER = row(400, "100604", "The device group request parameter is invalid.");
const BAD_REQUEST = row(400, "120015", "Bad request error.");
const SERVICE_TYPE = row(200, "100431", "The serviceType is not exist.");

const at = (status: ErrorStatus, { code, desc }: ErrorRow): ErrorRow => row(status, code, desc);

const BASE: Record<ErrorKey, ErrorRow> = {
  INPUT_INVALID: INPUT_100022,
  REQUIRED_MISSING: INPUT_100022,
  BODY_MALFORMED: INPUT_100022,
  // The document has no rows for these three; the statuses are those of HTTP.
  PAYLOAD_TOO_LARGE: at(413, INPUT_100022),
  MEDIA_TYPE_UNSUPPORTED: at(415, INPUT_100022),
  METHOD_NOT_ALLOWED: at(405, INPUT_100022),
  NOT_FOUND,
  CONFLICT: row(409, "100227", "The resource is conflicted."),
  CONGESTED: row(503, "100501", "Congestion occurs, and the current network has been flow-controlled"),

  UNAUTHENTICATED: row(403, "1010005", "Invalid access token or appId."),
  APP_KEY_MISSING: row(401, "100025", "AppId for auth not exist."),
  APP_CREDENTIALS_WRONG: WRONG_SECRET,
  APP_FROZEN: row(400, "100449", "The device is freezed cant operate."),
  APP_NOT_FOUND: row(403, "100203", "The application is not existed."),
  CALLER_APP_NOT_FOUND: row(403, "100203", "The application is not existed."),
  APP_NOT_AUTHORIZED: NOT_AUTHORIZED,
  APP_EDIT_NOT_AUTHORIZED: NOT_AUTHORIZED, // see errorRow
  GRANT_NOT_FOUND: NOT_AUTHORIZED, // only our own API revokes
  APP_NAME_TAKEN: INPUT_100022,
  APP_IN_USE: INPUT_100022,
  TOKEN_INVALID: row(403, "1010005", "Invalid access token or appId."),
  REFRESH_TOKEN_INVALID: INPUT_50400,
  THROTTLED: row(403, "1010009", "app throttle exceed."),

  PRODUCT_NOT_FOUND: row(403, "600002", "The product not existed."),
  PRODUCT_INVALID: INPUT_100022,
  PRODUCT_EXISTS: INPUT_100022,
  PRODUCT_IN_USE: INPUT_100022,
  TOPIC_INVALID: INPUT_100022,
  CODEC_INVALID: INPUT_100022,
  CODEC_NOT_FOUND: INPUT_100022,

  DEVICE_NOT_FOUND: NO_DEVICE,
  DEVICE_NOT_FOUND_IN_NAMED_APP: NO_DEVICE_DATA,
  NODE_ID_TAKEN: row(400, "100426", "The nodeId is duplicated."),
  DEVICE_ALREADY_BOUND: row(400, "100416", "The device has already been binded."),
  DEVICE_LIMIT_REACHED: row(500, "100412", "The amount of device has reached the limit."),
  FROZEN_LIMIT_REACHED: row(403, "500004", "The amount of frozen devices has reached the limit."),
  NON_SECURE_LIMIT_REACHED: row(500, "100441", "The amount of nonSecure device has reached the limit."),
  IS_SECURE_INVALID: row(400, "100440", "The isSecure is invalid."),
  VERIFY_CODE_INVALID: row(400, "100003", "Invalid verify code."),
  DEVICE_NOT_ACTIVE: row(400, "100610", "Device is not active."),
  DEVICE_ONLINE: row(400, "100611", "Device is online."),
  DEVICE_OFFLINE: row(200, "100428", "The device is not online."),
  GATEWAY_OFFLINE: row(403, "100450", "The gateway is not online."),
  PAGE_OR_GATEWAY_MISSING: row(400, "100218", "The gatewayId and pageNo can't be both null."),
  NOT_A_GATEWAY: INPUT_100022, // only gateways themselves hear of it
  DEVICE_OR_GATEWAY_MISSING: row(400, "100419", "The deviceId and gatewayId can't be both null."),

  GROUP_NOT_FOUND: NO_GROUP,
  GROUP_NAME_TAKEN: row(200, "100602", "The device group name has been used."),
  GROUP_LIMIT_REACHED: row(200, "100607", "The devGroup has reached the limit."),
  GROUP_FULL: row(200, "100601", "The number of device in the group has reach the max."),
  GROUP_TOO_MANY_DEVICES: row(400, "100609", "Too much devices to add."),
  GROUP_HIERARCHY_INVALID: INPUT_50400, // only our own API can ask for it
  GROUP_IS_DEFAULT: NO_GROUP, // 1.11.2 has no row of its own: to it there is no group that can be deleted
  DEVICE_IN_OTHER_GROUP: GROUP_PARAMETER,
  DEVICE_NOT_IN_GROUP: GROUP_PARAMETER,

  SERVICE_NOT_FOUND: SERVICE_TYPE,
  COMMAND_NAME_INVALID: INPUT_100022,
  COMMAND_PARAMETERS_INVALID: INPUT_100022,
  COMMAND_MUTED: row(200, "100432", "The device command is muted."),
  COMMAND_NOT_FOUND: row(200, "100434", "The device command is not existed."),
  COMMAND_LIMIT_REACHED: row(400, "100223", "Command counts has reached the upLimit."),
  COMMAND_NOT_CANCELLABLE: row(
    200,
    "100435",
    "The device command already canceled, expired or executed, Cannot cancel.",
  ),
  RECEIVER_TYPE_UNKNOWN: row(404, "100444", "The serviceType is not exist."),
  DEVICE_ZOMBIE: row(403, "100612", "Device is zombie."),
  COMMAND_NOT_CACHEABLE: INPUT_100022, // told of sub-tasks only: the vendor has no row for it

  BATCH_TASK_NOT_FOUND: row(404, "105005", "The batchTask is not existed."),
  BATCH_NAME_TAKEN: row(200, "105002", "The batchTask name has exist."),
  BATCH_LIMIT_REACHED: row(200, "105001", "The batchTask count has reached the limit."),
  BATCH_TARGET_NOT_FOUND: row(200, "101001", "Resource doesn't exist."),
  BATCH_FILE_INVALID: INPUT_50400, // only our own API takes files
  TAG_NOT_FOUND: row(404, "105202", "The tag is not existed."),
  TAG_USED: row(400, "105201", "The tagName and tagValue has been used on the platform."),

  SHADOW_MODEL_MISSING: row(200, "100425", "The special deviceCapability is not exist."),
  SHADOW_PROPERTIES_EMPTY: row(400, "107002", "The properties is empty in database."),
  SHADOW_PROPERTIES_UNKNOWN: row(400, "107003", "The request properties is unknown."),
  PROPERTY_NOT_WRITABLE: row(403, "100443", "The property is forbidden to write."),

  // Only our own API has these; nothing of this dialect throws them.
  DEVICE_NOT_REGISTERED: row(200, "100428", "The device is not online."),
  DEVICE_ASLEEP: row(200, "100428", "The device is not online."),
  DEVICE_NO_ANSWER: row(200, "100428", "The device is not online."),
  DEVICE_REFUSED: INPUT_100022,
  RESOURCE_UNKNOWN: NOT_FOUND,
  DIAGNOSIS_UNSUPPORTED: INPUT_100022,
  DIAGNOSIS_TASK_NOT_FOUND: NOT_FOUND,

  PAGE_BEYOND_LIMIT: row(400, "123029", "pageNo or pageSize beyond the limit."),
  PACKAGE_NOT_FOUND: row(404, "123002", "Device or package file not found."),
  PACKAGE_IN_USE: BAD_REQUEST, // 1.12.3 does not say what becomes of a package that a task uses
  // Only our own API takes packages and keys.
  PACKAGE_INVALID: BAD_REQUEST,
  PACKAGE_EXISTS: BAD_REQUEST,
  PUBLIC_KEY_INVALID: BAD_REQUEST,
  PUBLIC_KEY_NOT_FOUND: NOT_FOUND,
  UPGRADE_TASK_NOT_FOUND: row(404, "123009", "The requested task does not exist."),
  UPGRADE_TARGET_INVALID: BAD_REQUEST, // this and the next by their problem: see UPGRADE_ROWS
  UPGRADE_POLICY_INVALID: BAD_REQUEST,
  UPGRADE_PACKAGES_INVALID: BAD_REQUEST,

  LORA_SERVER_NOT_FOUND: row(404, "1200017", "The LoRa Server is not existed."),
  LORA_SERVER_OFFLINE: row(403, "1200006", "The operation is not allowed. The LoRa Server is not online."),
  LORA_SERVER_FAILED: row(400, "1200014", "The LoRa Server processing failed:%"),
  LORA_PROTOCOL_REQUIRED: row(
    403,
    "1200007",
    "The operation is not allowed. The protocol of the product model is not LoRaWAN.",
  ),
  LORA_GATEWAY_TYPE_REQUIRED: row(
    403,
    "1200015",
    "The operation is not allowed. The deviceType of the product model must be LoRaGateway.",
  ),
  LORA_GATEWAY_TYPE_REFUSED: row(
    403,
    "1200016",
    "The operation is not allowed. The deviceType of the product model cannot be LoRaGateway.",
  ),
  LORA_APP_KEY_MISSING: row(400, "1200008", "Invalid input. The appKey cannot be empty."),
  LORA_APP_SKEY_MISSING: row(400, "1200009", "Invalid input. The appSKey cannot be empty."),
  LORA_NWK_SKEY_MISSING: row(400, "1200010", "Invalid input. The nwkSKey cannot be empty."),
  LORA_DEV_ADDR_MISSING: row(400, "1200011", "Invalid input. The devAddr cannot be empty."),
  LORA_NODE_EXISTS: row(400, "1200012", "The LoRa node already exists."),
  LORA_GATEWAY_EXISTS: row(400, "1200013", "The LoRa gateway already exists."),
  LORA_EUI_TAKEN: row(403, "1200018", "The operation is not allowed. The devEUI is duplicated."),
  LORA_NODE_NOT_FOUND: row(404, "1200002", "The LoRa node does not exist."),
  LORA_GATEWAY_NOT_FOUND: row(404, "1200003", "The LoRa gateway does not exist."),
  LORA_REGISTRATION_FAILED: row(500, "1200000", "Failed to register the LoRa node."),

  CALLBACK_URL_ILLEGAL: CALLBACK_ILLEGAL,
  SUBSCRIPTION_EXISTS: row(409, "100227", "The resource is conflicted."),
  SUBSCRIPTION_NOT_FOUND: NOT_FOUND,
  RESULT_TOO_LARGE: row(400, "100224", "The resource exceeds 1000, please refinement query conditions."),

  INTERNAL: FAULT_50252,
};

type Overrides = Partial<Record<ErrorKey, ErrorRow>>;

/** One row for everything that is wrong with the request as it was sent. */
const badInput = (input: ErrorRow): Overrides => ({
  INPUT_INVALID: input,
  REQUIRED_MISSING: input,
  BODY_MALFORMED: input,
  PAYLOAD_TOO_LARGE: at(413, input),
  MEDIA_TYPE_UNSUPPORTED: at(415, input),
});
const noDevice = (missing: ErrorRow): Overrides => ({
  DEVICE_NOT_FOUND: missing,
  DEVICE_NOT_FOUND_IN_NAMED_APP: missing,
});
// 1.7.x has no row for an application that does not exist; who cannot be asked has not authorised either.
const SUBSCRIPTIONS: Overrides = { APP_NOT_FOUND: NOT_AUTHORIZED, CALLER_APP_NOT_FOUND: BASE.TOKEN_INVALID };
const NO_APP: Overrides = {
  APP_NOT_FOUND: at(200, BASE.APP_NOT_FOUND),
  CALLER_APP_NOT_FOUND: at(200, BASE.APP_NOT_FOUND),
};
const GROUPS: Overrides = { ...badInput(INPUT_50400), ...NO_APP, APP_NOT_AUTHORIZED: at(200, NOT_AUTHORIZED) };
// 100203 is listed with 403 and 500, as at 1.5.3, where the text says which is which.
const GROUP_MEMBERS: Overrides = {
  ...badInput(INPUT_50400),
  ...noDevice(GROUP_PARAMETER),
  CALLER_APP_NOT_FOUND: at(500, BASE.APP_NOT_FOUND),
};
const COMMANDS: Overrides = {
  ...noDevice(at(200, NO_DEVICE_DATA)),
  ...NO_APP,
  APP_KEY_MISSING: APP_KEY_500,
  CALLBACK_URL_ILLEGAL: INPUT_100022,
  GATEWAY_OFFLINE: BASE.DEVICE_OFFLINE,
  INTERNAL: FAULT_100001,
};

// 100203 is listed with 403 and 500: the application that is named, and the caller itself, as the text of 1.5.3 says.
const APPS = { CALLER_APP_NOT_FOUND: at(500, BASE.APP_NOT_FOUND) } satisfies Overrides;
// 1.5.1 and 1.5.2 have it the other way round.
const REGISTRATION: Overrides = {
  ...badInput(INPUT_50400),
  BODY_MALFORMED: BAD_MESSAGE,
  APP_NOT_FOUND: at(500, BASE.APP_NOT_FOUND),
};
// 1.5.8 and 1.5.9 print it so.
const SHADOW_TOKEN = row(403, "1010005", "pp_key or access_token is invalid.");
// 100203 is listed with 200 and 403.
const CANCEL_TASKS: Overrides = {
  ...COMMANDS,
  APP_NOT_FOUND: BASE.APP_NOT_FOUND,
  CALLER_APP_NOT_FOUND: BASE.CALLER_APP_NOT_FOUND,
};

// The document prints these two without a full stop here.
const BATCH_INPUT = row(400, "100022", "The input is invalid");
const BATCH_QUERIES = {
  ...APPS,
  ...badInput(BATCH_INPUT),
  REQUIRED_MISSING: row(400, "100019", "Illegal request."),
  APP_NOT_AUTHORIZED: row(403, "100217", "The application hasn't been authorized"),
} satisfies Overrides;
// 1.12 has no rows for an application that does not exist.
const LORA: Overrides = {
  APP_KEY_MISSING: APP_KEY_500,
  APP_NOT_FOUND: at(404, BASE.APP_NOT_FOUND),
  CALLER_APP_NOT_FOUND: at(404, BASE.APP_NOT_FOUND),
  PRODUCT_NOT_FOUND: row(400, "106018", "the product not exist."),
  INTERNAL: FAULT_100001,
};

// 1.12 has no row for an application that does not exist, as 1.7.
const UPGRADES: Overrides = { ...badInput(BAD_REQUEST), CALLER_APP_NOT_FOUND: BASE.TOKEN_INVALID };
/** A device or a group that does not exist has the row of the package. */
const NEW_UPGRADE: Overrides = {
  ...UPGRADES,
  ...noDevice(BASE.PACKAGE_NOT_FOUND),
  GROUP_NOT_FOUND: BASE.PACKAGE_NOT_FOUND,
};
const badUpgrade = (code: string, desc: string) => row(400, code, desc);
/** 1.12.4, 1.12.5: what is wrong with the targets and the policy, by `problem`. */
const UPGRADE_ROWS: Readonly<Record<TargetProblem | PolicyProblem, ErrorRow>> = {
  productMismatch: badUpgrade("123016", "The parameter is error, targetversion not match with device."),
  manufacturerMissing: badUpgrade("123019", "manufacturerName is null."),
  deviceTypeMissing: badUpgrade("123020", "deviceType is null"),
  modelMissing: badUpgrade("123021", "model is null."),
  targetsMissing: badUpgrade("123022", "deviceGroups and devices cannot be null together"),
  targetsAmbiguous: badUpgrade("123023", "deviceGroups and devices cannot be exist together"),
  tooManyTargets: badUpgrade("123024", "The number of deviceGroups or devices reached upper limit"),
  executeTypeInvalid: badUpgrade("123025", "executeType is error or can not to be null."),
  windowInvalid: badUpgrade("123026", "startTime or endTime is null or error."),
  retryTimesInvalid: badUpgrade("123028", "retryTimes is null or beyond the limit."),
  startAfterEnd: badUpgrade("123032", "startTime can not be later than the endTime."),
  startInThePast: badUpgrade("123033", "startTime can not be earlier than the now."),
  windowTooShort: badUpgrade("123034", "endtime must be greater than 5 minutes."),
};

/** Where an endpoint's own error table differs from the base. Rows listed with two statuses: see docs/compatibility.md. */
const BY_SECTION: Record<Section, Overrides> = {
  "1.4.1": { ...badInput(PARAMETER_EMPTY), INPUT_INVALID: WRONG_SECRET },
  "1.4.2": { ...badInput(INPUT_50400), REQUIRED_MISSING: PARAMETER_EMPTY },
  "1.5.1": REGISTRATION,
  "1.5.2": {
    ...REGISTRATION,
    DEVICE_ALREADY_BOUND: BASE.NODE_ID_TAKEN,
    NON_SECURE_LIMIT_REACHED: BASE.DEVICE_LIMIT_REACHED, // 100441 is a row of 1.5.1 and 1.5.4 only
  },
  "1.5.3": { ...badInput(INPUT_50400), ...APPS, BODY_MALFORMED: BAD_MESSAGE },
  "1.5.4": { ...APPS, BODY_MALFORMED: INPUT_50400, PRODUCT_NOT_FOUND: INPUT_100022 },
  "1.5.5": APPS,
  "1.5.7": { ...APPS, DEVICE_NOT_FOUND_IN_NAMED_APP: NO_DEVICE },
  "1.5.8": { ...badInput(INPUT_50400), ...APPS, TOKEN_INVALID: SHADOW_TOKEN },
  "1.5.9": { ...noDevice(NO_DEVICE_DATA), ...APPS, TOKEN_INVALID: SHADOW_TOKEN },
  "1.5.10": {
    ...LORA,
    LORA_EUI_TAKEN: row(403, "1200019", "The operation is not allowed. The gatewayEUI is duplicated."),
    LORA_REGISTRATION_FAILED: row(500, "1200001", "Failed to register the LoRa gateway."),
  },
  "1.5.11": LORA,
  "1.5.12": LORA,
  "1.5.13": LORA,
  "1.5.14": LORA,
  "1.5.15": LORA,
  "1.6.1": { ...badInput(INPUT_100405), ...APPS },
  "1.6.2": { ...badInput(INPUT_100216), ...APPS },
  "1.6.3": { ...badInput(INPUT_100216), ...APPS, ...noDevice(at(200, NO_DEVICE_DATA)), RESULT_TOO_LARGE: INPUT_100216 },
  "1.6.4": { ...badInput(INPUT_100216), ...APPS, RESULT_TOO_LARGE: INPUT_100216 },
  "1.6.5": { ...APPS, RESULT_TOO_LARGE: INPUT_100022 },
  "1.7.1": SUBSCRIPTIONS,
  // Its table has codes and texts of its own for what is told otherwise elsewhere.
  "1.7.2": {
    ...badInput(row(400, "100228", "The application input is invalid.")),
    CALLBACK_URL_ILLEGAL: row(400, "100222", "Internal server error."),
    APP_KEY_MISSING: row(500, "100229", "Get AppKey from header failed."),
    INTERNAL: row(500, "100244", "register out route fail."),
  },
  "1.7.3": SUBSCRIPTIONS,
  "1.7.4": SUBSCRIPTIONS,
  "1.7.5": SUBSCRIPTIONS,
  "1.7.6": SUBSCRIPTIONS,
  "1.9.1": COMMANDS,
  "1.9.2": COMMANDS,
  "1.9.3": { ...COMMANDS, APP_NOT_AUTHORIZED: at(200, NOT_AUTHORIZED) },
  "1.9.5": CANCEL_TASKS,
  "1.9.6": CANCEL_TASKS,
  "1.9.7": {
    ...noDevice(at(200, NO_DEVICE_DATA)),
    ...NO_APP,
    APP_NOT_AUTHORIZED: at(200, NOT_AUTHORIZED),
    COMMAND_NAME_INVALID: row(400, "102203", "CommandName is invalid."),
    SERVICE_NOT_FOUND: BASE.RECEIVER_TYPE_UNKNOWN,
  },
  "1.10.1": { ...badInput(INPUT_50400), CALLBACK_URL_ILLEGAL: INPUT_50400, ...APPS },
  "1.10.2": BATCH_QUERIES,
  "1.10.3": { ...BATCH_QUERIES, REQUIRED_MISSING: BATCH_INPUT },
  "1.11.1": { ...GROUPS, ...noDevice(INPUT_50400), DEVICE_IN_OTHER_GROUP: INPUT_50400 },
  "1.11.2": {
    ...GROUPS,
    APP_NOT_AUTHORIZED: row(200, "100217", "The application hasn't been authorized"),
    GROUP_NOT_FOUND: row(200, "100603", "The device group is not existed"),
    GROUP_IS_DEFAULT: row(200, "100603", "The device group is not existed"),
  },
  "1.11.3": GROUPS,
  "1.11.4": GROUPS,
  "1.11.5": GROUPS,
  "1.11.6": GROUP_MEMBERS,
  "1.11.7": GROUP_MEMBERS,
  "1.11.8": GROUP_MEMBERS,
  "1.12.1": UPGRADES,
  "1.12.2": UPGRADES,
  "1.12.3": UPGRADES,
  "1.12.4": NEW_UPGRADE,
  "1.12.5": NEW_UPGRADE,
  "1.12.6": UPGRADES,
  "1.12.7": UPGRADES,
  "1.12.8": UPGRADES,
  none: {},
};

const NO_EDIT = row(403, "100249", "The operation is not allowed. The application does not have edit permission.");
const NO_EDIT_JOINED = row(
  403,
  "100249",
  "The operation is not allowed.The application does not have edit permission.",
);
/** Only LoRa devices have a row for a right that is not enough; some print it without a blank. The reads never need it. */
const NO_EDIT_ROWS: Readonly<Record<string, ErrorRow>> = {
  "1.5.10": NO_EDIT,
  "1.5.11": NO_EDIT,
  "1.5.12": NO_EDIT_JOINED,
  "1.5.13": NO_EDIT,
  "1.5.14": NO_EDIT_JOINED,
  "1.5.15": NO_EDIT_JOINED,
};

/** `problem`: of the details of the error, where one code has a row for each of its problems. */
export function errorRow(section: Section, key: ErrorKey, problem?: unknown): ErrorRow {
  if (isUpgradeProblem(key, problem)) return UPGRADE_ROWS[problem];
  // Everywhere else it is a right that was not given.
  if (key === "APP_EDIT_NOT_AUTHORIZED") return NO_EDIT_ROWS[section] ?? errorRow(section, "APP_NOT_AUTHORIZED");
  return BY_SECTION[section][key] ?? BASE[key];
}

/** All rows that a code can become there: more than one where each of its problems has its own. */
export function rowsOf(section: Section, key: ErrorKey): ErrorRow[] {
  const problems =
    key === "UPGRADE_TARGET_INVALID" ? TARGET_PROBLEMS : key === "UPGRADE_POLICY_INVALID" ? POLICY_PROBLEMS : [];
  return [errorRow(section, key), ...problems.map((problem) => errorRow(section, key, problem))];
}

const isUpgradeProblem = (key: ErrorKey, problem: unknown): problem is TargetProblem | PolicyProblem =>
  (key === "UPGRADE_TARGET_INVALID" || key === "UPGRADE_POLICY_INVALID") &&
  typeof problem === "string" &&
  Object.hasOwn(UPGRADE_ROWS, problem);

/** `error_desc`: a row whose text ends in the document's cut format sign gets the reason in its place (1200014). */
export const describeError = (desc: string, reason: unknown): string =>
  desc.endsWith(":%") ? `${desc.slice(0, -1)}${typeof reason === "string" ? reason : ""}` : desc;
