export { commandTopic, type DeviceCredentials, dataTopic, deviceLogin } from "./device-login";
export type { Address } from "./mqtt-connection";
export { type CommandAnswer, type DeviceCommand, type MqttDevice, startMqttDevice } from "./mqtt-device";
