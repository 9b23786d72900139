import type { Clock } from "../../platform/clock";
import type { Device, DeviceInfo } from "./device";
import type { DeviceCore } from "./device-core";

/** What a device runs, as it has shown itself. Only inside a transaction. Throws DEVICE_NOT_FOUND. */
export const versionSetter =
  (core: DeviceCore, clock: Pick<Clock, "now">) =>
  (deviceNo: number, versions: Pick<DeviceInfo, "swVersion" | "fwVersion">): Device => {
    const row = core.row(deviceNo);
    const info = JSON.stringify({ ...JSON.parse(row.info), ...versions });
    core.repository.setInfo(deviceNo, info, clock.now());
    return core.changed(deviceNo);
  };
