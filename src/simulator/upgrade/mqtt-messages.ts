/** The messages of an upgrade over MQTT (ota.md 8.3): between JSON and what the device's machine knows. */

export type UpgradeKind = "firmware" | "software";
export type UpgradeNotice = {
  readonly type: "upgrade";
  readonly kind: UpgradeKind;
  readonly version: string;
  readonly url: string;
  readonly token: string;
  /** Hex, of SHA-256; undefined: nothing to check with. */
  readonly sign: string | undefined;
};
export type UpgradeOrder = { readonly type: "versionQuery" } | UpgradeNotice;
export type UpgradeReport =
  | { readonly type: "version"; readonly firmware: string; readonly software: string }
  | {
      readonly type: "progress";
      readonly resultCode: number;
      readonly progress: number | undefined;
      readonly version: string;
      readonly description: string | undefined;
    };

const SERVICE = "$ota";
/** So many events of a message are looked at. */
const MAX_EVENTS = 100;

export const upgradeOrdersTopic = (deviceId: string) => `$oc/devices/${deviceId}/sys/events/down`;
export const upgradeReportsTopic = (deviceId: string) => `$oc/devices/${deviceId}/sys/events/up`;

/** What of it is for the upgrade; nothing for anything else, whatever it is. */
export function parseUpgradeOrders(payload: Uint8Array): UpgradeOrder[] {
  let message: unknown;
  try {
    message = JSON.parse(Buffer.from(payload).toString());
  } catch {
    return [];
  }
  const services = isRecord(message) && Array.isArray(message.services) ? message.services : [];
  return services.slice(0, MAX_EVENTS).flatMap((service: unknown) => {
    const order = isRecord(service) && service.service_id === SERVICE ? orderOf(service) : undefined;
    return order ? [order] : [];
  });
}

function orderOf({ event_type: type, paras }: Readonly<Record<string, unknown>>): UpgradeOrder | undefined {
  if (type === "version_query") return { type: "versionQuery" };
  if ((type !== "firmware_upgrade" && type !== "software_upgrade") || !isRecord(paras)) return undefined;
  const { version, url, access_token: token, sign } = paras;
  if (typeof version !== "string" || typeof url !== "string" || typeof token !== "string") return undefined;
  const kind = type === "firmware_upgrade" ? "firmware" : "software";
  return { type: "upgrade", kind, version, url, token, sign: typeof sign === "string" ? sign : undefined };
}

/** `nowMs`: of the clock on the wall. */
export function renderUpgradeReport(report: UpgradeReport, nowMs: number): string {
  const paras =
    report.type === "version"
      ? { fw_version: report.firmware, sw_version: report.software }
      : {
          result_code: report.resultCode,
          progress: report.progress,
          version: report.version,
          description: report.description,
        };
  const event_type = report.type === "version" ? "version_report" : "upgrade_progress_report";
  const event_time = `${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}`;
  return JSON.stringify({ services: [{ service_id: SERVICE, event_type, event_time, paras }] });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
