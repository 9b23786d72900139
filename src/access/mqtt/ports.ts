import type { LiveDevice } from "../../capabilities/devices/device";
import type { DeviceService } from "../../capabilities/devices/device-service";

/** What the listener needs of `devices`. */
export type MqttDevices = Pick<
  DeviceService,
  "loginByDeviceId" | "loginByNodeId" | "acquire" | "release" | "connected" | "disconnected" | "findSubDevice"
>;

/** What the listener needs of `commands`. */
export type MqttCommands = {
  /** A device answered a command. Resolves when the answer is stored, or refused for good because nobody waits for it. */
  answered(
    device: LiveDevice,
    mid: number,
    errcode: number,
    body: Readonly<Record<string, unknown>> | undefined,
  ): Promise<unknown>;
};
