import type { CommandService } from "../../capabilities/commands/command";
import type { DeviceService } from "../../capabilities/devices/device-service";

/** What the listener needs of `devices`. */
export type MqttDevices = Pick<
  DeviceService,
  "loginByDeviceId" | "loginByNodeId" | "acquire" | "release" | "connected" | "disconnected" | "findSubDevice"
>;

/** What the listener needs of `commands`. */
export type MqttCommands = Pick<CommandService, "answered" | "delivered" | "connectionLost">;
