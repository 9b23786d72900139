import { Database } from "bun:sqlite";

/**
 * Copies the one device that there is in `registry.db`, until there are `wanted`; the copies have the numbers 2 and up, and
 * `-NUMBER` behind its deviceId and nodeId. Its secret comes along, sealed; nobody logs in with it.
 * `own`: SQL of further columns that are not copied, with the number as `i`.
 */
export function multiplyDevice(path: string, wanted: number, own: Readonly<Record<string, string>> = {}): void {
  const db = new Database(path, { strict: true });
  const made = new Map([
    ["no", "i"],
    ["gateway_no", "i"],
    ["id", "id || '-' || i"],
    ["node_id", "node_id || '-' || i"],
    ["verify_key", "NULL"],
    ...Object.entries(own),
  ]);
  const columns = db.query<{ name: string }, []>("SELECT name FROM pragma_table_info('device')").all();
  const names = columns.map(({ name }) => name);
  const values = names.map((name) => made.get(name) ?? name);
  db.run(
    `INSERT INTO device (${names.join(", ")})
     WITH RECURSIVE number (i) AS (SELECT max(no) + 1 FROM device UNION ALL SELECT i + 1 FROM number LIMIT ${wanted - 1})
     SELECT ${values.join(", ")} FROM number, (SELECT * FROM device LIMIT 1)`,
  );
  db.close();
}
