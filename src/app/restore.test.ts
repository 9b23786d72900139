import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { completeRestore } from "./restore";

const OLD = ["registry.db", "registry.db-wal", "telemetry.db", "master.key", "tls/ca.pem", "packages/old.zip"];
const NEW = ["registry.db", "telemetry.db", "master.key", "tls/ca.pem"];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "islet-restore-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fill(names: readonly string[], content: string, below = ""): void {
  for (const sub of ["", "tls", "packages"]) mkdirSync(join(folder, below, sub), { recursive: true });
  for (const name of names) writeFileSync(join(folder, below, name), content);
}
function pend(): void {
  fill(NEW, "new", ".restore-1");
  writeFileSync(join(folder, "restore.pending"), JSON.stringify({ staging: ".restore-1", kept: "before-restore-1" }));
}
const files = (below = "") =>
  readdirSync(join(folder, below), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, below).length + 1))
    .sort();

test("an interrupted restore ends as if it had not been, whichever move it was cut off at", () => {
  let interrupted = 0;
  for (let moves = 0; ; moves++) {
    rmSync(folder, { recursive: true });
    fill(OLD, "old");
    pend();
    let left = moves;
    const cutOff = () =>
      completeRestore({ folder }, (from, to) => {
        if (left-- === 0) throw new Error("killed");
        renameSync(from, to);
      });
    try {
      cutOff();
    } catch {
      interrupted++;
      expect(completeRestore({ folder })).toEqual({ kept: join(folder, "before-restore-1") });
    }
    expect(files()).toEqual([...NEW, ...OLD.map((name) => `before-restore-1/${name}`)].sort());
    for (const name of NEW) expect(readFileSync(join(folder, name), "utf8")).toBe("new");
    for (const name of OLD) expect(readFileSync(join(folder, "before-restore-1", name), "utf8")).toBe("old");
    if (left > 0) break; // more moves were allowed than there are
  }
  expect(interrupted).toBeGreaterThan(8);
});

test("an empty folder leaves nothing to keep", () => {
  pend();
  expect(completeRestore({ folder })).toEqual({ kept: undefined });
  expect(files()).toEqual([...NEW].sort());
});

test("what was cut off before its verification is cleared away", () => {
  fill(OLD, "old");
  fill(["registry.db"], "half", ".restore-0");
  expect(completeRestore({ folder })).toEqual({ kept: undefined });
  expect(readdirSync(folder)).not.toContain(".restore-0");
  expect(files()).toEqual([...OLD].sort());
});
