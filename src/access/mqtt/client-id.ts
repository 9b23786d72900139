/** The client id of a device, `{id}_{authType}_{signType}_{YYYYMMDDHH}` (device-mqtt.json 2.2). */
export type ClientIdentity = {
  /** deviceId or nodeId. May contain `_`, so the parts are taken from the right. */
  readonly id: string;
  readonly idKind: "deviceId" | "nodeId";
  readonly checksTimestamp: boolean;
  /** As it was sent: it is the key of the HMAC. */
  readonly timestamp: string;
};

const FORM = /^(.+)_([02])_([01])_(\d{10})$/s;
const MAX_LENGTH = 256;
const HOUR_MS = 3_600_000;

/** Undefined when it is not of the form. */
export function parseClientId(clientId: string): ClientIdentity | undefined {
  if (clientId.length > MAX_LENGTH) return undefined;
  const [, id, authType, signType, timestamp] = FORM.exec(clientId) ?? [];
  if (id === undefined || timestamp === undefined) return undefined;
  return { id, idKind: authType === "0" ? "deviceId" : "nodeId", checksTimestamp: signType === "1", timestamp };
}

/** Whether the hour that the device names is no further than the tolerance from the hour it is now (UTC). */
export function isHourWithin(timestamp: string, nowMs: number, toleranceMs: number): boolean {
  const [year, month, day, hour] = [
    timestamp.slice(0, 4),
    timestamp.slice(4, 6),
    timestamp.slice(6, 8),
    timestamp.slice(8),
  ].map(Number) as [number, number, number, number];
  const named = Date.UTC(year, month - 1, day, hour);
  const sameDate = new Date(named);
  // 2018130199 is no hour, and must not count as one in 2019.
  if (sameDate.getUTCMonth() !== month - 1 || sameDate.getUTCDate() !== day || sameDate.getUTCHours() !== hour)
    return false;
  return Math.abs(Math.floor(nowMs / HOUR_MS) * HOUR_MS - named) <= toleranceMs;
}
