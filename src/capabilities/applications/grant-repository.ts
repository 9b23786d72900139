import type { Database } from "bun:sqlite";
import type { Access } from "./application-grants";

export type GrantRow = { owner_no: number; grantee_no: number; access: Access; created_ms: number };

/** Rows of `application_grant` in registry.db. */
export function grantRepository(db: Database) {
  const selectAll = db.query<GrantRow, []>("SELECT * FROM application_grant");
  const selectOne = db.query<GrantRow, [number, number]>(
    "SELECT * FROM application_grant WHERE owner_no = ? AND grantee_no = ?",
  );
  const put = db.query<GrantRow, GrantRow>(
    `INSERT INTO application_grant (owner_no, grantee_no, access, created_ms)
     VALUES ($owner_no, $grantee_no, $access, $created_ms)
     ON CONFLICT (owner_no, grantee_no) DO UPDATE SET access = excluded.access RETURNING *`,
  );
  const remove = db.query<null, [number, number]>(
    "DELETE FROM application_grant WHERE owner_no = ? AND grantee_no = ?",
  );
  const pages = { owner_no: pageBy(db, "owner_no", "grantee_no"), grantee_no: pageBy(db, "grantee_no", "owner_no") };

  return {
    all: (): GrantRow[] => selectAll.all(),
    find: (ownerNo: number, granteeNo: number): GrantRow | undefined => selectOne.get(ownerNo, granteeNo) ?? undefined,
    /** The time of creation stays. */
    put(row: GrantRow): GrantRow {
      const stored = put.get(row);
      if (!stored) throw new Error("INSERT … RETURNING gave no row");
      return stored;
    },
    /** False when there was none. */
    remove: (ownerNo: number, granteeNo: number): boolean => remove.run(ownerNo, granteeNo).changes > 0,
    page: (by: "owner_no" | "grantee_no", no: number, limit: number, offset: number) => pages[by](no, limit, offset),
  };
}
export type GrantRepository = ReturnType<typeof grantRepository>;

function pageBy(db: Database, by: string, other: string) {
  const select = db.query<GrantRow, [number, number, number]>(
    `SELECT * FROM application_grant WHERE ${by} = ? ORDER BY created_ms, ${other} LIMIT ? OFFSET ?`,
  );
  const count = db.query<{ total: number }, [number]>(
    `SELECT count(*) AS total FROM application_grant WHERE ${by} = ?`,
  );
  return (no: number, limit: number, offset: number) => ({
    rows: select.all(no, limit, offset),
    total: count.get(no)?.total ?? 0,
  });
}
