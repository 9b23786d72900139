import { RESULT_CODES } from "../../wire/pcp";
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

/** Codes 1 to 10 of progress reports over MQTT are those of PCP, with its texts (ota.md 8.3, pcp.md 5.7). */
const SHARED = new Map(RESULT_CODES.filter(({ code }) => code <= 0x0a).map(({ code, text }) => [code as number, text]));

/** `result_code` of an upgrade_progress_report. Undefined: success. */
export function mqttResultText(code: number): string | undefined {
  if (code === 0) return undefined;
  return (code === 255 ? INTERNAL : SHARED.get(code)) ?? `unknown result code ${code}`;
}
const INTERNAL = "internal exception";
