import type { AppId, Application } from "../../../capabilities/applications/application";
import type { Device, DeviceId } from "../../../capabilities/devices/device";
import type { Product, ProductId } from "../../../capabilities/products/product";

export const CREATED_AT = Date.UTC(2026, 0, 2, 3, 4, 5);

export const application: Application = {
  no: 7,
  id: "app-1" as AppId,
  name: "meters",
  description: undefined,
  industry: undefined,
  storeHistory: true,
  pushEnabled: true,
  signPushes: false,
  callsPerMinute: undefined,
  frozen: false,
  createdAt: CREATED_AT,
};
export const otherApplication: Application = { ...application, no: 8, id: "app-2" as AppId, name: "lamps" };

export const product: Product = {
  no: 3,
  id: "p1" as ProductId,
  appNo: application.no,
  appId: application.id,
  name: "Water meter",
  manufacturerId: "M1",
  manufacturerName: "Maker",
  model: "W1",
  deviceType: "WaterMeter",
  protocolType: "MQTT",
  omCapability: undefined,
  services: [
    {
      serviceId: "Battery",
      serviceType: "Battery",
      option: "Mandatory",
      description: "state of charge",
      properties: [
        {
          name: "level",
          dataType: "int",
          required: true,
          min: 0,
          max: 100,
          step: 0.5,
          maxLength: undefined,
          unit: "%",
          enumList: undefined,
          method: "RW",
        },
      ],
      commands: [
        {
          name: "SET",
          paras: [
            {
              name: "mode",
              dataType: "string",
              required: false,
              min: undefined,
              max: undefined,
              step: undefined,
              maxLength: 8,
              unit: undefined,
              enumList: ["ECO", "FULL"],
            },
          ],
          responses: [{ name: "SET_RSP", paras: [] }],
        },
      ],
    },
  ],
  topics: [],
  createdAt: CREATED_AT,
};

export const device: Device = {
  no: 11,
  id: "p1_node-1" as DeviceId,
  appNo: application.no,
  appId: application.id,
  productNo: product.no,
  productId: product.id,
  nodeId: "node-1",
  nodeType: "UNKNOW",
  gatewayNo: undefined,
  gatewayId: "p1_node-1" as DeviceId,
  info: { name: "Meter 1", manufacturerName: "Maker", deviceType: "WaterMeter", model: "W1", imsi: "46001" },
  status: "INACTIVE",
  statusDetail: "NOT_ACTIVE",
  muted: false,
  isSecure: true,
  tags: [],
  customFields: [],
  dataAgingDays: undefined,
  mutedCommands: { Battery: ["SET"] },
  activated: false,
  createdAt: CREATED_AT,
  modifiedAt: CREATED_AT + 60_000,
  expiresAt: undefined,
};

/** What the samples look like in `deviceInfo` of a notification. */
export const NOTIFIED_INFO = {
  nodeId: "node-1",
  name: "Meter 1",
  description: null,
  manufacturerId: null,
  manufacturerName: "Maker",
  mac: null,
  location: null,
  deviceType: "WaterMeter",
  model: "W1",
  swVersion: null,
  fwVersion: null,
  hwVersion: null,
  protocolType: null,
  bridgeId: null,
  status: "INACTIVE",
  statusDetail: "NOT_ACTIVE",
  mute: "FALSE",
  supportedSecurity: "TRUE",
  isSecurity: "TRUE",
  signalStrength: null,
  sigVersion: null,
  serialNumber: null,
  batteryLevel: null,
};
