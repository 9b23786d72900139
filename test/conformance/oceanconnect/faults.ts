import { Database } from "bun:sqlite";
import { join } from "node:path";

/** Of a nodeId, or the EUI of a LoRa device, that registry.db refuses to store (`refuseToStore`). */
export const UNSTORABLE = "fa017";

/** Other hands on the database while the process runs: what a damaged file or a full disk does, aimed at one thing. */
export function tamper(data: string, sql: string, ...values: string[]): void {
  using db = new Database(join(data, "registry.db"));
  db.run("PRAGMA busy_timeout = 5000");
  db.run(sql, values);
}

/** No row is taken, changed or deleted whose `column` has `UNSTORABLE` in it. */
export function refuseToStore(data: string, table: string, column: string): void {
  const bad = (row: "NEW" | "OLD") => `${row}.${column} LIKE '%${UNSTORABLE}%'`;
  refuse(data, `INSERT ON ${table}`, bad("NEW"));
  refuse(data, `UPDATE ON ${table}`, bad("NEW"));
  refuse(data, `DELETE ON ${table}`, bad("OLD"));
}

/** The row with this id can be neither changed nor deleted. */
export function freeze(data: string, table: string, id: string): void {
  for (const what of ["UPDATE", "DELETE"]) refuse(data, `${what} ON ${table}`, `OLD.id = '${id}'`);
}

let triggers = 0;
function refuse(data: string, what: string, when: string): void {
  const name = `fault_${++triggers}`;
  tamper(
    data,
    `CREATE TRIGGER ${name} BEFORE ${what} WHEN ${when} BEGIN SELECT RAISE(ABORT, 'a fault for the test'); END`,
  );
}

/** Until it is disposed, the table is not there. */
export function hide(data: string, table: string): Disposable {
  const rename = (from: string, to: string) => {
    using db = new Database(join(data, "registry.db"));
    db.run("PRAGMA busy_timeout = 5000");
    db.run("PRAGMA legacy_alter_table = ON"); // what refers to it stays as it is
    db.run(`ALTER TABLE ${from} RENAME TO ${to}`);
  };
  rename(table, `hidden_${table}`);
  return { [Symbol.dispose]: () => rename(`hidden_${table}`, table) };
}
