/** Payload of a device's data topic in, reports or a command answer out (device-mqtt.json 2.3, 2.5). */
import { isUtf8 } from "node:buffer";
import type { ServiceReport } from "../../capabilities/telemetry/report";
import { parseUtcTime } from "../../platform/utc-time";

export type JsonObject = Readonly<Record<string, unknown>>;
export type Misfit = { readonly reason: MessageFault; readonly detail: string };
export type MessageFault =
  | "payload_not_utf8"
  | "payload_not_json"
  | "payload_not_object"
  | "msg_type_unknown"
  | "data_invalid"
  | "service_id_invalid"
  | "service_data_invalid"
  | "mid_invalid"
  | "errcode_invalid"
  | "body_invalid";

export type DeviceMessage =
  | { readonly kind: "reports"; readonly reports: ServiceReport[]; readonly misfits: readonly Misfit[] }
  | { readonly kind: "answer"; readonly mid: number; readonly errcode: number; readonly body: JsonObject | undefined }
  | { readonly kind: "refused"; readonly misfit: Misfit };

/** A list of nonsense is told by its first entries. */
const MAX_MISFITS = 8;
const NO_MISFITS: readonly Misfit[] = [];
const REPLACEMENT = "\ufffd";
const utf8Slice = Buffer.prototype.utf8Slice;

/** Never throws. An entry of `data` that makes no sense is a misfit of its own; the others stay. */
export function parseDeviceMessage(bytes: Uint8Array, start: number, end: number): DeviceMessage {
  const text: string = utf8Slice.call(bytes, start, end);
  // The decoder puts U+FFFD for what is no UTF-8; only text that has one is looked at again.
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) return refused("payload_not_utf8", "");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused("payload_not_json", "");
  }
  if (!isObject(value)) return refused("payload_not_object", "");
  if (value.msgType === "deviceReq") return parseReports(value.data);
  if (value.msgType === "deviceRsp") return parseAnswer(value);
  return refused("msg_type_unknown", `msgType ${describe(value.msgType)}`);
}

function parseReports(data: unknown): DeviceMessage {
  if (!Array.isArray(data)) return refused("data_invalid", `data is ${kindName(data)}, not a list`);
  const reports: ServiceReport[] = [];
  let misfits: Misfit[] | undefined;
  for (let index = 0; index < data.length; index++) {
    const entry: unknown = data[index];
    const misfit = checkEntry(entry, index);
    if (misfit) {
      misfits ??= [];
      if (misfits.length < MAX_MISFITS) misfits.push(misfit);
      continue;
    }
    const { serviceId, serviceData, eventTime } = entry as { serviceId: string; serviceData: JsonObject } & JsonObject;
    reports.push({ serviceId, data: serviceData, eventTimeMs: parseEventTime(eventTime) });
  }
  return { kind: "reports", reports, misfits: misfits ?? NO_MISFITS };
}

function checkEntry(entry: unknown, index: number): Misfit | undefined {
  if (!isObject(entry)) return misfitOf("data_invalid", `data[${index}] is ${kindName(entry)}`);
  if (typeof entry.serviceId !== "string" || entry.serviceId.length === 0)
    return misfitOf("service_id_invalid", `data[${index}].serviceId is ${kindName(entry.serviceId)}`);
  if (!isObject(entry.serviceData))
    return misfitOf("service_data_invalid", `data[${index}].serviceData is ${kindName(entry.serviceData)}`);
  return undefined;
}

function parseAnswer({ mid, errcode, body }: JsonObject): DeviceMessage {
  if (!isIntegerIn(mid, 1, 0xffff)) return refused("mid_invalid", `mid ${describe(mid)}`);
  if (!Number.isSafeInteger(errcode)) return refused("errcode_invalid", `errcode ${describe(errcode)}`);
  if (body !== undefined && body !== null && !isObject(body))
    return refused("body_invalid", `body is ${kindName(body)}`);
  return { kind: "answer", mid, errcode: errcode as number, body: isObject(body) ? body : undefined };
}

// Devices name the current second over and over, so the last one is remembered.
let lastEventTime = "";
let lastEventTimeMs: number | undefined;

/** Undefined when there is none or it is malformed: then the platform's time counts. */
function parseEventTime(value: unknown): number | undefined {
  if (typeof value !== "string") return undefined;
  if (value !== lastEventTime) {
    lastEventTimeMs = parseUtcTime(value);
    lastEventTime = value;
  }
  return lastEventTimeMs;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isIntegerIn = (value: unknown, min: number, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
const kindName = (value: unknown) => (value === null ? "null" : Array.isArray(value) ? "a list" : typeof value);
const describe = (value: unknown) =>
  typeof value === "string" || typeof value === "number" ? JSON.stringify(value).slice(0, 40) : kindName(value);
const misfitOf = (reason: MessageFault, detail: string): Misfit => ({ reason, detail });
const refused = (reason: MessageFault, detail: string): DeviceMessage => ({
  kind: "refused",
  misfit: misfitOf(reason, detail),
});
