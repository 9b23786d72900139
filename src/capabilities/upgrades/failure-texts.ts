import type { UpgradeKind } from "./upgrade";

/** What people read of how upgrades ended. The vendor's words, exact (ota.md 10); applications compare them. */
export const TEXTS = {
  notOnline: "Device Abnormal is not online",
  conflict: "Task Conflict",
  onlineTimeout: "Waiting for the device online timeout",
  cellTimeout: "Waiting for report cellId timeout",
  firmwareVersionTimeout: "Waiting for report device firmware version timeout",
  softwareVersionTimeout: "Waiting for report device software version timeout",
  resultTimeout: "Wait for the device to report upgrade result timeout",
  verifyTimeout: "Updating timeout and query device version for check timeout",
  downloadTimeout: "Waiting for device downloaded package timeout",
  integrity: "Integrity check failure for new downloaded package",
  packageType: "Unsupported package type",
  storage: "Not enough storage for the new firmware package",
  memory: "Out of memory during downloading process",
  connectionLost: "Connection lost during downloading process",
  uri: "Invalid URI",
  updateFailed: "Firmware update failed",
  sameVersion: "The current version is the same as the target version",
  waiting: "WaitingDeviceOnline",
  noWay: "The task failed to start, unable to find protocol service based on device information",
  // Ours: the vendor names no text for these.
  protocol: "Unsupported protocol",
  sourceVersion: "source version not supported",
  otherVersion: "The version after the upgrade is not the target version",
  otherProduct: "The package does not match the product of the device",
  slotTimeout: "Waiting for a free place in the cell timeout",
  windowOver: "The time window of the task is over",
  deviceDeleted: "The device was deleted",
  stopped: "Stopped by hand",
} as const;

export const versionTimeout = (kind: UpgradeKind): string =>
  kind === "firmware" ? TEXTS.firmwareVersionTimeout : TEXTS.softwareVersionTimeout;

const UPDATE_RESULTS: Readonly<Record<number, string>> = {
  2: TEXTS.storage,
  3: TEXTS.memory,
  4: TEXTS.connectionLost,
  5: TEXTS.integrity,
  6: TEXTS.packageType,
  7: TEXTS.uri,
  8: TEXTS.updateFailed,
  9: TEXTS.protocol,
};
/** Of `/5/0/5` (ota.md 8.1); undefined for 0 (nothing has happened) and 1 (success). */
export function updateResultText(result: number): string | undefined {
  if (result === 0 || result === 1) return undefined;
  return UPDATE_RESULTS[result] ?? `unknown update result ${result}`;
}

/** Shared by PCP (pcp.md 5.7) and the progress reports over MQTT (ota.md 8.3). */
const RESULT_CODES: Readonly<Record<number, string>> = {
  1: "device in use",
  2: "poor signal",
  3: "already the latest version",
  4: "low battery",
  5: "insufficient storage space",
  6: "download timeout",
  7: "upgrade package verification failure",
  8: "unsupported upgrade package type",
  9: "insufficient memory",
  10: "upgrade package installation failure",
};
const INTERNAL = "internal exception";

/** Result code of a PCP message; `known`: those that its column of pcp.md 5.7 has. Undefined: success. */
export function pcpResultText(code: number, known?: readonly number[]): string | undefined {
  if (code === 0) return undefined;
  const text = code === 0x7f ? INTERNAL : RESULT_CODES[code];
  if (text !== undefined && (known?.includes(code) ?? true)) return text;
  return `unknown result code 0x${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** `result_code` of an upgrade_progress_report. Undefined: success. */
export function mqttResultText(code: number): string | undefined {
  if (code === 0) return undefined;
  return (code === 255 ? INTERNAL : RESULT_CODES[code]) ?? `unknown result code ${code}`;
}
