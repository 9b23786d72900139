import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ApplicationService } from "../applications/application";
import type { ManufacturerKey, PublicKeyService } from "./public-key";
import { KeyError, type PublicKey, parsePublicKey, type SignatureAlgorithm } from "./signature";

type Parts = {
  db: Database;
  transactor: Transactor;
  applications: Pick<ApplicationService, "get" | "byNo">;
  clock: Pick<Clock, "now">;
  maxPerApplication: number;
};

/** Keys go with their application, by the rules of the table. */
export function publicKeyService({
  db,
  transactor,
  applications,
  clock,
  maxPerApplication,
}: Parts): PublicKeyService & {
  find(appNo: number, manufacturerName: string): ManufacturerKey | undefined;
} {
  const repository = publicKeyRepository(db);
  return {
    async put(appId, manufacturerName, pem) {
      const { no: appNo } = applications.get(appId);
      const { algorithm, fingerprint, pem: clean } = parse(pem);
      const key: ManufacturerKey = {
        ...{ appNo, manufacturerName, pem: clean, algorithm, fingerprint, createdAt: clock.now() },
      };
      return transactor.write(() => {
        if (!applications.byNo(appNo)) throw new DomainError("APP_NOT_FOUND", { appId });
        repository.put(key);
        if (repository.count(appNo) > maxPerApplication)
          throw new DomainError("CONFLICT", { reason: `at most ${maxPerApplication} manufacturers have a key` });
        return key;
      });
    },
    list: (appId) => repository.list(applications.get(appId).no),
    async remove(appId, manufacturerName) {
      const { no } = applications.get(appId);
      await transactor.write(() => {
        if (!repository.remove(no, manufacturerName))
          throw new DomainError("PUBLIC_KEY_NOT_FOUND", { manufacturerName });
      });
    },
    find: repository.find,
  };
}

function parse(pem: string): PublicKey {
  try {
    return parsePublicKey(pem);
  } catch (error) {
    throw error instanceof KeyError ? new DomainError("PUBLIC_KEY_INVALID", { reason: error.message }) : error;
  }
}

type Row = {
  app_no: number;
  manufacturer_name: string;
  pem: string;
  algorithm: SignatureAlgorithm;
  fingerprint: string;
  created_at_ms: number;
};

function publicKeyRepository(db: Database) {
  const replace = db.query<null, Row>(
    `INSERT OR REPLACE INTO package_public_key (app_no, manufacturer_name, pem, algorithm, fingerprint, created_at_ms)
     VALUES ($app_no, $manufacturer_name, $pem, $algorithm, $fingerprint, $created_at_ms)`,
  );
  const selectOne = db.query<Row, [number, string]>(
    "SELECT * FROM package_public_key WHERE app_no = ? AND manufacturer_name = ?",
  );
  const selectOwn = db.query<Row, [number]>(
    "SELECT * FROM package_public_key WHERE app_no = ? ORDER BY manufacturer_name",
  );
  const countOwn = db.query<{ total: number }, [number]>(
    "SELECT COUNT(*) AS total FROM package_public_key WHERE app_no = ?",
  );
  const removeOne = db.query("DELETE FROM package_public_key WHERE app_no = ? AND manufacturer_name = ?");

  return {
    put: (key: ManufacturerKey) => void replace.run(toRow(key)),
    find(appNo: number, manufacturerName: string): ManufacturerKey | undefined {
      const row = selectOne.get(appNo, manufacturerName);
      return row ? toKey(row) : undefined;
    },
    list: (appNo: number) => selectOwn.all(appNo).map(toKey),
    count: (appNo: number) => countOwn.get(appNo)?.total ?? 0,
    remove: (appNo: number, manufacturerName: string) => removeOne.run(appNo, manufacturerName).changes > 0,
  };
}

const toKey = (row: Row): ManufacturerKey => ({
  appNo: row.app_no,
  manufacturerName: row.manufacturer_name,
  pem: row.pem,
  algorithm: row.algorithm,
  fingerprint: row.fingerprint,
  createdAt: row.created_at_ms,
});
const toRow = (key: ManufacturerKey): Row => ({
  app_no: key.appNo,
  manufacturer_name: key.manufacturerName,
  pem: key.pem,
  algorithm: key.algorithm,
  fingerprint: key.fingerprint,
  created_at_ms: key.createdAt,
});
