import type { SystemEvent } from "../../devices/event-link";
import type { UpgradePackage } from "../../packages/package";
import { mqttResultText } from "../failure-texts";
import type { UpgradeKind } from "../upgrade";
import type { DeviceFact } from "../upgrade-link";

export const OTA_SERVICE = "$ota";
const MAX_VERSION_CHARS = 256;

export const versionQuery = (): SystemEvent => ({ serviceId: OTA_SERVICE, eventType: "version_query", paras: {} });

/** `url` of the content, `expires` in seconds, `sign` its SHA-256 in hex. */
export const upgradeNotice = (
  { kind, version, size, fileName, sha256 }: UpgradePackage,
  { url, token, expiresS }: { readonly url: string; readonly token: string; readonly expiresS: number },
): SystemEvent => ({
  serviceId: OTA_SERVICE,
  eventType: kind === "firmware" ? "firmware_upgrade" : "software_upgrade",
  paras: {
    ...{ version, url, file_size: size, file_name: fileName, access_token: token, expires: expiresS, sign: sha256 },
  },
});

/** `refused`: it cannot be read; `reason` for the trace. `nothing`: it says nothing of this upgrade. */
export type OtaReading =
  | { readonly kind: "fact"; readonly fact: DeviceFact }
  | { readonly kind: "nothing" }
  | { readonly kind: "refused"; readonly reason: string };

/** What an event of the device means for an upgrade of this kind (ota.md 8.3). Never throws. */
export function readOtaEvent({ eventType, paras }: SystemEvent, kind: UpgradeKind): OtaReading {
  switch (eventType) {
    case "version_report":
      return readVersions(paras, kind);
    case "upgrade_progress_report":
      return readProgress(paras);
    default:
      return refused(`event_type ${eventType.slice(0, 40)} is not known`);
  }
}

function readVersions(paras: SystemEvent["paras"], kind: UpgradeKind): OtaReading {
  const name = kind === "firmware" ? "fw_version" : "sw_version";
  const version = paras[name];
  // A device may tell one of its versions only.
  if (version === undefined || version === null || version === "") return { kind: "nothing" };
  return isVersion(version) ? toFact({ type: "version", version }) : refused(`${name} is no version`);
}

/**
 * Below 100 it is on its way. Without a progress, or with 100, it is the end: the version that it names must be the
 * target, which others check.
 */
function readProgress({ result_code: given, progress, version, description }: SystemEvent["paras"]): OtaReading {
  const code = toInteger(given);
  if (code === undefined || code < 0 || code > 255) return refused("result_code is no number from 0 to 255");
  if (version !== undefined && version !== null && version !== "" && !isVersion(version))
    return refused("version is no version");
  const reason = mqttResultText(code);
  if (reason !== undefined)
    return toFact({ type: "failed", code: String(code), reason: explained(reason, description) });
  if (progress !== undefined && progress !== null) {
    const share = toInteger(progress);
    if (share === undefined || share < 0 || share > 100) return refused("progress is no number from 0 to 100");
    if (share < 100) return toFact({ type: "downloading" });
    if (!isVersion(version)) return toFact({ type: "downloaded" });
  }
  return isVersion(version) ? toFact({ type: "succeeded", version }) : toFact({ type: "downloading" });
}

const toFact = (fact: DeviceFact): OtaReading => ({ kind: "fact", fact });
const refused = (reason: string): OtaReading => ({ kind: "refused", reason });
const isVersion = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= MAX_VERSION_CHARS && value.isWellFormed();
/** Some clients send numbers as texts. */
function toInteger(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d{1,5}$/.test(value) ? Number(value) : value;
  return Number.isInteger(number) ? (number as number) : undefined;
}
const MAX_DESCRIPTION_CHARS = 200;
const explained = (reason: string, description: unknown) =>
  typeof description === "string" && description !== ""
    ? `${reason}: ${description.slice(0, MAX_DESCRIPTION_CHARS).toWellFormed()}`
    : reason;
