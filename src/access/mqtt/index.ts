export {
  createMqttListener,
  type MqttAddress,
  type MqttAddresses,
  type MqttListener,
  type MqttListenerOptions,
  startMqttListener,
} from "./listener";
export type { MqttApplications, MqttCommands, MqttDevices } from "./ports";
export { MQTT_DEFAULTS, type MqttSettings } from "./settings";
