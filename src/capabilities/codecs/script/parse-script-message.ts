import { parseUtcTime } from "../../../platform/utc-time";
import type { ServiceReport } from "../../telemetry/report";
import type { Decoded, JsonObject } from "../codec";

/**
 * What `decode` gave back: `deviceReq` or `deviceRsp` (codec.md 1). Anything else is a mistake of the script, and all of
 * the message is refused: half of it would hide the mistake.
 */
export function parseScriptMessage(text: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return wrong("decode returned a string that is not JSON");
  }
  if (!isObject(value)) return wrong(`decode returned ${kindOf(value)}`);
  const { msgType, hasMore = 0 } = value;
  if (hasMore !== 0 && hasMore !== 1) return wrong("hasMore is neither 0 nor 1");
  if (msgType === "deviceReq") return parseReports(value.data, hasMore === 1);
  if (msgType === "deviceRsp") return parseAnswer(value, hasMore === 1);
  return wrong("msgType is neither deviceReq nor deviceRsp");
}

function parseReports(data: unknown, hasMore: boolean): Decoded {
  if (!Array.isArray(data)) return wrong(`data is ${kindOf(data)}, not a list`);
  const reports: ServiceReport[] = [];
  for (const [index, entry] of data.entries()) {
    if (!isObject(entry)) return wrong(`data[${index}] is ${kindOf(entry)}`);
    const { serviceId, serviceData, eventTime } = entry;
    if (typeof serviceId !== "string" || serviceId === "")
      return wrong(`data[${index}].serviceId is ${kindOf(serviceId)}`);
    if (!isObject(serviceData)) return wrong(`data[${index}].serviceData is ${kindOf(serviceData)}`);
    const eventTimeMs = typeof eventTime === "string" ? parseUtcTime(eventTime) : undefined;
    reports.push({ serviceId, data: serviceData, eventTimeMs });
  }
  return { kind: "reports", reports, hasMore };
}

function parseAnswer({ mid, errcode, body }: JsonObject, hasMore: boolean): Decoded {
  if (!Number.isInteger(mid) || (mid as number) < 1 || (mid as number) > 65_535)
    return wrong("mid is not a whole number from 1 to 65535");
  if (!Number.isSafeInteger(errcode)) return wrong("errcode is not a whole number");
  if (body !== undefined && body !== null && !isObject(body)) return wrong(`body is ${kindOf(body)}`);
  return {
    kind: "answer",
    ...{ mid: mid as number, errcode: errcode as number, body: isObject(body) ? body : undefined, hasMore },
  };
}

const wrong = (detail: string): Decoded => ({ kind: "failed", reason: "script_error", detail });
const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const kindOf = (value: unknown) => (value === null ? "null" : Array.isArray(value) ? "a list" : typeof value);
