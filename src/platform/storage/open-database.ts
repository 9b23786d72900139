import { Database, SQLiteError } from "bun:sqlite";
import { createHash } from "node:crypto";

export type Migration = { readonly name: string; readonly sql: string };
/** `full`: what is acknowledged is on disk. `relaxed`: it survives a crash of the process, not of the machine. */
export type Durability = "full" | "relaxed";

/** The file is not one that this build may touch. It has been left exactly as it was. */
export class DatabaseRefusedError extends Error {
  override name = "DatabaseRefusedError";
}

type Options = { migrations: readonly Migration[]; durability?: Durability };

/**
 * Opens a database of ours in WAL mode and brings it to the newest migration.
 * Throws `DatabaseRefusedError` when the file was written by a newer build or its migration history differs.
 */
export function openDatabase(path: string, { migrations, durability = "full" }: Options): Database {
  if (path !== ":memory:") refuseUnknownHistory(path, migrations);
  const db = new Database(path, { create: true, strict: true });
  configure(db, durability);
  migrate(db, migrations);
  return db;
}

/** A second connection to a database that `openDatabase` has migrated; it cannot write. */
export function openForReading(path: string): Database {
  const db = new Database(path, { readonly: true, strict: true });
  db.run("PRAGMA busy_timeout = 5000");
  db.run("PRAGMA query_only = ON");
  return db;
}

/** A further writing connection, for the writer thread; does not migrate. */
export function openForWriting(path: string, durability: Durability): Database {
  const db = new Database(path, { strict: true });
  configure(db, durability);
  return db;
}

function configure(db: Database, durability: Durability): void {
  db.run("PRAGMA busy_timeout = 5000"); // first, so that switching to WAL can wait for a lock
  db.run("PRAGMA journal_mode = WAL");
  db.run(`PRAGMA synchronous = ${durability === "full" ? "FULL" : "NORMAL"}`);
  db.run("PRAGMA foreign_keys = ON");
}

const checksum = (sql: string) => createHash("sha256").update(sql).digest("hex");

/**
 * Looks at the history through a read-only connection, before anything could change the file.
 * Throws `DatabaseRefusedError`; a file that is not there is fine.
 */
export function refuseUnknownHistory(path: string, migrations: readonly Migration[]): void {
  let db: Database;
  try {
    db = new Database(path, { readonly: true, strict: true });
  } catch {
    return; // no file yet
  }
  try {
    const hasHistory = db.query("SELECT 1 FROM sqlite_master WHERE name = 'migration'").get() !== null;
    if (hasHistory) assertKnownHistory(path, readHistory(db), migrations);
    else if (db.query("SELECT 1 FROM sqlite_master LIMIT 1").get() !== null)
      throw new DatabaseRefusedError(`${path} is a SQLite database, but not one of Islet's`);
  } catch (error) {
    const isForeign = error instanceof SQLiteError && error.code === "SQLITE_NOTADB";
    throw isForeign ? new DatabaseRefusedError(`${path} is not a database`, { cause: error }) : error;
  } finally {
    db.close();
  }
}

type Applied = { name: string; checksum: string };
const readHistory = (db: Database) =>
  db.query<Applied, []>("SELECT name, checksum FROM migration ORDER BY position").all();

function assertKnownHistory(path: string, applied: readonly Applied[], migrations: readonly Migration[]): void {
  for (const [position, { name, checksum: sum }] of applied.entries()) {
    const ours = migrations[position];
    if (!ours) throw new DatabaseRefusedError(`${path} was written by a newer Islet: it has migration ${name}`);
    if (ours.name !== name || checksum(ours.sql) !== sum)
      throw new DatabaseRefusedError(
        `${path} has another migration history: ${name} at position ${position + 1}, this build has ${ours.name}`,
      );
  }
}

function migrate(db: Database, migrations: readonly Migration[]): void {
  db.run(
    "CREATE TABLE IF NOT EXISTS migration (position INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT",
  );
  const applied = readHistory(db).length;
  for (const [position, { name, sql }] of migrations.entries()) {
    if (position < applied) continue;
    db.transaction(() => {
      db.run(sql);
      db.run("INSERT INTO migration VALUES (?, ?, ?)", [position, name, checksum(sql)]);
    }).immediate();
  }
}
