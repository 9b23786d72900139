import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { PackageId } from "./package";

/** Below the folder: what is not a package yet. Emptied at start. */
export const INCOMING = "incoming";

/** A file on its way in. Deleted by `discard` unless it has been published. */
export type Incoming = { readonly handle: FileHandle; readonly discard: () => Promise<void> };

/** The contents of packages on disk: `<folder>/<fileId>`. */
export function packageFiles({ folder, ids, log }: { folder: string; ids: Ids; log: Log }) {
  const incoming = join(folder, INCOMING);
  mkdirSync(incoming, { recursive: true, mode: 0o700 });
  const pathOf = (fileId: string) => join(folder, fileId);
  const paths = new WeakMap<Incoming, string>();

  return {
    pathOf,

    async create(): Promise<Incoming> {
      const path = join(incoming, ids.next());
      const handle = await sayingFull(() => open(path, "wx+", 0o600));
      const file: Incoming = {
        handle,
        async discard() {
          await handle.close().catch(() => {});
          if (paths.has(file)) await rm(path, { force: true });
          paths.delete(file);
        },
      };
      paths.set(file, path);
      return file;
    },

    /** On disk under its final name when it resolves; the row may refer to it now. */
    async publish(file: Incoming, fileId: PackageId): Promise<void> {
      const path = paths.get(file);
      if (path === undefined) throw new Error("a file that was discarded cannot be published");
      await sayingFull(() => file.handle.sync());
      await rename(path, pathOf(fileId));
      paths.delete(file);
      await syncFolder(folder);
    },

    /** After the commit that took its row away. One that stays is garbage that the next start finds. */
    async remove(fileId: PackageId): Promise<void> {
      try {
        await rm(pathOf(fileId), { force: true });
      } catch (error) {
        log.warn("package.file_not_removed", { fileId, error });
      }
    },

    /** At start: deletes what no row refers to, and tells of rows whose file is not as it should be. */
    tidy(rows: readonly { file_id: PackageId; size: number }[]): void {
      const known = new Map<string, number>(rows.map((row) => [row.file_id, row.size]));
      for (const name of readdirSync(incoming)) rmSync(join(incoming, name), { recursive: true, force: true });
      for (const name of readdirSync(folder)) {
        if (name === INCOMING) continue;
        const size = known.get(name);
        known.delete(name);
        if (size === undefined) {
          rmSync(pathOf(name), { recursive: true, force: true });
          log.info("package.orphan_removed", { file: name });
        } else if (statSync(pathOf(name)).size !== size) log.error("package.file_damaged", { fileId: name, size });
      }
      for (const fileId of known.keys()) log.error("package.file_missing", { fileId });
    },
  };
}
export type PackageFiles = ReturnType<typeof packageFiles>;

/** All bytes, at the end of the file. Throws CONGESTED when the disk is full. */
export async function append(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  await sayingFull(async () => {
    for (let done = 0; done < bytes.length; )
      done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  });
}

async function sayingFull<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOSPC" || code === "EDQUOT") throw new DomainError("CONGESTED", { reason: "the disk is full" });
    throw error;
  }
}

/** A new name in a folder is on disk only after this. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
