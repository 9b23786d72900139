import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import type { Clock } from "../platform/clock";
import { keepPackages } from "./backup-packages";
import { type DataPaths, isInstalled } from "./data-folder";
import { VERSION } from "./version";

/** First entry of the archive. `files` lists everything else in it, so that a restore can verify before it replaces. */
export type Manifest = {
  readonly format: 1;
  readonly version: string;
  readonly createdAt: string;
  readonly files: readonly { readonly name: string; readonly size: number; readonly sha256: string }[];
};
export const MANIFEST = "manifest.json";

/**
 * Writes both databases, keys, certificates and packages into one archive (tar, gzip; mode 0600 because it holds keys).
 * Works beside a running server: each database is copied as of one moment, the telemetry first, so that whatever it
 * refers to is in the registry's copy. `lost`: packages that the registry knows, and whose files are missing. Throws when the folder holds no installation or FILE exists.
 */
export async function backUp(
  paths: DataPaths,
  file: string,
  clock: Clock,
): Promise<Manifest & { lost: readonly string[] }> {
  if (!isInstalled(paths)) throw new Error(`${paths.folder} holds no Islet data`);
  if (existsSync(file)) throw new Error(`${file} exists already`);
  const staging = mkdtempSync(`${file}.partial-`); // beside FILE: the disk of the data may be nearly full
  try {
    copyDatabase(paths.telemetry, join(staging, "telemetry.db"));
    const lost = copyRegistry(paths, staging);
    const sources = [
      ...["registry.db", "telemetry.db"].map((name) => ({ name, path: join(staging, name) })),
      ...[paths.masterKey, paths.tls].flatMap((path) => filesBelow(paths.folder, path)),
      ...filesBelow(staging, join(staging, PACKAGES)),
    ];
    const files = [];
    for (const source of sources) files.push({ ...source, ...(await measure(source.path)) });
    const manifest: Manifest = {
      format: 1,
      version: VERSION,
      createdAt: new Date(clock.now()).toISOString(),
      files: files.map(({ name, size, sha256 }) => ({ name, size, sha256 })),
    };
    const partial = join(staging, "archive");
    await writeArchive(partial, manifest, files);
    await rename(partial, file); // an interrupted backup never looks like a whole one
    return { ...manifest, lost };
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

const PACKAGES = "packages";

/**
 * The registry with the contents of all packages that are in it. A package may be removed between the two: then the copy
 * is made again. What is missing once more, though its row is still there, is lost on the disk; its ids are given back.
 */
function copyRegistry(paths: DataPaths, staging: string): string[] {
  const copy = join(staging, "registry.db");
  const kept = join(staging, PACKAGES);
  let missingBefore: string[] = [];
  for (;;) {
    for (const path of [copy, kept]) rmSync(path, { recursive: true, force: true });
    copyDatabase(paths.registry, copy);
    const missing = keepPackages(copy, paths.packages, kept);
    if (missing.every((fileId) => missingBefore.includes(fileId))) return missing;
    missingBefore = missing;
  }
}

/** VACUUM INTO reads one snapshot, whatever is written meanwhile. */
function copyDatabase(from: string, to: string): void {
  const db = new Database(from, { readonly: true });
  try {
    db.run("PRAGMA busy_timeout = 5000");
    db.run("VACUUM INTO ?", [to]);
  } finally {
    db.close();
  }
}

function filesBelow(folder: string, path: string): { name: string; path: string }[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [{ name: relative(folder, path), path }];
  return readdirSync(path).flatMap((name) => filesBelow(folder, join(path, name)));
}

export async function measure(path: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  return { size, sha256: hash.digest("hex") };
}

async function writeArchive(
  to: string,
  manifest: Manifest,
  files: readonly { name: string; path: string; size: number }[],
) {
  const archive = pack();
  const written = pipeline(archive, createGzip({ level: 1 }), createWriteStream(to, { mode: 0o600, flush: true }));
  const fill = async () => {
    archive.entry({ name: MANIFEST, mode: 0o600 }, JSON.stringify(manifest, null, 2));
    for (const { name, path, size } of files) {
      const entry = archive.entry({ name, size, mode: 0o600 });
      await pipeline(createReadStream(path), entry);
    }
    archive.finalize();
  };
  await Promise.all([written, fill()]); // a full disk ends the first, and nothing takes the second's bytes any more
}
