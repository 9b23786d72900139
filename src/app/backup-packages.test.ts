import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepPackages } from "./backup-packages";

function folders() {
  const folder = mkdtempSync(join(tmpdir(), "islet-backup-"));
  mkdirSync(join(folder, "packages"));
  const registry = join(folder, "copy.db");
  const db = new Database(registry, { create: true });
  return { folder, registry, db, packages: join(folder, "packages"), kept: join(folder, "kept") };
}

test("the content of every package of the copy is kept, whatever becomes of it; the rest is not", () => {
  const { registry, db, packages, kept } = folders();
  db.run("CREATE TABLE upgrade_package (file_id TEXT)");
  db.run("INSERT INTO upgrade_package VALUES ('a'), ('b'), ('gone')");
  db.close();
  for (const name of ["a", "b", "orphan"]) writeFileSync(join(packages, name), `content of ${name}`);
  mkdirSync(join(packages, "incoming"));
  expect(keepPackages(registry, packages, kept)).toEqual(["gone"]);
  rmSync(join(packages, "a"));
  expect(readdirSync(kept).toSorted()).toEqual(["a", "b"]);
  expect(readFileSync(join(kept, "a"), "utf8")).toBe("content of a");
});

test("the data of an Islet that knew no packages are none", () => {
  const { registry, db, packages, kept } = folders();
  db.run("CREATE TABLE migration (name TEXT)");
  db.close();
  expect(keepPackages(registry, packages, kept)).toEqual([]);
});
