import { Database } from "bun:sqlite";
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { z } from "zod";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../migrations";
import { forgetStoredSessions } from "../access/dtls";
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
    completeRestore(paths); // an earlier one that was cut off
    refuseNewer(paths);
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]|\.\d{3}/g, "");
    const staging = join(paths.folder, `${STAGING}${stamp}`);
    mkdirSync(staging, { mode: 0o700 });
    try {
      await unpack(file, staging);
      await verify(staging);
      forgetSessions(dataPaths(staging));
    } catch (error) {
      rmSync(staging, { recursive: true, force: true });
      throw error;
    }
    const pending: Pending = { staging: `${STAGING}${stamp}`, kept: `before-restore-${stamp}` };
    const marker = join(paths.folder, PENDING);
    writeFileSync(`${marker}.new`, JSON.stringify(pending), { flush: true });
    renameSync(`${marker}.new`, marker); // whole or not there
    return completeRestore(paths);
  } finally {
    unlock();
  }
}

const STAGING = ".restore-";
const PENDING = "restore.pending";
/** Names in the data folder, so that the folder may be moved. */
type Pending = { readonly staging: string; readonly kept: string };

/**
 * The moves of a verified restore. Each can be repeated, so an interrupted restore is completed by the next start.
 * Also clears away what one left that was cut off before. The caller holds the data folder. `kept` is undefined when
 * there was nothing to restore, or nothing to keep. `move` is a parameter for tests that interrupt it.
 */
export function completeRestore(
  { folder }: Pick<DataPaths, "folder">,
  move: (from: string, to: string) => void = renameSync,
): { kept: string | undefined } {
  const marker = join(folder, PENDING);
  const pending = existsSync(marker) ? (JSON.parse(readFileSync(marker, "utf8")) as Pending) : undefined;
  const kept = pending && moveAll(folder, pending, move);
  if (pending) rmSync(marker);
  for (const name of readdirSync(folder))
    if (name.startsWith(STAGING)) rmSync(join(folder, name), { recursive: true, force: true });
  return { kept };
}

function moveAll(folder: string, pending: Pending, move: (from: string, to: string) => void): string | undefined {
  const staging = join(folder, pending.staging);
  const kept = join(folder, pending.kept);
  const emptied = join(staging, EMPTIED);
  mkdirSync(kept, { recursive: true, mode: 0o700 });
  if (!existsSync(emptied)) {
    for (const name of REPLACED) if (existsSync(join(folder, name))) move(join(folder, name), join(kept, name));
    syncFolder(kept);
    writeFileSync(emptied, "", { flush: true });
  }
  for (const name of REPLACED) if (existsSync(join(staging, name))) move(join(staging, name), join(folder, name));
  syncFolder(folder);
  if (readdirSync(kept).length > 0) return kept;
  rmdirSync(kept);
  return undefined;
}

/** Once it is there, the old content is out of the way, and only the new moves in. */
const EMPTIED = ".emptied";

/** Names in a folder are on disk only after this; what they name was written with `flush`. */
function syncFolder(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
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
      await pipeline(entry, createWriteStream(target, { mode: 0o600, flush: true }));
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

/** Whatever counts on numbers that never go back (docs/decisions/0005). */
function forgetSessions({ registry }: DataPaths): void {
  const db = new Database(registry, { strict: true });
  try {
    forgetStoredSessions(db);
  } finally {
    db.close();
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
