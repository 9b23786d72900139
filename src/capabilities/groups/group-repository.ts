import { type Database, SQLiteError } from "bun:sqlite";
import { DomainError } from "../../platform/domain-error";
import type { AppId } from "../applications/application";
import type { Group, GroupId } from "./group";

export type GroupRow = {
  no: number;
  id: GroupId;
  app_no: number;
  app_id: AppId;
  parent_no: number | null;
  parent_id: GroupId | null;
  name: string;
  description: string | null;
  max_devices: number;
  devices: number;
  is_default: number;
  creator: string;
  created_at_ms: number;
};
type NewRow = Omit<GroupRow, "no" | "app_id" | "parent_id" | "devices" | "is_default">;
type Editable = Pick<GroupRow, "no" | "name" | "description" | "max_devices" | "parent_no">;
/** Undefined: any. `parentNo` null: roots. */
export type StoredFilter = { name?: string | undefined; parentNo?: number | null | undefined; createdOnly: boolean };

const SELECT = `SELECT device_group.*, (SELECT id FROM application WHERE no = device_group.app_no) AS app_id,
  (SELECT id FROM device_group AS parent WHERE parent.no = device_group.parent_no) AS parent_id FROM device_group`;

/** Rows of `device_group`. What they mean together is decided by whoever calls these inside a transaction. */
export function groupRepository(db: Database) {
  const insert = db.query<{ no: number }, NewRow>(
    `INSERT INTO device_group (id, app_no, parent_no, name, description, max_devices, is_default, creator, created_at_ms)
     VALUES ($id, $app_no, $parent_no, $name, $description, $max_devices, 0, $creator, $created_at_ms) RETURNING no`,
  );
  const update = db.query<null, Editable>(
    `UPDATE device_group SET name = $name, description = $description, max_devices = $max_devices, parent_no = $parent_no
     WHERE no = $no`,
  );
  const byNo = db.query<GroupRow, [number]>(`${SELECT} WHERE device_group.no = ?`);
  const byId = db.query<GroupRow, [string]>(`${SELECT} WHERE device_group.id = ?`);
  const ofApp = db.query<GroupRow, [number]>(`${SELECT} WHERE app_no = ? ORDER BY no`);
  const ofDevice = db.query<GroupRow, [number]>(
    `${SELECT} WHERE device_group.no = (SELECT group_no FROM device_group_member WHERE device_no = ?)`,
  );
  const countCreated = db.query<{ total: number }, [number]>(
    "SELECT COUNT(*) AS total FROM device_group WHERE app_no = ? AND is_default = 0",
  );
  const parentOf = db.query<{ parent_no: number | null }, [number]>("SELECT parent_no FROM device_group WHERE no = ?");
  const childrenOf = db.query<{ no: number }, [number]>("SELECT no FROM device_group WHERE parent_no = ? ORDER BY no");
  const freeChildren = db.query<null, [number]>("UPDATE device_group SET parent_no = NULL WHERE parent_no = ?");
  // One statement: that no group refers to a deleted one is looked at when it ends.
  const remove = db.query<null, [string]>("DELETE FROM device_group WHERE no IN (SELECT value FROM json_each(?))");

  return {
    /** Throws GROUP_NAME_TAKEN. */
    insert: (row: NewRow): number => named(row.name, () => insert.get(row)?.no ?? 0),
    /** Throws GROUP_NAME_TAKEN. */
    update: (row: Editable): void => named(row.name, () => void update.run(row)),
    findByNo: (no: number) => byNo.get(no) ?? undefined,
    findById: (id: string) => byId.get(id) ?? undefined,
    ofApp: (appNo: number) => ofApp.all(appNo),
    ofDevice: (deviceNo: number) => ofDevice.get(deviceNo) ?? undefined,
    countCreated: (appNo: number) => countCreated.get(appNo)?.total ?? 0,
    parentOf: (no: number) => parentOf.get(no)?.parent_no ?? undefined,
    childrenOf: (no: number) => childrenOf.all(no).map((row) => row.no),
    freeChildren: (no: number) => void freeChildren.run(no),
    remove: (nos: readonly number[]) => void remove.run(JSON.stringify(nos)),

    list(appNo: number, filter: StoredFilter, limit: number, offset: number): { rows: GroupRow[]; total: number } {
      const { where, bindings } = conditionsOf(appNo, filter);
      const rows = db
        .query<GroupRow, (string | number)[]>(`${SELECT} WHERE ${where} ORDER BY device_group.no LIMIT ? OFFSET ?`)
        .all(...bindings, limit, offset);
      const total = db
        .query<{ total: number }, (string | number)[]>(`SELECT COUNT(*) AS total FROM device_group WHERE ${where}`)
        .get(...bindings);
      return { rows, total: total?.total ?? 0 };
    },
  };
}
export type GroupRepository = ReturnType<typeof groupRepository>;

function conditionsOf(appNo: number, { name, parentNo, createdOnly }: StoredFilter) {
  const conditions: [sql: string, ...values: (string | number)[]][] = [["app_no = ?", appNo]];
  if (name !== undefined) conditions.push(["name = ?", name]);
  if (parentNo === null) conditions.push(["parent_no IS NULL"]);
  else if (parentNo !== undefined) conditions.push(["parent_no = ?", parentNo]);
  if (createdOnly) conditions.push(["is_default = 0"]);
  return {
    where: conditions.map(([sql]) => sql).join(" AND "),
    bindings: conditions.flatMap(([, ...values]) => values),
  };
}

function named<T>(name: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const taken = error instanceof SQLiteError && error.code === "SQLITE_CONSTRAINT_UNIQUE";
    throw taken ? new DomainError("GROUP_NAME_TAKEN", { name }) : error;
  }
}

export const toGroup = (row: GroupRow): Group => ({
  no: row.no,
  id: row.id,
  appNo: row.app_no,
  appId: row.app_id,
  parentId: row.parent_id ?? undefined,
  name: row.name,
  description: row.description ?? undefined,
  maxDevices: row.max_devices,
  devices: row.devices,
  isDefault: row.is_default === 1,
  creator: row.creator,
  createdAt: row.created_at_ms,
});
