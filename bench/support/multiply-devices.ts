import { Database } from "bun:sqlite";
import { join } from "node:path";

/**
 * Copies the one device of a stopped server's folder until there are `wanted`: of the device `X` they are `X-2` to `X-N`.
 * Its secret comes along, sealed; nobody logs in with it.
 */
export function multiplyDevices(folder: string, wanted: number): void {
  const db = new Database(join(folder, "registry.db"), { strict: true });
  const own = new Map([
    ["no", "i"],
    ["gateway_no", "i"],
    ["id", "id || '-' || i"],
    ["node_id", "node_id || '-' || i"],
    ["verify_key", "NULL"],
  ]);
  const columns = db.query<{ name: string }, []>("SELECT name FROM pragma_table_info('device')").all();
  const names = columns.map(({ name }) => name);
  const values = names.map((name) => own.get(name) ?? name);
  db.run(
    `INSERT INTO device (${names.join(", ")})
     WITH RECURSIVE number (i) AS (SELECT max(no) + 1 FROM device UNION ALL SELECT i + 1 FROM number LIMIT ${wanted - 1})
     SELECT ${values.join(", ")} FROM number, (SELECT * FROM device LIMIT 1)`,
  );
  db.close();
}
