import type { Device } from "../../capabilities/devices/device";
import type { DeviceService } from "../../capabilities/devices/device-service";
import { DomainError } from "../../platform/domain-error";

/** Operators see the devices of all applications; applications reach only their own, through other methods. */
export type DeviceLookup = Pick<DeviceService, "findById">;

export function deviceOf(lookup: DeviceLookup, deviceId: string): Device {
  const device = lookup.findById(deviceId);
  if (!device) throw new DomainError("DEVICE_NOT_FOUND", { deviceId });
  return device;
}
