import { Database } from "bun:sqlite";
import { copyFileSync, linkSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Puts the content of every package whose row is in this copy of the registry into `to`: a link where that is possible,
 * so that it stays although the platform removes the package meanwhile. Gives the ids of those that are missing: removed
 * since the copy was made, or lost. (A file is there before its row, and goes after it.)
 */
export function keepPackages(registryCopy: string, from: string, to: string): string[] {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  return fileIds(registryCopy).filter((fileId) => !keep(join(from, fileId), join(to, fileId)));
}

function fileIds(registryCopy: string): string[] {
  const db = new Database(registryCopy, { readonly: true });
  try {
    // The data folder of an older Islet has no such table.
    const table = db.query("SELECT 1 FROM sqlite_schema WHERE name = 'upgrade_package'").get();
    if (!table) return [];
    return db
      .query<{ file_id: string }, []>("SELECT file_id FROM upgrade_package")
      .all()
      .map((row) => row.file_id);
  } finally {
    db.close();
  }
}

function keep(from: string, to: string): boolean {
  for (const put of [linkSync, copyFileSync]) {
    try {
      put(from, to);
      return true;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOENT") return false;
      if (put === copyFileSync) throw error;
    }
  }
  return false;
}
