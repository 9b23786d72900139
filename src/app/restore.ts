import { Database } from "bun:sqlite";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { z } from "zod";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../migrations";
import type { Clock } from "../platform/clock";
import { refuseUnknownHistory } from "../platform/storage/open-database";
import { MANIFEST, measure } from "./backup";
import { type DataPaths, dataPaths, lockDataFolder } from "./data-folder";

/** The archive is damaged, foreign or from a newer Islet. Nothing has been replaced. */
export class RestoreRefusedError extends Error {
  override name = "RestoreRefusedError";
}

const ManifestShape = z.object({
  format: z.literal(1, "was written in another backup format"),
  version: z.string(),
  createdAt: z.string(),
  files: z.array(z.object({ name: z.string(), size: z.number(), sha256: z.string() })),
});
// What a backup may hold. `..` and absolute paths cannot match.
const NAME = /^(registry\.db|telemetry\.db|master\.key|(tls|packages)(\/(?!\.)[\w.-]+)+)$/;
const REPLACED = ["registry.db", "registry.db-wal", "registry.db-shm", "telemetry.db", "telemetry.db-wal"].concat(
  "telemetry.db-shm",
  "master.key",
  "tls",
  "packages",
);

/**
 * Puts a backup in the place of the data folder's content. Refuses while an Islet runs on the folder, and when the
 * folder's own data or the backup come from a newer Islet. Everything is verified in a staging folder first; what was
 * there before is kept in `before-restore-…` (named in the answer). Throws `RestoreRefusedError`, `DatabaseRefusedError`.
 */
export async function restore(paths: DataPaths, file: string, clock: Clock): Promise<{ kept: string | undefined }> {
  const unlock = lockDataFolder(paths);
  try {
    refuseNewer(paths);
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]|\.\d{3}/g, "");
    const staging = join(paths.folder, `.restore-${stamp}`);
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { recursive: true, mode: 0o700 });
    try {
      await unpack(file, staging);
      await verify(staging);
    } catch (error) {
      rmSync(staging, { recursive: true, force: true });
      throw error;
    }
    writeFileSync(join(paths.folder, PENDING), JSON.stringify({ staging, kept: `before-restore-${stamp}` }));
    return await completeRestore(paths);
  } finally {
    unlock();
  }
}

const PENDING = "restore.pending";

/**
 * The moves of a verified restore. Each can be repeated, so an interrupted restore is completed by the next start.
 * The caller holds the data folder.
 */
export async function completeRestore(paths: DataPaths): Promise<{ kept: string | undefined }> {
  const marker = join(paths.folder, PENDING);
  if (!existsSync(marker)) return { kept: undefined };
  const { staging, kept } = JSON.parse(readFileSync(marker, "utf8")) as { staging: string; kept: string };
  const keptFolder = join(paths.folder, kept);
  const emptied = join(keptFolder, ".emptied"); // the old content is out of the way; from here on only the new moves in
  mkdirSync(keptFolder, { recursive: true, mode: 0o700 });
  if (!existsSync(emptied)) {
    for (const name of REPLACED) await moveIfThere(join(paths.folder, name), join(keptFolder, name));
    writeFileSync(emptied, "");
  }
  for (const name of REPLACED) await moveIfThere(join(staging, name), join(paths.folder, name));
  rmSync(marker);
  rmSync(staging, { recursive: true, force: true });
  rmSync(emptied);
  return { kept: keptFolder };
}

async function moveIfThere(from: string, to: string): Promise<void> {
  if (existsSync(from)) await rename(from, to);
}

function refuseNewer(paths: DataPaths): void {
  refuseUnknownHistory(paths.registry, REGISTRY_MIGRATIONS);
  refuseUnknownHistory(paths.telemetry, TELEMETRY_MIGRATIONS);
}

async function unpack(file: string, into: string): Promise<void> {
  const archive = extract();
  const reading = pipeline(createReadStream(file), createGunzip(), archive).catch((error: Error) => {
    throw new RestoreRefusedError(`${file} is not a whole backup: ${error.message}`);
  });
  const entries = (async () => {
    for await (const entry of archive) {
      const { name, type } = entry.header;
      if (type !== "file" || (name !== MANIFEST && !NAME.test(name)))
        throw new RestoreRefusedError(`${file} holds ${name}, which is no part of a backup`);
      const target = join(into, name);
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      await pipeline(entry, createWriteStream(target, { mode: 0o600 }));
    }
  })();
  await Promise.all([reading, entries]);
}

async function verify(staging: string): Promise<void> {
  const manifestPath = join(staging, MANIFEST);
  if (!existsSync(manifestPath)) throw new RestoreRefusedError(`the archive has no ${MANIFEST}`);
  const manifest = ManifestShape.safeParse(parseJson(readFileSync(manifestPath, "utf8")));
  if (!manifest.success)
    throw new RestoreRefusedError(`${MANIFEST}: ${manifest.error.issues.map(({ message }) => message).join(", ")}`);
  for (const { name, sha256 } of manifest.data.files) {
    if (!NAME.test(name) || !existsSync(join(staging, name))) throw new RestoreRefusedError(`${name} is missing`);
    if ((await measure(join(staging, name))).sha256 !== sha256) throw new RestoreRefusedError(`${name} is damaged`);
  }
  const staged = dataPaths(staging);
  for (const path of [staged.registry, staged.telemetry]) {
    if (!existsSync(path)) throw new RestoreRefusedError(`${path} is missing`);
    checkIntegrity(path);
  }
  refuseNewer(staged);
  rmSync(manifestPath);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RestoreRefusedError(`${MANIFEST} is not JSON`);
  }
}

function checkIntegrity(path: string): void {
  const db = new Database(path, { readonly: true });
  try {
    const result = db.query<{ integrity_check: string }, []>("PRAGMA integrity_check").get()?.integrity_check;
    if (result !== "ok") throw new RestoreRefusedError(`${path}: ${result}`);
  } finally {
    db.close();
  }
}
