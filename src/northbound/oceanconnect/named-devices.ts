import type { Application } from "../../capabilities/applications/application";
import type { Device } from "../../capabilities/devices/device";
import type { DeviceService } from "../../capabilities/devices/device-service";
import { DomainError } from "../../platform/domain-error";

export type NamedDevicesPorts = {
  readonly devices: Pick<DeviceService, "get" | "behindGateway">;
  /** A query by gatewayId looks through so many devices, and asks for a narrower query beyond. */
  readonly maxHistoryDevices: number;
};

/**
 * What a history query is about: the device, or the gateway with the devices behind it; both: the device, which must be
 * behind that gateway. Throws DEVICE_OR_GATEWAY_MISSING, DEVICE_NOT_FOUND, RESULT_TOO_LARGE.
 */
export function namedDevices(
  { devices, maxHistoryDevices }: NamedDevicesPorts,
  { id }: Application,
  { deviceId, gatewayId }: { readonly deviceId?: string | undefined; readonly gatewayId?: string | undefined },
): Device[] {
  if (deviceId !== undefined) {
    const device = devices.get(id, deviceId);
    if (gatewayId !== undefined && device.gatewayId !== gatewayId) throw new DomainError("DEVICE_NOT_FOUND");
    return [device];
  }
  if (gatewayId === undefined) throw new DomainError("DEVICE_OR_GATEWAY_MISSING");
  const found = devices.behindGateway(id, gatewayId, maxHistoryDevices + 1);
  if (found.length === 0) throw new DomainError("DEVICE_NOT_FOUND");
  if (found.length > maxHistoryDevices) {
    throw new DomainError("RESULT_TOO_LARGE", { limit: maxHistoryDevices, narrowBy: ["deviceId"] });
  }
  return found;
}
