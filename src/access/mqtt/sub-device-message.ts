/** What a gateway says of the devices behind it, and what it is answered (docs/sub-devices.md). */
import { isUtf8 } from "node:buffer";
import type { DeviceInfo } from "../../capabilities/devices/device";
import type { SubDeviceOutcome, SubDeviceTask } from "../../capabilities/devices/sub-devices";
import type { JsonObject } from "./device-message";

export type RequestId = string | number;
/** What a device is called in the request: the answer calls it the same. */
export type Named = { readonly deviceId?: string; readonly nodeId?: string };
type Type = SubDeviceTask["kind"];
/** An entry that makes no sense is one of its own; the others stay. */
export type Entry = { readonly named: Named } & (
  | { readonly task: SubDeviceTask }
  | { readonly task: undefined; readonly reason: string }
);
export type SubDeviceRequest =
  | { readonly kind: "request"; readonly id: RequestId | undefined; readonly type: Type; readonly entries: Entry[] }
  | { readonly kind: "refused"; readonly id: RequestId | undefined; readonly reason: string };

const MAX_REQUEST_ID = 64;
const MAX_ID = 256;
/** `DeviceInfo` that a gateway may tell, with the longest text of each. */
const INFO = {
  ...{ name: 256, description: 2_048, mac: 256, location: 1_024, serialNumber: 256, bridgeId: 256 },
  ...{ swVersion: 256, fwVersion: 256, hwVersion: 256 },
  ...{ manufacturerId: 256, manufacturerName: 256, deviceType: 256, model: 256, protocolType: 256 },
} as const satisfies { readonly [K in keyof DeviceInfo]?: number };
/** `statusDetail` by status, as the document lists them. */
const DETAILS: Readonly<Record<string, readonly string[]>> = {
  ONLINE: ["NONE", "CONFIGURATION_PENDING", "UE_REACHABILITY", "AVAILABILITY_AFTER_DDN_FAILURE"],
  OFFLINE: [
    ...["NONE", "COMMUNICATION_ERROR", "CONFIGURATION_ERROR", "BRIDGE_OFFLINE", "FIRMWARE_UPDATING", "DUTY_CYCLE"],
    ...["NOT_ACTIVE", "LOSS_OF_CONNECTIVITY", "TIME_OUT"],
  ],
};

/** Never throws. */
export function parseSubDeviceRequest(payload: Uint8Array, maxEntries: number): SubDeviceRequest {
  if (!isUtf8(payload)) return refused(undefined, "the payload is not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload).toString());
  } catch {
    return refused(undefined, "the payload is not JSON");
  }
  if (!isObject(value)) return refused(undefined, "the payload is no object");
  const id = isRequestId(value.id) ? value.id : undefined;
  if (id === undefined && value.id !== undefined)
    return refused(undefined, `id is neither an integer nor a text of up to ${MAX_REQUEST_ID} characters`);
  const { type, devices } = value;
  if (type !== "add" && type !== "status" && type !== "delete") return refused(id, "type is not add, status or delete");
  if (!Array.isArray(devices) || devices.length === 0) return refused(id, "devices is no list with something in it");
  if (devices.length > maxEntries) return refused(id, `devices has more than ${maxEntries} entries`);
  return { kind: "request", id, type, entries: devices.map((device: unknown) => parseEntry(type, device)) };
}

function parseEntry(type: Type, value: unknown): Entry {
  if (!isObject(value)) return misfit({}, "is no object");
  const { deviceId, nodeId } = value;
  const named: Named = { ...(isId(deviceId) && { deviceId }), ...(isId(nodeId) && { nodeId }) };
  if (type === "add") return isId(nodeId) ? parseNew({ nodeId }, nodeId, value) : misfit(named, idReason("nodeId"));
  const id = named.deviceId ?? named.nodeId;
  if (id === undefined) return misfit(named, idReason("deviceId or nodeId"));
  return type === "delete" ? { named, task: { kind: "delete", id } } : parseStatus(named, id, value);
}

function parseNew(named: Named, nodeId: string, value: JsonObject): Entry {
  const info: Record<string, string> = {};
  for (const [field, max] of Object.entries(INFO)) {
    const told = value[field];
    if (told === undefined || told === null || told === "") continue;
    if (!isText(told, max)) return misfit(named, `${field} is no text of up to ${max} characters`);
    info[field] = told;
  }
  const { productId } = value;
  if (productId === undefined || productId === null || productId === "")
    return { named, task: { kind: "add", nodeId, info } };
  if (!isText(productId, MAX_ID)) return misfit(named, `productId is no text of up to ${MAX_ID} characters`);
  return { named, task: { kind: "add", nodeId, productId, info } };
}

function parseStatus(named: Named, id: string, { status, statusDetail }: JsonObject): Entry {
  if (status !== "ONLINE" && status !== "OFFLINE") return misfit(named, "status is not ONLINE or OFFLINE");
  if (statusDetail === undefined || statusDetail === null) return { named, task: { kind: "status", id, status } };
  if (typeof statusDetail !== "string" || !DETAILS[status]?.includes(statusDetail))
    return misfit(named, `statusDetail does not go with ${status}`);
  return { named, task: { kind: "status", id, status, detail: statusDetail } };
}

/** `outcomes` are those of the entries with a task, in their order. */
export function renderAnswer(
  { id, type, entries }: Extract<SubDeviceRequest, { kind: "request" }>,
  outcomes: readonly SubDeviceOutcome[],
) {
  let next = 0;
  const devices = entries.map((entry) => {
    const outcome = entry.task === undefined ? undefined : outcomes[next++];
    if (outcome?.done) return { deviceId: outcome.deviceId, nodeId: outcome.nodeId, errcode: 0 };
    const { code, reason } = outcome ?? {
      code: "INPUT_INVALID",
      reason: entry.task === undefined ? entry.reason : undefined,
    };
    return { ...entry.named, errcode: 1, error: code, reason };
  });
  return { id, type, errcode: devices.every(({ errcode }) => errcode === 0) ? 0 : 1, devices };
}

export const renderRefusal = ({ id, reason }: Extract<SubDeviceRequest, { kind: "refused" }>) => ({
  ...{ id, errcode: 1, error: "INPUT_INVALID", reason },
});

const refused = (id: RequestId | undefined, reason: string): SubDeviceRequest => ({ kind: "refused", id, reason });
const misfit = (named: Named, reason: string): Entry => ({ named, task: undefined, reason });
const idReason = (what: string) => `${what} is no text of 1 to ${MAX_ID} characters`;
const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length <= max && value.isWellFormed();
const isId = (value: unknown): value is string => isText(value, MAX_ID) && value !== "";
const isRequestId = (value: unknown): value is RequestId =>
  Number.isSafeInteger(value) || isText(value, MAX_REQUEST_ID);
