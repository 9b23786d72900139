import { Database } from "bun:sqlite";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** Where things lie below the data folder. */
export function dataPaths(folder: string) {
  return {
    folder,
    registry: join(folder, "registry.db"),
    telemetry: join(folder, "telemetry.db"),
    masterKey: join(folder, "master.key"),
    tls: join(folder, "tls"),
    packages: join(folder, "packages"),
    lock: join(folder, "islet.lock"),
  };
}
export type DataPaths = ReturnType<typeof dataPaths>;

/** Another process works on this data folder. */
export class DataFolderInUseError extends Error {
  override name = "DataFolderInUseError";
}

/**
 * Makes the folder if need be and holds it for this process. The lock is SQLite's own file lock: the kernel gives it
 * back when the process dies, however it dies. Throws `DataFolderInUseError`.
 */
export function lockDataFolder(paths: DataPaths): () => void {
  mkdirSync(paths.folder, { recursive: true, mode: 0o700 });
  const lock = new Database(paths.lock, { create: true });
  try {
    lock.run("PRAGMA locking_mode = EXCLUSIVE");
    lock.run("BEGIN EXCLUSIVE");
  } catch {
    lock.close();
    throw new DataFolderInUseError(`${paths.folder} is in use by a running Islet`);
  }
  return () => lock.close();
}

export const isInstalled = (paths: DataPaths) => existsSync(paths.registry);
