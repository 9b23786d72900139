import { DomainError, type DomainErrorCode } from "../../platform/domain-error";
import type { DeviceId } from "../devices/device";
import type { GroupSettings } from "./group";
import type { GroupRow } from "./group-repository";
import type { MemberRepository } from "./member-repository";

type Device = { readonly id: DeviceId; readonly no: number; readonly groupNo: number | null };
type Room = Pick<GroupRow, "no" | "max_devices" | "devices">;

/** An error names so many of the devices that are in the way. */
const TOLD = 10;

/** Who is in which group. All but `checkNumber`, `page` and `after` are for use inside a transaction. */
export function groupMembers({ repository, settings }: { repository: MemberRepository; settings: GroupSettings }) {
  function refuseAny(code: DomainErrorCode, refused: readonly { id: string }[]): void {
    if (refused.length === 0) return;
    throw new DomainError(code, { devices: refused.length, deviceIds: refused.slice(0, TOLD).map(({ id }) => id) });
  }

  function put(group: Room, newcomers: readonly Device[]): void {
    if (group.max_devices > 0 && group.devices + newcomers.length > group.max_devices)
      throw new DomainError("GROUP_FULL", { limit: group.max_devices, devices: group.devices });
    for (const { no } of newcomers) repository.put(group.no, no);
  }

  const idsOf = (devices: readonly Device[]) => devices.map(({ id }) => id);
  const outside = (group: Room, devices: readonly Device[]) => devices.filter(({ groupNo }) => groupNo !== group.no);

  return {
    /** Throws INPUT_INVALID. */
    checkNumber(deviceIds: readonly string[]): void {
      const { maxIdsPerCall } = settings;
      if (deviceIds.length <= maxIdsPerCall) return;
      const reason = `has more than ${maxIdsPerCall} ids`;
      throw new DomainError("INPUT_INVALID", { issues: [{ field: "deviceIds", reason }] });
    },

    /** Devices of the application, without repetitions. Throws DEVICE_NOT_FOUND. */
    resolve(appNo: number, deviceIds: readonly string[]): Device[] {
      const named = repository.named([...new Set(deviceIds)]);
      const devices = named.flatMap(({ id, no, app_no, group_no }) =>
        no !== null && app_no === appNo ? [{ id, no, groupNo: group_no }] : [],
      );
      const found = new Set<string>(idsOf(devices));
      if (found.size < named.length)
        refuseAny(
          "DEVICE_NOT_FOUND",
          named.filter(({ id }) => !found.has(id)),
        );
      return devices;
    },

    /** Throws DEVICE_IN_OTHER_GROUP, GROUP_FULL. */
    add(group: Room, devices: readonly Device[]): DeviceId[] {
      const newcomers = outside(group, devices);
      refuseAny(
        "DEVICE_IN_OTHER_GROUP",
        newcomers.filter(({ groupNo }) => groupNo !== null),
      );
      put(group, newcomers);
      return idsOf(devices);
    },

    /** Throws DEVICE_NOT_IN_GROUP. */
    remove(group: Room, devices: readonly Device[]): void {
      refuseAny("DEVICE_NOT_IN_GROUP", outside(group, devices));
      for (const { no } of devices) repository.remove(no);
    },

    /** Throws DEVICE_NOT_IN_GROUP, GROUP_FULL. */
    move(from: Room, to: Room, devices: readonly Device[]): DeviceId[] {
      refuseAny("DEVICE_NOT_IN_GROUP", outside(from, devices));
      put(to, outside(to, devices));
      return idsOf(devices);
    },

    page: repository.page,
    after: repository.after,
  };
}
