import type { Device } from "../devices/device";
import { type DeviceSelection, WALK_START, type WalkPosition } from "../devices/walk-devices";
import type { GroupService } from "../groups/group";
import type { NewItem } from "./item-repository";
import type { Targets, Task, TaskSpec } from "./task";

/** What batch tasks need to know of groups. */
export type BatchGroups = Pick<GroupService, "find" | "list" | "membersAfter">;
export type TargetDevices = {
  findById(deviceId: string): Device | undefined;
  findByNo(no: number): Device | undefined;
  walk(appNo: number, by: DeviceSelection, from: WalkPosition, untilMs: number, limit: number): Device[];
};

/** Where the walk over the targets of a task is, as it is stored. */
type Cursor =
  | { readonly at: number } // in a list of ids
  | { readonly after: WalkPosition }
  | { readonly group: number; readonly deviceNo: number };
export type FoundTargets = {
  readonly items: NewItem[];
  /** Undefined: there are no more. */
  readonly cursor: Cursor | undefined;
};

/**
 * The next sub-tasks of a task, at most `limit`; fewer, or none, is no sign of the end. Members of groups may come twice
 * when they move meanwhile.
 */
export function findTargets(parts: { readonly devices: TargetDevices; readonly groups: BatchGroups }) {
  const { devices, groups } = parts;

  return function next(task: Task, spec: Exclude<TaskSpec, { kind: "registration" }>, stored: unknown, limit: number) {
    const cursor = stored as Cursor | undefined; // written from here only
    const { targets, groupNos, groupTag } = spec;
    const isMeant = (device: Device) => groupTag === undefined || device.tags.some((it) => it.tagName === groupTag);
    switch (targets.type) {
      case "DeviceList":
        return fromList(task, targets.deviceIds, cursor && "at" in cursor ? cursor.at : 0, limit, isMeant);
      case "GroupList":
      case "GroupIdList":
        return fromGroups(task, groupNos, cursor && "group" in cursor ? cursor : FIRST_MEMBER, limit, isMeant);
      default:
        return fromWalk(task, targets, cursor && "after" in cursor ? cursor.after : WALK_START, limit, isMeant);
    }
  };

  /** Ids of no device, or of another application's, are sub-tasks too: they fail. */
  function fromList(
    { appNo }: Task,
    ids: readonly string[],
    at: number,
    limit: number,
    isMeant: (device: Device) => boolean,
  ): FoundTargets {
    const items = ids.slice(at, at + limit).flatMap((target): NewItem[] => {
      const found = devices.findById(target);
      const device = found?.appNo === appNo ? found : undefined;
      if (!device) return [{ target, deviceNo: undefined, deviceId: undefined }];
      return isMeant(device) ? [toItem(device)] : [];
    });
    return { items, cursor: at + limit < ids.length ? { at: at + limit } : undefined };
  }

  function fromGroups(
    { appNo }: Task,
    groupNos: readonly number[],
    { group, deviceNo }: { group: number; deviceNo: number },
    limit: number,
    isMeant: (device: Device) => boolean,
  ): FoundTargets {
    const groupNo = groupNos[group];
    if (groupNo === undefined) return { items: [], cursor: undefined };
    const members = groups.membersAfter(groupNo, deviceNo, limit);
    const items = members.flatMap((member): NewItem[] => {
      const device = devices.findByNo(member.deviceNo);
      return device && device.appNo === appNo && isMeant(device) ? [toItem(device)] : [];
    });
    const last = members.at(-1);
    const cursor = last ? { group, deviceNo: last.deviceNo } : { group: group + 1, deviceNo: 0 };
    return { items, cursor: cursor.group < groupNos.length ? cursor : undefined };
  }

  function fromWalk(
    { appNo, createdAt }: Task,
    targets: Extract<Targets, { type: "DeviceType" | "DeviceArea" | "Broadcast" }>,
    from: WalkPosition,
    limit: number,
    isMeant: (device: Device) => boolean,
  ): FoundTargets {
    const found = devices.walk(appNo, selectionOf(targets), from, createdAt, limit);
    const last = found.at(-1);
    return {
      items: found.filter((device) => isMeant(device) && isOfModel(device, targets)).map(toItem),
      cursor: last && { after: { createdAtMs: last.createdAt, no: last.no } },
    };
  }
}
const FIRST_MEMBER = { group: 0, deviceNo: 0 };

const toItem = ({ no, id }: Device): NewItem => ({ target: id, deviceNo: no, deviceId: id });

function selectionOf(targets: Extract<Targets, { type: "DeviceType" | "DeviceArea" | "Broadcast" }>): DeviceSelection {
  switch (targets.type) {
    case "DeviceType":
      return { by: "deviceType", deviceType: targets.deviceType };
    case "DeviceArea":
      return { by: "location", location: targets.location };
    case "Broadcast":
      return { by: "all" };
    default:
      return targets satisfies never;
  }
}

function isOfModel({ info }: Device, targets: Targets): boolean {
  if (targets.type !== "DeviceType") return true;
  const { manufacturerId, model } = targets;
  return (
    (manufacturerId === undefined || info.manufacturerId === manufacturerId) &&
    (model === undefined || info.model === model)
  );
}
