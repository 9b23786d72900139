import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseRefusedError, type Migration, openDatabase, openForReading } from "./open-database";

const FIRST: Migration = { name: "0001-first", sql: "CREATE TABLE item (no INTEGER PRIMARY KEY) STRICT" };
const SECOND: Migration = { name: "0002-second", sql: "ALTER TABLE item ADD COLUMN name TEXT; CREATE TABLE more (x)" };
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "islet-open-"));
  path = join(folder, "test.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

const tables = (db: Database) =>
  db
    .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    .all()
    .map((it) => it.name);

test("a new file gets every migration, an older one what it lacks, once", () => {
  openDatabase(path, { migrations: [FIRST] }).close();
  const db = openDatabase(path, { migrations: [FIRST, SECOND] });
  expect(tables(db)).toEqual(["item", "migration", "more"]);
  db.close();
  openDatabase(path, { migrations: [FIRST, SECOND] }).close();
});

test("durable unless told otherwise, with a log beside the file", () => {
  const db = openDatabase(path, { migrations: [FIRST] });
  expect(db.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  expect(db.query("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
  const relaxed = openDatabase(path, { migrations: [FIRST], durability: "relaxed" });
  expect(relaxed.query("PRAGMA synchronous").get()).toEqual({ synchronous: 1 });
  relaxed.close();
  db.close();
});

test("a migration that fails leaves the ones before it and nothing of itself", () => {
  const broken: Migration = { name: "0002-broken", sql: "CREATE TABLE half (x); CREATE TABLE item (x)" };
  expect(() => openDatabase(path, { migrations: [FIRST, broken] })).toThrow(/already exists/);
  const db = openDatabase(path, { migrations: [FIRST, SECOND] });
  expect(tables(db)).toEqual(["item", "migration", "more"]);
  db.close();
});

const REFUSALS: [why: string, prepare: () => void, migrations: Migration[], message: RegExp][] = [
  ["is newer than this build", () => openDatabase(path, { migrations: [FIRST, SECOND] }).close(), [FIRST], /newer/],
  [
    "has a migration of another content",
    () => openDatabase(path, { migrations: [FIRST] }).close(),
    [{ ...FIRST, sql: `${FIRST.sql};` }, SECOND],
    /another migration history/,
  ],
  [
    "has its migrations in another order",
    () => openDatabase(path, { migrations: [FIRST, SECOND] }).close(),
    [SECOND, FIRST],
    /another migration history/,
  ],
  [
    "belongs to another program",
    () => {
      const db = new Database(path);
      db.run("CREATE TABLE theirs (x)");
      db.close();
    },
    [FIRST],
    /not one of Islet's/,
  ],
  [
    "is no database",
    () => writeFileSync(path, "just some text, long enough to be read as a header ".repeat(4)),
    [FIRST],
    /no database|not a database/,
  ],
];
test.each(REFUSALS)("a file that %s is refused and left as it was", (_why, prepare, migrations, message) => {
  prepare();
  const before = readFileSync(path);
  let error: unknown;
  try {
    openDatabase(path, { migrations }).close();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(DatabaseRefusedError);
  expect(`${error}`).toMatch(message);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("the reading connection sees commits and cannot write", () => {
  const db = openDatabase(path, { migrations: [FIRST] });
  const reads = openForReading(path);
  db.run("INSERT INTO item VALUES (7)");
  expect(reads.query("SELECT no FROM item").all()).toEqual([{ no: 7 }]);
  expect(() => reads.run("DELETE FROM item")).toThrow(/readonly/);
  reads.close();
  db.close();
});
