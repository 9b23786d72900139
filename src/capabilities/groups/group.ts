import type { AppId } from "../applications/application";
import type { DeviceId } from "../devices/device";

export type GroupId = string & { readonly brand: "GroupId" };
/** 1.11: letters and digits. */
export const GROUP_NAME = /^[A-Za-z0-9]{1,50}$/;

/** Devices of one application that are handled together. A device is in at most one group (platform.md 11). */
export type Group = {
  readonly no: number;
  readonly id: GroupId;
  readonly appNo: number;
  readonly appId: AppId;
  /** Undefined: a root. */
  readonly parentId: GroupId | undefined;
  readonly name: string; // unique in the application
  readonly description: string | undefined;
  readonly maxDevices: number; // 0: no limit
  /** Members of its own, not those of the groups below it. */
  readonly devices: number;
  /** Exists from the start in every application, stays a root and cannot be deleted. */
  readonly isDefault: boolean;
  /** Who made it: a name for people, of at most 50 characters. */
  readonly creator: string;
  readonly createdAt: number;
};

export type NewGroup = {
  readonly name: string;
  readonly description?: string | undefined;
  readonly maxDevices?: number | undefined; // default 0
  readonly parentId?: string | undefined;
  /** First members. */
  readonly deviceIds?: readonly string[] | undefined;
  readonly creator: string; // a longer one is cut
};
/** Only what is given changes. */
export type GroupPatch = {
  readonly name?: string | undefined;
  readonly description?: string | null | undefined; // null takes it away
  readonly maxDevices?: number | undefined;
  readonly parentId?: string | null | undefined; // null makes it a root
};
export type GroupFilter = {
  readonly name?: string | undefined;
  /** Below this group; null: roots. */
  readonly parentId?: string | null | undefined;
  /** Without the default group. */
  readonly createdOnly?: boolean | undefined;
};
export type GroupNode = Pick<Group, "id" | "name" | "description" | "maxDevices" | "devices" | "isDefault"> & {
  readonly children: readonly GroupNode[];
};
export type Member = { readonly deviceNo: number; readonly deviceId: DeviceId };

/**
 * All within one application: a group or a device of another one is not found. Changes are all or nothing, and on disk
 * when they resolve. Lists of device ids may repeat an id; more than `settings.maxIdsPerCall` are INPUT_INVALID.
 */
export interface GroupService {
  find(appNo: number, groupId: string): Group | undefined;
  /** Throws GROUP_NOT_FOUND. */
  get(appNo: number, groupId: string): Group;
  /** In any application: for operators. Throws GROUP_NOT_FOUND. */
  getById(groupId: string): Group;
  /** The oldest first. `page` counts from 0. */
  list(appNo: number, filter: GroupFilter, page: number, pageSize: number): { items: Group[]; total: number };
  /** All groups of the application as trees, siblings in the order of their creation. */
  topology(appNo: number): GroupNode[];
  /** The group that a device is in. */
  ofDevice(deviceNo: number): Group | undefined;

  /**
   * Throws GROUP_TOO_MANY_DEVICES (more first members than it may have, or than one call may name), DEVICE_NOT_FOUND,
   * GROUP_NOT_FOUND (the parent), GROUP_NAME_TAKEN, GROUP_LIMIT_REACHED, DEVICE_IN_OTHER_GROUP, GROUP_HIERARCHY_INVALID
   * (too deep). `deviceIds` are the members without repetitions.
   */
  create(appNo: number, input: NewGroup): Promise<{ group: Group; deviceIds: DeviceId[] }>;
  /**
   * Throws GROUP_NOT_FOUND (it, or the new parent), GROUP_NAME_TAKEN, GROUP_FULL (has more than the new maximum),
   * GROUP_HIERARCHY_INVALID (below itself, or too deep), GROUP_IS_DEFAULT (which stays a root).
   */
  change(appNo: number, groupId: string, patch: GroupPatch): Promise<Group>;
  /**
   * Its devices are in no group afterwards. `cascade`: the groups below go too; otherwise those directly below become
   * roots. Throws GROUP_NOT_FOUND, GROUP_IS_DEFAULT.
   */
  delete(appNo: number, groupId: string, options: { readonly cascade: boolean }): Promise<void>;

  /** In the order of registration. `page` counts from 0. Throws GROUP_NOT_FOUND. */
  members(appNo: number, groupId: string, page: number, pageSize: number): { items: Member[]; total: number };
  /** For work on large groups in steps: members with higher device numbers, ascending. Gone with its group: none. */
  membersAfter(groupNo: number, deviceNo: number, limit: number): Member[];
  /**
   * Devices that are in it already stay. The ids without repetitions.
   * Throws GROUP_NOT_FOUND, DEVICE_NOT_FOUND, DEVICE_IN_OTHER_GROUP, GROUP_FULL.
   */
  add(appNo: number, groupId: string, deviceIds: readonly string[]): Promise<DeviceId[]>;
  /** Throws GROUP_NOT_FOUND, DEVICE_NOT_FOUND, DEVICE_NOT_IN_GROUP. */
  remove(appNo: number, groupId: string, deviceIds: readonly string[]): Promise<void>;
  /** From one group to another. Throws GROUP_NOT_FOUND (either), DEVICE_NOT_FOUND, DEVICE_NOT_IN_GROUP, GROUP_FULL. */
  move(appNo: number, groupId: string, toGroupId: string, deviceIds: readonly string[]): Promise<DeviceId[]>;
}

export type GroupSettings = {
  /** Per application, the default group not counted; 0: no limit. */
  readonly maxGroups: number;
  /** Levels of a tree; a root is one. */
  readonly maxDepth: number;
  readonly maxIdsPerCall: number;
};
export const GROUP_DEFAULTS: GroupSettings = { maxGroups: 1_000, maxDepth: 16, maxIdsPerCall: 1_000 };
