import type { ApplicationEvents, SecretCheck } from "../../capabilities/applications/application";
import type { CommandService } from "../../capabilities/commands/command";
import type { DeviceService } from "../../capabilities/devices/device-service";
import type { Listenable } from "../../platform/events";

/** What the listener needs of `devices`. */
export type MqttDevices = Pick<
  DeviceService,
  "loginByDeviceId" | "loginByNodeId" | "acquire" | "release" | "connected" | "disconnected" | "findSubDevice"
>;

/** What the listener needs of `applications`, for those that take their notifications by MQTT. */
export type MqttApplications = SecretCheck & {
  readonly events: Listenable<ApplicationEvents>;
  /** Their secrets may come over the port without TLS. */
  readonly allowsPlain: boolean;
};

/** What the listener needs of `commands`. */
export type MqttCommands = Pick<CommandService, "answered" | "delivered" | "connectionLost">;
