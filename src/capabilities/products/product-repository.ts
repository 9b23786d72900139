import { type Database, SQLiteError } from "bun:sqlite";
import { DomainError } from "../../platform/domain-error";
import type { AppId } from "../applications/application";
import type { Product, ProductId, ProtocolType } from "./product";

type Row = {
  no: number;
  id: ProductId;
  app_no: number;
  app_id: AppId;
  name: string;
  manufacturer_id: string;
  manufacturer_name: string;
  model: string;
  device_type: string;
  protocol_type: ProtocolType;
  om_capability: string | null;
  services: string;
  topics: string;
  created_at_ms: number;
};
type Inserted = Omit<Row, "no" | "app_id">;

const SELECT = "SELECT product.*, application.id AS app_id FROM product JOIN application ON application.no = app_no";

export function productRepository(db: Database) {
  const insert = db.query<{ no: number }, Inserted>(
    `INSERT INTO product (id, app_no, name, manufacturer_id, manufacturer_name, model, device_type, protocol_type,
       om_capability, services, topics, created_at_ms)
     VALUES ($id, $app_no, $name, $manufacturer_id, $manufacturer_name, $model, $device_type, $protocol_type,
       $om_capability, $services, $topics, $created_at_ms)
     RETURNING no`,
  );
  const selectByNo = db.query<Row, [number]>(`${SELECT} WHERE product.no = ?`);
  const numberOfId = db.query<{ no: number }, [string]>("SELECT no FROM product WHERE id = ?");
  const numberOfModel = db.query<{ no: number }, [number, string, string]>(
    "SELECT no FROM product WHERE app_no = ? AND manufacturer_id = ? AND model = ?",
  );
  const selectPage = db.query<Row, [number, number, number]>(
    `${SELECT} WHERE app_no = ? ORDER BY product.no LIMIT ? OFFSET ?`,
  );
  const countOf = db.query<{ total: number }, [number]>("SELECT COUNT(*) AS total FROM product WHERE app_no = ?");
  const setOm = db.query<null, [string | null, number]>("UPDATE product SET om_capability = ? WHERE no = ?");
  const setTopics = db.query<null, [string, number]>("UPDATE product SET topics = ? WHERE no = ?");
  const remove = db.query<null, [number]>("DELETE FROM product WHERE no = ?");

  const findByNo = (no: number): Product | undefined => {
    const row = selectByNo.get(no);
    return row ? toProduct(row) : undefined;
  };

  return {
    /** Throws PRODUCT_EXISTS when the application has this manufacturerId and model, APP_NOT_FOUND when it has gone. */
    add(product: Omit<Product, "no">): Product {
      try {
        const { no } = insert.get(toRow(product)) as { no: number };
        return { ...product, no };
      } catch (error) {
        const { manufacturerId, model, appId } = product;
        if (isConstraint(error, "SQLITE_CONSTRAINT_FOREIGNKEY")) throw new DomainError("APP_NOT_FOUND", { appId });
        if (!isConstraint(error, "SQLITE_CONSTRAINT_UNIQUE")) throw error;
        throw new DomainError("PRODUCT_EXISTS", { manufacturerId, model });
      }
    },
    findByNo,
    numberOfId: (id: string) => numberOfId.get(id)?.no,
    numberOfModel: (appNo: number, manufacturerId: string, model: string) =>
      numberOfModel.get(appNo, manufacturerId, model)?.no,
    page: (appNo: number, limit: number, offset: number) => selectPage.all(appNo, limit, offset).map(toProduct),
    count: (appNo: number) => countOf.get(appNo)?.total ?? 0,
    setOmCapability: (no: number, om: Product["omCapability"]) => void setOm.run(om ? JSON.stringify(om) : null, no),
    setTopics: (no: number, topics: Product["topics"]) => void setTopics.run(JSON.stringify(topics), no),
    /** Throws PRODUCT_IN_USE while devices refer to it. */
    remove({ no, id }: Product): void {
      try {
        remove.run(no);
      } catch (error) {
        if (isConstraint(error, "SQLITE_CONSTRAINT_FOREIGNKEY"))
          throw new DomainError("PRODUCT_IN_USE", { productId: id });
        throw error;
      }
    },
  };
}

const isConstraint = (error: unknown, code: string) => error instanceof SQLiteError && error.code === code;

const toRow = (product: Omit<Product, "no">): Inserted => ({
  id: product.id,
  app_no: product.appNo,
  name: product.name,
  manufacturer_id: product.manufacturerId,
  manufacturer_name: product.manufacturerName,
  model: product.model,
  device_type: product.deviceType,
  protocol_type: product.protocolType,
  om_capability: product.omCapability ? JSON.stringify(product.omCapability) : null,
  services: JSON.stringify(product.services),
  topics: JSON.stringify(product.topics),
  created_at_ms: product.createdAt,
});

/** JSON has no undefined: what the model leaves open is simply not there, and reads as undefined. */
const toProduct = (row: Row): Product => ({
  no: row.no,
  id: row.id,
  appNo: row.app_no,
  appId: row.app_id,
  name: row.name,
  manufacturerId: row.manufacturer_id,
  manufacturerName: row.manufacturer_name,
  model: row.model,
  deviceType: row.device_type,
  protocolType: row.protocol_type,
  omCapability: row.om_capability === null ? undefined : JSON.parse(row.om_capability),
  services: JSON.parse(row.services),
  topics: JSON.parse(row.topics),
  createdAt: row.created_at_ms,
});
