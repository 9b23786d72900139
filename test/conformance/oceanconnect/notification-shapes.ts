/** A value that the document's tables allow. */
type Check = (value: unknown) => boolean;
/** Fields in the document's order. `[shape]`: a list of at least one. */
export type Shape = { readonly [field: string]: Check | Shape | readonly [Shape] };

const text: Check = (value) => typeof value === "string" && value !== "";
/** Empty where there is nothing to say: of an error, when there was none. */
const words: Check = (value) => typeof value === "string";
const oneOf =
  (...values: string[]): Check =>
  (value) =>
    typeof value === "string" && values.includes(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const utc: Check = (value) => typeof value === "string" && /^\d{8}T\d{6}Z$/.test(value);
const object: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const upTo =
  (length: number): Check =>
  (value) =>
    typeof value === "string" && value !== "" && value.length <= length;
const unknown256 = orNull(upTo(256));
const boolean = oneOf("TRUE", "FALSE"); // a text, as all of them

const DEVICE_INFO: Shape = {
  nodeId: upTo(256),
  name: unknown256,
  description: orNull(upTo(2_048)),
  manufacturerId: unknown256,
  manufacturerName: unknown256,
  mac: unknown256,
  location: orNull(upTo(2_048)),
  deviceType: unknown256,
  model: unknown256,
  swVersion: unknown256,
  fwVersion: unknown256,
  hwVersion: unknown256,
  protocolType: unknown256,
  bridgeId: unknown256,
  status: oneOf("ONLINE", "OFFLINE", "INACTIVE", "ABNORMAL"),
  statusDetail: upTo(256),
  mute: boolean,
  supportedSecurity: boolean,
  isSecurity: boolean,
  signalStrength: unknown256,
  sigVersion: unknown256,
  serialNumber: unknown256,
  batteryLevel: unknown256,
};
const SERVICE: Shape = { serviceId: text, serviceType: text, data: object, eventTime: utc };
const type = (name: string) => ({ notifyType: oneOf(name) });
const PRODUCT: Shape = {
  ...{ appId: text, deviceType: text, manufacturerName: text, manufacturerId: text, model: text, protocolType: text },
};
const SUB_TASK: Shape = { deviceId: text, appId: text, operationId: text, subOperationId: text };
const VERSIONS: Shape = { curVersion: text, targetVersion: text, sourceVersion: text };

/** By section. A test counts them against the document, and compares the names of their fields. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  "1.8.1": {
    ...{ ...type("deviceAdded"), deviceId: text, gatewayId: text },
    ...{ nodeType: oneOf("ENDPOINT", "GATEWAY", "UNKNOWN"), deviceInfo: DEVICE_INFO },
  },
  "1.8.2": {
    ...{ ...type("bindDevice"), deviceId: text, resultCode: oneOf("expired", "succeeded"), deviceInfo: DEVICE_INFO },
  },
  "1.8.3": { ...type("deviceInfoChanged"), deviceId: text, gatewayId: text, deviceInfo: DEVICE_INFO },
  "1.8.4": { ...type("deviceDataChanged"), requestId: upTo(128), deviceId: text, gatewayId: text, service: SERVICE },
  "1.8.5": {
    ...type("deviceDatasChanged"),
    requestId: upTo(128),
    deviceId: text,
    gatewayId: text,
    services: [SERVICE],
  },
  "1.8.6": { ...type("deviceCapabilitiesChanged"), ...PRODUCT },
  "1.8.7": { ...type("deviceCapabilitiesAdded"), ...PRODUCT },
  "1.8.8": { ...type("deviceCapabilitiesDeleted"), ...PRODUCT },
  "1.8.9": { ...type("deviceDeleted"), deviceId: text, gatewayId: text },
  "1.8.10": {
    ...type("messageConfirm"),
    header: {
      ...{ requestId: upTo(128), from: upTo(128), to: upTo(128) },
      ...{ status: oneOf("sent", "delivered", "executed"), timestamp: utc },
    },
    body: object,
  },
  "1.8.11": {
    ...type("commandRsp"),
    header: {
      ...{ requestId: upTo(128), from: upTo(128), to: upTo(128), deviceId: text, serviceType: text },
      method: upTo(128),
    },
    body: object,
  },
  "1.8.12": {
    ...{ deviceId: text, commandId: text },
    result: {
      resultCode: oneOf("SENT", "DELIVERED", "SUCCESSFUL", "FAILED", "TIMEOUT"),
      resultDetail: orNull(object),
    },
  },
  "1.8.13": {
    ...{ ...type("ruleEvent"), author: upTo(256), ruleId: text, ruleName: text, logic: text },
    reasons: [{ satisfactionTime: utc, type: text, id: text, info: object, transInfo: object }],
    triggerTime: utc,
    actionsResults: [{ type: text, id: text, exception: text, result: object, info: object, transInfo: object }],
  },
  "1.8.14": {
    ...{ ...type("deviceDesiredPropertiesModifyStatusChanged"), deviceId: text, serviceId: text, properties: object },
    status: oneOf("DELIVERED", "FAILED"),
  },
  "1.8.15": {
    ...{ ...type("swUpgradeStateChangeNotify"), ...SUB_TASK },
    swUpgradeState: oneOf("downloading", "downloaded", "updating", "idle"),
  },
  "1.8.16": {
    ...{ ...type("swUpgradeResultNotify"), ...SUB_TASK, ...VERSIONS, swUpgradeResult: oneOf("SUCCESS", "FAIL") },
    ...{ upgradeTime: text, resultDesc: text, errorCode: words, description: words },
  },
  "1.8.17": {
    ...{ ...type("fwUpgradeStateChangeNotify"), ...SUB_TASK, step: oneOf("0", "1", "2", "3") },
    stepDesc: oneOf("downloading", "downloaded", "updating", "idle"),
  },
  "1.8.18": {
    ...{ ...type("fwUpgradeResultNotify"), ...SUB_TASK, ...VERSIONS, status: oneOf("SUCCESS", "FAIL") },
    ...{ statusDesc: text, upgradeTime: text },
  },
};

/** What in `value` is not as the table says: fields that are missing, not in it, out of order or of the wrong type. */
export function misfits(shape: Shape, value: unknown, at = ""): string[] {
  if (!object(value)) return [`${at} is no object`];
  const wanted = Object.keys(shape).join(" ");
  const seen = Object.keys(value as object).join(" ");
  if (seen !== wanted) return [`${at} has ${seen} for ${wanted}`];
  return Object.entries(value as object).flatMap(([field, it]: [string, unknown]) => {
    const check = shape[field];
    const path = `${at}.${field}`;
    if (typeof check === "function") return check(it) ? [] : [`${path} is ${JSON.stringify(it)}`];
    const list = isList(check);
    if (!list) return misfits(check as Shape, it, path);
    if (!Array.isArray(it) || it.length === 0) return [`${path} is no list`];
    return it.flatMap((entry, index) => misfits(list, entry, `${path}[${index}]`));
  });
}
const isList = (check: unknown): Shape | undefined => (Array.isArray(check) ? (check[0] as Shape) : undefined);
