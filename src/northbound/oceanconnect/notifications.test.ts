import { expect, test } from "bun:test";
import type { LiveDevice } from "../../capabilities/devices/device";
import type { Notification } from "../../capabilities/subscriptions/notification";
import { notificationRenderer } from "./notifications";
import { application, device, NOTIFIED_INFO, product } from "./testing/samples";

const live: LiveDevice = {
  no: device.no,
  id: device.id,
  appNo: device.appNo,
  appId: device.appId,
  nodeId: device.nodeId,
  gatewayNo: undefined,
  gatewayId: device.gatewayId,
  product: undefined,
  muted: false,
  isSecure: false,
  needsContact: false,
  storeHistory: true,
  pushEnabled: true,
  deleted: false,
};
const ids = { deviceId: "p1_node-1", gatewayId: "p1_node-1" };
const report = (serviceId: string, data: Record<string, unknown>, second: number) => ({
  serviceId,
  serviceType: `${serviceId}Type`,
  data,
  timestampMs: Date.UTC(2017, 2, 11, 16, 36, second) + 999,
});
const capability = {
  appId: "app-1",
  deviceType: "WaterMeter",
  manufacturerName: "Maker",
  manufacturerId: "M1",
  model: "W1",
  protocolType: "MQTT",
};
const answer = { requestId: "r1", deviceId: "d", serviceId: "Battery", to: "/users/u1" };
const upgrade = { deviceId: "d", appId: "app-1", operationId: "task-1", subOperationId: "sub-1" };
const versions = { curVersion: "1.3", targetVersion: "1.5", sourceVersion: "1.2" };
const timestampMs = Date.UTC(2015, 11, 12, 12, 12, 12);

const TABLE: [section: string, Notification, expected: unknown][] = [
  [
    "1.8.1, with the other spelling of an unknown node type",
    { type: "deviceAdded", device },
    { notifyType: "deviceAdded", ...ids, nodeType: "UNKNOWN", deviceInfo: NOTIFIED_INFO },
  ],
  [
    "1.8.1 of a gateway's sub-device",
    { type: "deviceAdded", device: { ...device, nodeType: "ENDPOINT", gatewayId: "gw" as typeof device.id } },
    { notifyType: "deviceAdded", ...ids, gatewayId: "gw", nodeType: "ENDPOINT", deviceInfo: NOTIFIED_INFO },
  ],
  [
    "1.8.2",
    { type: "bindDevice", device, result: "expired" },
    { notifyType: "bindDevice", deviceId: "p1_node-1", resultCode: "expired", deviceInfo: NOTIFIED_INFO },
  ],
  [
    "1.8.3",
    { type: "deviceInfoChanged", device: { ...device, status: "ONLINE", statusDetail: "NONE", muted: true } },
    {
      notifyType: "deviceInfoChanged",
      ...ids,
      deviceInfo: { ...NOTIFIED_INFO, status: "ONLINE", statusDetail: "NONE", mute: "TRUE" },
    },
  ],
  [
    "1.8.4",
    { type: "deviceDataChanged", device: live, requestId: 'r"1', reports: [report("Brightness", { a: ['"\n'] }, 57)] },
    {
      notifyType: "deviceDataChanged",
      requestId: 'r"1',
      ...ids,
      service: {
        serviceId: "Brightness",
        serviceType: "BrightnessType",
        data: { a: ['"\n'] },
        eventTime: "20170311T163657Z",
      },
    },
  ],
  [
    "1.8.5, with services",
    {
      type: "deviceDatasChanged",
      device: live,
      requestId: "r1",
      reports: [report("A", { x: 1 }, 57), report("B", {}, 58)],
    },
    {
      notifyType: "deviceDatasChanged",
      requestId: "r1",
      ...ids,
      services: [
        { serviceId: "A", serviceType: "AType", data: { x: 1 }, eventTime: "20170311T163657Z" },
        { serviceId: "B", serviceType: "BType", data: {}, eventTime: "20170311T163658Z" },
      ],
    },
  ],
  ...(["deviceCapabilitiesChanged", "deviceCapabilitiesAdded", "deviceCapabilitiesDeleted"] as const).map(
    (type): [string, Notification, unknown] => [
      `1.8.6-1.8.8 ${type}`,
      { type, application, product },
      { notifyType: type, ...capability },
    ],
  ),
  ["1.8.9", { type: "deviceDeleted", device }, { notifyType: "deviceDeleted", ...ids }],
  [
    "1.8.10",
    { type: "messageConfirm", ...answer, status: "delivered", timestampMs },
    {
      notifyType: "messageConfirm",
      header: {
        requestId: "r1",
        from: "/devices/d/services/Battery",
        to: "/users/u1",
        status: "delivered",
        timestamp: "20151212T121212Z",
      },
      body: {},
    },
  ],
  [
    "1.8.11",
    { type: "commandRsp", ...answer, serviceType: "BatteryType", method: "SET", body: { result: 0 } },
    {
      notifyType: "commandRsp",
      header: {
        requestId: "r1",
        from: "/devices/d/services/Battery",
        to: "/users/u1",
        deviceId: "d",
        serviceType: "BatteryType",
        method: "SET",
      },
      body: { result: 0 },
    },
  ],
  ...(["DELIVERED", "FAILED"] as const).map((status): [string, Notification, unknown] => [
    `1.8.14 ${status}`,
    {
      type: "deviceDesiredPropertiesModifyStatusChanged",
      deviceId: "d",
      serviceId: "Device",
      properties: { "Model Number": 1, "Firmware Version": "v1.1.0" },
      status,
    },
    {
      notifyType: "deviceDesiredPropertiesModifyStatusChanged",
      deviceId: "d",
      serviceId: "Device",
      properties: { "Model Number": 1, "Firmware Version": "v1.1.0" },
      status,
    },
  ]),
  ...(["idle", "downloading", "downloaded", "updating"] as const).flatMap(
    (state, step): [string, Notification, unknown][] => [
      [
        `1.8.15 ${state}`,
        { type: "swUpgradeStateChangeNotify", ...upgrade, state },
        { notifyType: "swUpgradeStateChangeNotify", ...upgrade, swUpgradeState: state },
      ],
      [
        `1.8.17 ${state}`,
        { type: "fwUpgradeStateChangeNotify", ...upgrade, state },
        { notifyType: "fwUpgradeStateChangeNotify", ...upgrade, step: String(step), stepDesc: state },
      ],
    ],
  ),
  [
    "1.8.16",
    {
      type: "swUpgradeResultNotify",
      ...{ ...upgrade, ...versions, result: "FAIL", resultDesc: "Download failed" },
      ...{ upgradeTimeMs: 61_400, errorCode: "3", description: "No room" },
    },
    {
      notifyType: "swUpgradeResultNotify",
      ...{ ...upgrade, ...versions, swUpgradeResult: "FAIL", upgradeTime: "61" },
      ...{ resultDesc: "Download failed", errorCode: "3", description: "No room" },
    },
  ],
  [
    "1.8.18",
    {
      type: "fwUpgradeResultNotify",
      ...{ ...upgrade, ...versions, result: "SUCCESS", resultDesc: "Success", upgradeTimeMs: 499 },
    },
    {
      notifyType: "fwUpgradeResultNotify",
      ...{ ...upgrade, ...versions, status: "SUCCESS", statusDesc: "Success", upgradeTime: "0" },
    },
  ],
  [
    "1.8.12, which has no notifyType",
    { type: "commandStatus", deviceId: "d", commandId: "c", resultCode: "SENT", resultDetail: undefined },
    { deviceId: "d", commandId: "c", result: { resultCode: "SENT", resultDetail: null } },
  ],
];

test.each(TABLE)("%s: field by field, in the order of its table", (_section, notification, expected) => {
  // Comparing the text compares the order of the fields too.
  expect(notificationRenderer()(notification)).toBe(JSON.stringify(expected));
});

test("the text of a second is not given to another second", () => {
  const render = notificationRenderer();
  const timeOf = (second: number) =>
    JSON.parse(render({ type: "deviceDataChanged", device: live, requestId: "r", reports: [report("A", {}, second)] }))
      .service.eventTime;
  expect([timeOf(1), timeOf(2), timeOf(1), timeOf(1)]).toEqual([
    "20170311T163601Z",
    "20170311T163602Z",
    "20170311T163601Z",
    "20170311T163601Z",
  ]);
});
