import { type Database, SQLiteError } from "bun:sqlite";
import { DomainError } from "../../platform/domain-error";
import type { AppId } from "../applications/application";
import type { PackageFilter, PackageId, PackageKind, UpgradePackage } from "./package";

type Row = {
  no: number;
  file_id: PackageId;
  app_no: number;
  app_id: AppId;
  kind: PackageKind;
  name: string;
  version: string;
  device_type: string;
  manufacturer_name: string;
  model: string;
  protocol_type: UpgradePackage["protocolType"];
  source_versions: string;
  shard_size: number;
  check_code: number;
  file_name: string;
  size: number;
  sha256: string;
  description: string | null;
  date: string | null;
  uploaded_at_ms: number;
};
type Inserted = Omit<Row, "no" | "app_id">;
/** Of a product, as packages name it. */
export type ProductNames = Pick<UpgradePackage, "manufacturerName" | "deviceType" | "model">;

const COLUMNS = {
  appNo: "app_no",
  kind: "kind",
  name: "upgrade_package.name",
  deviceType: "device_type",
  manufacturerName: "manufacturer_name",
  model: "model",
  version: "version",
  protocolType: "protocol_type",
} as const satisfies Record<keyof PackageFilter, string>;
const FROM = "FROM upgrade_package JOIN application ON application.no = app_no";
const SELECT = `SELECT upgrade_package.*, application.id AS app_id ${FROM}`;

export function packageRepository(db: Database) {
  const insert = db.query<{ no: number }, Inserted>(
    `INSERT INTO upgrade_package (file_id, app_no, kind, name, version, device_type, manufacturer_name, model,
       protocol_type, source_versions, shard_size, check_code, file_name, size, sha256, description, date, uploaded_at_ms)
     VALUES ($file_id, $app_no, $kind, $name, $version, $device_type, $manufacturer_name, $model,
       $protocol_type, $source_versions, $shard_size, $check_code, $file_name, $size, $sha256, $description, $date,
       $uploaded_at_ms)
     RETURNING no`,
  );
  const byId = db.query<Row, [string]>(`${SELECT} WHERE file_id = ?`);
  const byNo = db.query<Row, [number]>(`${SELECT} WHERE upgrade_package.no = ?`);
  const ofApp = db.query<{ no: number; file_id: PackageId }, [number]>(
    "SELECT no, file_id FROM upgrade_package WHERE app_no = ?",
  );
  const files = db.query<{ file_id: PackageId; size: number }, []>("SELECT file_id, size FROM upgrade_package");
  const removeOne = db.query<null, [number]>("DELETE FROM upgrade_package WHERE no = ?");
  // The three names are no key of products: manufacturers may share a name.
  const products = db.query<{ protocol_type: string; device_type: string; model: string }, [number, string]>(
    "SELECT protocol_type, device_type, model FROM product WHERE app_no = ? AND manufacturer_name = ?",
  );

  const optional = (row: Row | null) => (row ? toPackage(row) : undefined);
  const listed = (select: string, filter: PackageFilter, end: string, extra: number[]) => {
    const given = Object.entries(filter).filter(([, value]) => value !== undefined) as [keyof PackageFilter, string][];
    const where = given.map(([key]) => `${COLUMNS[key]} = ?`).join(" AND ");
    return db
      .query<Row & { total: number }, (string | number)[]>(`${select} ${where && `WHERE ${where}`} ${end}`)
      .all(...given.map(([, value]) => value), ...extra);
  };

  return {
    /** Throws PACKAGE_EXISTS, APP_NOT_FOUND when the application has gone. */
    insert(it: Omit<UpgradePackage, "no">): UpgradePackage {
      try {
        const { no } = insert.get(toRow(it)) as { no: number };
        return { no, ...it };
      } catch (error) {
        if (!(error instanceof SQLiteError)) throw error;
        if (error.code === "SQLITE_CONSTRAINT_FOREIGNKEY") throw new DomainError("APP_NOT_FOUND", { appId: it.appId });
        throw error.code === "SQLITE_CONSTRAINT_UNIQUE" ? exists(it) : error;
      }
    },
    findById: (fileId: string) => optional(byId.get(fileId)),
    findByNo: (no: number) => optional(byNo.get(no)),
    /** The newest first. */
    list: (filter: PackageFilter, limit: number, offset: number): UpgradePackage[] =>
      listed(SELECT, filter, "ORDER BY upgrade_package.no DESC LIMIT ? OFFSET ?", [limit, offset]).map(toPackage),
    count: (filter: PackageFilter): number => listed(`SELECT COUNT(*) AS total ${FROM}`, filter, "", [])[0]?.total ?? 0,
    ofApp: (appNo: number) => ofApp.all(appNo),
    files: () => files.all(),
    remove: (no: number) => void removeOne.run(no),
    productsOf: (appNo: number, manufacturerName: string) => products.all(appNo, manufacturerName),
  };
}
export type PackageRepository = ReturnType<typeof packageRepository>;

export const exists = ({ kind, version, manufacturerName, deviceType, model }: Omit<UpgradePackage, "no" | "fileId">) =>
  new DomainError("PACKAGE_EXISTS", { kind, version, manufacturerName, deviceType, model });

const toPackage = (row: Row): UpgradePackage => ({
  no: row.no,
  fileId: row.file_id,
  appNo: row.app_no,
  appId: row.app_id,
  kind: row.kind,
  name: row.name,
  version: row.version,
  deviceType: row.device_type,
  manufacturerName: row.manufacturer_name,
  model: row.model,
  protocolType: row.protocol_type,
  sourceVersions: JSON.parse(row.source_versions),
  shardSize: row.shard_size,
  checkCode: row.check_code,
  fileName: row.file_name,
  size: row.size,
  sha256: row.sha256,
  description: row.description ?? undefined,
  date: row.date ?? undefined,
  uploadedAt: row.uploaded_at_ms,
});

const toRow = (it: Omit<UpgradePackage, "no">): Inserted => ({
  file_id: it.fileId,
  app_no: it.appNo,
  kind: it.kind,
  name: it.name,
  version: it.version,
  device_type: it.deviceType,
  manufacturer_name: it.manufacturerName,
  model: it.model,
  protocol_type: it.protocolType,
  source_versions: JSON.stringify(it.sourceVersions),
  shard_size: it.shardSize,
  check_code: it.checkCode,
  file_name: it.fileName,
  size: it.size,
  sha256: it.sha256,
  description: it.description ?? null,
  date: it.date ?? null,
  uploaded_at_ms: it.uploadedAt,
});
