import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Transactor } from "../../platform/storage/group-commit";
import { GROUP_DEFAULTS, type Group, type GroupId, type GroupService, type GroupSettings } from "./group";
import { groupMembers } from "./group-members";
import { type GroupRow, groupRepository, toGroup } from "./group-repository";
import { checkParent, subtree, toTrees } from "./hierarchy";
import { memberRepository } from "./member-repository";

type Parts = {
  /** `registry.db`. */
  db: Database;
  transactor: Transactor;
  ids: Ids;
  clock: Pick<Clock, "now">;
  settings?: Partial<GroupSettings>;
};

/** Members leave with their device, and groups with their application, by the rules of the tables. */
export function groupService({ db, transactor, ids, clock, settings: given }: Parts): GroupService {
  const settings: GroupSettings = { ...GROUP_DEFAULTS, ...given };
  const repository = groupRepository(db);
  const members = groupMembers({ repository: memberRepository(db), settings });
  const notFound = (groupId: string) => new DomainError("GROUP_NOT_FOUND", { groupId });

  function rowOf(appNo: number, groupId: string): GroupRow {
    const row = repository.findById(groupId);
    if (row?.app_no !== appNo) throw notFound(groupId);
    return row;
  }
  function read(no: number): Group {
    const row = repository.findByNo(no);
    if (!row) throw new Error(`group ${no} is gone inside the transaction that wrote it`);
    return toGroup(row);
  }
  const optional = (row: GroupRow | undefined) => row && toGroup(row);

  /** The number that `parent_no` becomes. */
  function parentFor(row: GroupRow, parentId: string | null | undefined): number | null {
    if (parentId === undefined || parentId === (row.parent_id ?? null)) return row.parent_no;
    if (row.is_default) throw new DomainError("GROUP_IS_DEFAULT", { reason: "the default group stays a root" });
    if (parentId === null) return null;
    const parent = rowOf(row.app_no, parentId);
    checkParent(row.no, parent.no, settings.maxDepth, repository);
    return parent.no;
  }

  return {
    find(appNo, groupId) {
      const row = repository.findById(groupId);
      return row?.app_no === appNo ? optional(row) : undefined;
    },
    get: (appNo, groupId) => toGroup(rowOf(appNo, groupId)),
    getById(groupId) {
      const row = repository.findById(groupId);
      if (!row) throw notFound(groupId);
      return toGroup(row);
    },
    list(appNo, { name, parentId, createdOnly = false }, page, pageSize) {
      const parentNo = typeof parentId === "string" ? rowOf(appNo, parentId).no : parentId;
      const { rows, total } = repository.list(appNo, { name, parentNo, createdOnly }, pageSize, page * pageSize);
      return { items: rows.map(toGroup), total };
    },
    topology: (appNo) => toTrees(repository.ofApp(appNo).map(toGroup)),
    ofDevice: (deviceNo) => optional(repository.ofDevice(deviceNo)),

    async create(appNo, { name, description, maxDevices = 0, parentId, deviceIds = [], creator }) {
      const wanted = new Set(deviceIds).size;
      const limit = maxDevices === 0 ? settings.maxIdsPerCall : Math.min(maxDevices, settings.maxIdsPerCall);
      if (wanted > limit) throw new DomainError("GROUP_TOO_MANY_DEVICES", { deviceIds: wanted, limit });
      return transactor.write(() => {
        const devices = members.resolve(appNo, deviceIds);
        const parent = parentId === undefined ? undefined : rowOf(appNo, parentId);
        if (parent) checkParent(undefined, parent.no, settings.maxDepth, repository);
        // The name first: it is wrong whatever becomes of the number of groups.
        const no = repository.insert({
          id: ids.next() as GroupId,
          app_no: appNo,
          parent_no: parent?.no ?? null,
          name,
          description: description ?? null,
          max_devices: maxDevices,
          creator: cut(creator),
          created_at_ms: clock.now(),
        });
        const { maxGroups } = settings;
        if (maxGroups > 0 && repository.countCreated(appNo) > maxGroups)
          throw new DomainError("GROUP_LIMIT_REACHED", { limit: maxGroups });
        const added = members.add({ no, max_devices: maxDevices, devices: 0 }, devices);
        return { group: read(no), deviceIds: added };
      });
    },

    change: (appNo, groupId, patch) =>
      transactor.write(() => {
        const row = rowOf(appNo, groupId);
        const { name = row.name, description = row.description, maxDevices = row.max_devices } = patch;
        const parentNo = parentFor(row, patch.parentId);
        repository.update({ no: row.no, name, description, max_devices: maxDevices, parent_no: parentNo });
        if (maxDevices > 0 && row.devices > maxDevices)
          throw new DomainError("GROUP_FULL", { limit: maxDevices, devices: row.devices });
        return read(row.no);
      }),

    delete: (appNo, groupId, { cascade }) =>
      transactor.write(() => {
        const row = rowOf(appNo, groupId);
        if (row.is_default)
          throw new DomainError("GROUP_IS_DEFAULT", { reason: "the default group cannot be deleted" });
        if (!cascade) repository.freeChildren(row.no);
        repository.remove(subtree(row.no, repository));
      }),

    members(appNo, groupId, page, pageSize) {
      const { no, devices } = rowOf(appNo, groupId);
      return { items: members.page(no, pageSize, page * pageSize), total: devices };
    },
    membersAfter(groupNo, deviceNo, limit) {
      return repository.findByNo(groupNo) ? members.after(groupNo, deviceNo, limit) : [];
    },
    async add(appNo, groupId, deviceIds) {
      members.checkNumber(deviceIds);
      return transactor.write(() => {
        const group = rowOf(appNo, groupId);
        return members.add(group, members.resolve(appNo, deviceIds));
      });
    },
    async remove(appNo, groupId, deviceIds) {
      members.checkNumber(deviceIds);
      return transactor.write(() => {
        const group = rowOf(appNo, groupId);
        members.remove(group, members.resolve(appNo, deviceIds));
      });
    },
    async move(appNo, groupId, toGroupId, deviceIds) {
      members.checkNumber(deviceIds);
      return transactor.write(() => {
        const from = rowOf(appNo, groupId);
        const to = rowOf(appNo, toGroupId);
        return members.move(from, to, members.resolve(appNo, deviceIds));
      });
    },
  };
}

const MAX_CREATOR = 50; // 1.11.4, 1.11.5

/** Not through the middle of a character. */
function cut(creator: string): string {
  const short = creator.slice(0, MAX_CREATOR);
  return short.isWellFormed() ? short : short.slice(0, -1);
}
