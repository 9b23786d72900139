export { FleetUsageError } from "./arguments";
export { CoapLoadError, type CoapLoadOptions, type CoapLoadResult, runCoapLoad } from "./coap-load";
export { DeviceListError } from "./device-list";
export { commandTopic, type DeviceCredentials, dataTopic, deviceLogin } from "./device-login";
export {
  FLEET_USAGE,
  type FleetArguments,
  parseFleetArguments,
  prepareFleet,
} from "./fleet-arguments";
export { type HandshakeLoadOptions, type HandshakeLoadResult, runHandshakeLoad } from "./handshake-load";
export { type AnswerRule, compileAnswer, compileReport, type ReportTemplate, TemplateError } from "./hex-template";
export { createHistogram, type Histogram } from "./histogram";
export { LWM2M_USAGE, type Lwm2mArguments, parseLwm2mArguments, prepareLwm2mFleet } from "./lwm2m-arguments";
export { type Lwm2mDevice, type Lwm2mDeviceSettings, startLwm2mDevice } from "./lwm2m-device";
export { type Lwm2mFleetOptions, type Lwm2mFleetResult, runLwm2mFleet } from "./lwm2m-fleet";
export { type CommandAnswer, type DeviceCommand, type MqttClient, startMqttClient } from "./mqtt-client";
export type { Address } from "./mqtt-connection";
export { type MqttDevice, startMqttDevice } from "./mqtt-device";
export { type FleetOptions, type FleetResult, runMqttFleet } from "./mqtt-fleet";
export {
  type ApiAccess,
  type NbCredentials,
  RegistrationError,
  registerDevices,
  registerNbDevices,
} from "./register-devices";
export { DEFAULT_PAYLOAD } from "./report-template";
export { SECURE_SETTINGS, type SecureSettings } from "./secure-channel";
export { udpNetwork } from "./udp-network";
