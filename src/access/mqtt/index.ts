export { type MqttAddress, type MqttListener, type MqttListenerOptions, startMqttListener } from "./listener";
export type { MqttCommands, MqttDevices } from "./ports";
export { MQTT_DEFAULTS, type MqttSettings } from "./settings";
