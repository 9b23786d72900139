import type { Database } from "bun:sqlite";
import type { PushCertificate } from "./push-certificate";

type Row = {
  app_no: number;
  host_port: string;
  ca: string;
  check_common_name: number;
  common_name: string | null;
  sni: number;
  created_at_ms: number;
};

export function pushCertificateRepository(db: Database) {
  const selectAll = db.query<Row, []>("SELECT * FROM push_certificate");
  const selectOwn = db.query<Row, [number]>("SELECT * FROM push_certificate WHERE app_no = ? ORDER BY host_port");
  const replace = db.query<null, Row>(
    `INSERT OR REPLACE INTO push_certificate (app_no, host_port, ca, check_common_name, common_name, sni, created_at_ms)
     VALUES ($app_no, $host_port, $ca, $check_common_name, $common_name, $sni, $created_at_ms)`,
  );
  const removeOne = db.query("DELETE FROM push_certificate WHERE app_no = ? AND host_port = ?");
  const removeOwn = db.query("DELETE FROM push_certificate WHERE app_no = ?");

  return {
    all: (): PushCertificate[] => selectAll.all().map(toCertificate),
    /** By address. */
    list: (appNo: number): PushCertificate[] => selectOwn.all(appNo).map(toCertificate),
    put: (certificate: PushCertificate): void => void replace.run(toRow(certificate)),
    remove: (appNo: number, hostPort: string): boolean => removeOne.run(appNo, hostPort).changes > 0,
    removeAll: (appNo: number): void => void removeOwn.run(appNo),
  };
}

const toCertificate = (row: Row): PushCertificate => ({
  appNo: row.app_no,
  hostPort: row.host_port,
  ca: row.ca,
  checkCommonName: row.check_common_name === 1,
  commonName: row.common_name ?? undefined,
  sni: row.sni === 1,
  createdAt: row.created_at_ms,
});

const toRow = (certificate: PushCertificate): Row => ({
  app_no: certificate.appNo,
  host_port: certificate.hostPort,
  ca: certificate.ca,
  check_common_name: Number(certificate.checkCommonName),
  common_name: certificate.commonName ?? null,
  sni: Number(certificate.sni),
  created_at_ms: certificate.createdAt,
});
