import { expect } from "bun:test";

type Property = {
  readonly name: string;
  readonly dataType?: string;
  readonly method?: string;
  readonly maxLength?: number;
  readonly enumList?: readonly string[];
};
type Service = {
  readonly id: string;
  readonly properties?: readonly Property[];
  readonly commands?: readonly string[];
};

/** A product as the management API takes it. Properties are numbers from 0 to 100 that can be read and written, unless they say more. */
export const product = (
  model: string,
  protocolType: "MQTT" | "CoAP" | "LWM2M" | "LoRaWAN",
  services: readonly Service[],
  deviceType = "Sensor",
) => ({
  devicetype: {
    devices: [
      {
        ...{ manufacturerId: "ACME", manufacturerName: "Acme", model, protocolType, deviceType, omCapability: null },
        serviceTypeCapabilities: services.map(({ id }) => ({ serviceId: id, serviceType: id, option: "Mandatory" })),
      },
    ],
  },
  servicetypes: services.map(({ id, properties = [], commands = [] }) => ({
    services: [
      {
        ...{ serviceType: id, description: `what ${id} does` },
        properties: properties.map(({ name, dataType = "int", method = "RW", ...more }) => ({
          ...{ propertyName: name, dataType, method, ...more },
          ...(dataType === "int" ? { min: 0, max: 100 } : {}),
        })),
        commands: commands.map((commandName) => ({ commandName, paras: [], responses: [] })),
      },
    ],
  })),
});

export const PATHS = {
  byCode: "/iocm/app/reg/v1.1.0/deviceCredentials",
  byPassword: "/iocm/app/reg/v2.0.0/deviceCredentials",
  devices: "/iocm/app/dm/v1.4.0/devices",
  shadow: "/iocm/app/shadow/v1.5.0/devices",
};

export const UTC = expect.stringMatching(/^\d{8}T\d{6}Z$/);

/** `deviceInfo` of 1.5.9, and of 1.6 without what that adds: nothing is known, nothing is set. */
export const DEVICE_INFO = {
  ...{ nodeId: null, name: null, description: null, manufacturerId: null, manufacturerName: null, mac: null },
  ...{ location: null, deviceType: null, model: null, swVersion: null, fwVersion: null, hwVersion: null },
  ...{ protocolType: null, bridgeId: null, status: "INACTIVE", statusDetail: "NOT_ACTIVE", mute: "FALSE" },
  ...{ supportedSecurity: "FALSE", isSecurity: "FALSE", signalStrength: null, sigVersion: null, serialNumber: null },
  batteryLevel: null,
};
