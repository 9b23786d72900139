import type { Notification, RenderNotification, UpgradeState } from "../../capabilities/subscriptions/notification";
import type { AcceptedReport } from "../../capabilities/telemetry/report";
import { renderUtcTime } from "../../platform/utc-time";
import { toNotifiedInfo } from "./device-info";

/** Bodies of the notifications 1.8.1-1.8.12 and 1.8.14-1.8.18, fields in the order of the document's tables. */
export function notificationRenderer(): RenderNotification {
  // Reports come by the thousand with the same second: its text is made once. One entry, so it cannot grow.
  let knownSecond = Number.NaN;
  let knownText = "";
  const time = (ms: number): string => {
    const second = Math.floor(ms / 1_000);
    if (second !== knownSecond) {
      knownSecond = second;
      knownText = renderUtcTime(ms);
    }
    return knownText;
  };

  // The hot path of the push: pieces joined around the only value whose form is not known.
  const service = ({ serviceId, serviceType, data, timestampMs }: AcceptedReport): string =>
    `{"serviceId":${JSON.stringify(serviceId)},"serviceType":${JSON.stringify(serviceType)}` +
    `,"data":${JSON.stringify(data)},"eventTime":"${time(timestampMs)}"}`;

  return (notification) => {
    if (!("reports" in notification)) return JSON.stringify(toBody(notification, time));
    const { type, requestId, device, reports } = notification;
    const head =
      `{"notifyType":"${type}","requestId":${JSON.stringify(requestId)}` +
      `,"deviceId":${JSON.stringify(device.id)},"gatewayId":${JSON.stringify(device.gatewayId)}`;
    return type === "deviceDataChanged"
      ? `${head},"service":${service(reports[0] as AcceptedReport)}}`
      : `${head},"services":[${reports.map(service).join(",")}]}`;
  };
}

type Other = Exclude<Notification, { reports: unknown }>;

function toBody(notification: Other, time: (ms: number) => string): unknown {
  switch (notification.type) {
    case "deviceAdded": {
      const { id, gatewayId, nodeType } = notification.device;
      return {
        notifyType: notification.type,
        deviceId: id,
        gatewayId,
        nodeType: nodeType === "UNKNOW" ? "UNKNOWN" : nodeType, // spelt so here, and the other way in 1.6
        deviceInfo: toNotifiedInfo(notification.device),
      };
    }
    case "bindDevice":
      return {
        notifyType: notification.type,
        deviceId: notification.device.id,
        resultCode: notification.result,
        deviceInfo: toNotifiedInfo(notification.device),
      };
    case "deviceInfoChanged": {
      const { id, gatewayId } = notification.device;
      return {
        notifyType: notification.type,
        deviceId: id,
        gatewayId,
        deviceInfo: toNotifiedInfo(notification.device),
      };
    }
    case "deviceDeleted": {
      const { id, gatewayId } = notification.device;
      return { notifyType: notification.type, deviceId: id, gatewayId };
    }
    case "deviceCapabilitiesAdded":
    case "deviceCapabilitiesChanged":
    case "deviceCapabilitiesDeleted": {
      const { deviceType, manufacturerName, manufacturerId, model, protocolType } = notification.product;
      return {
        notifyType: notification.type,
        appId: notification.application.id,
        deviceType,
        manufacturerName,
        manufacturerId,
        model,
        protocolType,
      };
    }
    case "messageConfirm": {
      const { type, requestId, deviceId, serviceId, to, status, timestampMs } = notification;
      const header = { requestId, from: address(deviceId, serviceId), to, status, timestamp: time(timestampMs) };
      return { notifyType: type, header, body: {} };
    }
    case "commandRsp": {
      const { type, requestId, deviceId, serviceId, serviceType, to, method, body } = notification;
      const header = { requestId, from: address(deviceId, serviceId), to, deviceId, serviceType, method };
      return { notifyType: type, header, body: body ?? {} };
    }
    case "deviceDesiredPropertiesModifyStatusChanged": {
      const { type: notifyType, deviceId, serviceId, properties, status } = notification;
      return { notifyType, deviceId, serviceId, properties, status };
    }
    case "swUpgradeStateChangeNotify":
      return { ...upgradeOf(notification), swUpgradeState: notification.state };
    case "fwUpgradeStateChangeNotify":
      return { ...upgradeOf(notification), step: STEPS[notification.state], stepDesc: notification.state };
    case "swUpgradeResultNotify": {
      const { result: swUpgradeResult, resultDesc, errorCode, description } = notification;
      const upgradeTime = wholeSeconds(notification.upgradeTimeMs);
      return {
        ...upgradeOf(notification),
        ...versionsOf(notification),
        ...{ swUpgradeResult, upgradeTime, resultDesc, errorCode, description },
      };
    }
    case "fwUpgradeResultNotify": {
      const { result: status, resultDesc: statusDesc } = notification;
      const upgradeTime = wholeSeconds(notification.upgradeTimeMs);
      return { ...upgradeOf(notification), ...versionsOf(notification), status, statusDesc, upgradeTime };
    }
    case "commandStatus": {
      const { deviceId, commandId, resultCode, resultDetail } = notification;
      return { deviceId, commandId, result: { resultCode, resultDetail: resultDetail ?? null } };
    }
    default:
      return notification satisfies never;
  }
}

type Upgrade = Extract<Notification, { subOperationId: string }>;
type UpgradeResult = Extract<Upgrade, { sourceVersion: string }>;

const upgradeOf = ({ type: notifyType, deviceId, appId, operationId, subOperationId }: Upgrade) => ({
  ...{ notifyType, deviceId, appId, operationId, subOperationId },
});
const versionsOf = ({ curVersion, targetVersion, sourceVersion }: UpgradeResult) => ({
  ...{ curVersion, targetVersion, sourceVersion },
});
/** 1.8.17 has numbers for the states, as strings. */
const STEPS: Record<UpgradeState, string> = { idle: "0", downloading: "1", downloaded: "2", updating: "3" };
/** A String without a unit in the document; 1.8.16 and 1.8.18. */
const wholeSeconds = (ms: number) => String(Math.round(ms / 1_000));

const address = (deviceId: string, serviceId: string) => `/devices/${deviceId}/services/${serviceId}`;
