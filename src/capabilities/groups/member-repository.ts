import type { Database } from "bun:sqlite";
import type { DeviceId } from "../devices/device";
import type { Member } from "./group";

/** What one of the ids of a call names. `no` null: no device. `group_no` null: in no group. */
export type Named = { id: DeviceId; no: number | null; app_no: number | null; group_no: number | null };

/** Rows of `device_group_member`. One whose group is gone counts as none (0014-groups.sql). */
export function memberRepository(db: Database) {
  // Each step of these joins is a look-up by a key.
  const named = db.query<Named, [string]>(
    `SELECT it.value AS id, device.no, device.app_no, device_group.no AS group_no
     FROM json_each(?) AS it
     LEFT JOIN device ON device.id = it.value
     LEFT JOIN device_group_member AS member ON member.device_no = device.no
     LEFT JOIN device_group ON device_group.no = member.group_no
     ORDER BY it.key`,
  );
  const put = db.query<null, [number, number]>(
    `INSERT INTO device_group_member (group_no, device_no) VALUES (?, ?)
     ON CONFLICT (device_no) DO UPDATE SET group_no = excluded.group_no`,
  );
  const remove = db.query<null, [number]>("DELETE FROM device_group_member WHERE device_no = ?");
  const page = db.query<Member, [number, number, number]>(
    `WITH wanted AS MATERIALIZED (
       SELECT device_no FROM device_group_member WHERE group_no = ? ORDER BY device_no LIMIT ? OFFSET ?)
     SELECT device.no AS deviceNo, device.id AS deviceId
     FROM wanted CROSS JOIN device ON device.no = wanted.device_no ORDER BY wanted.device_no`,
  );
  const after = db.query<Member, [number, number, number]>(
    `SELECT device.no AS deviceNo, device.id AS deviceId
     FROM device_group_member AS member CROSS JOIN device ON device.no = member.device_no
     WHERE member.group_no = ? AND member.device_no > ? ORDER BY member.device_no LIMIT ?`,
  );

  return {
    /** In the order of the ids. */
    named: (deviceIds: readonly string[]) => named.all(JSON.stringify(deviceIds)),
    /** Takes it out of the group that it is in. */
    put: (groupNo: number, deviceNo: number) => void put.run(groupNo, deviceNo),
    remove: (deviceNo: number) => void remove.run(deviceNo),
    page: (groupNo: number, limit: number, offset: number) => page.all(groupNo, limit, offset),
    after: (groupNo: number, deviceNo: number, limit: number) => after.all(groupNo, deviceNo, limit),
  };
}
export type MemberRepository = ReturnType<typeof memberRepository>;
