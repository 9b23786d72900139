export { DeviceListError } from "./device-list";
export { commandTopic, type DeviceCredentials, dataTopic, deviceLogin } from "./device-login";
export {
  FLEET_USAGE,
  type FleetArguments,
  FleetUsageError,
  parseFleetArguments,
  prepareFleet,
} from "./fleet-arguments";
export { createHistogram, type Histogram } from "./histogram";
export { type CommandAnswer, type DeviceCommand, type MqttClient, startMqttClient } from "./mqtt-client";
export type { Address } from "./mqtt-connection";
export { type MqttDevice, startMqttDevice } from "./mqtt-device";
export { type FleetOptions, type FleetResult, runMqttFleet } from "./mqtt-fleet";
export { type ApiAccess, RegistrationError, registerDevices } from "./register-devices";
export { DEFAULT_PAYLOAD } from "./report-template";
