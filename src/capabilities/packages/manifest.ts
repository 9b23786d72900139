import { createHash } from "node:crypto";
import { contentOf } from "./zip-content";
import { ZipError, type ZipFile } from "./zip-file";

export const MANIFEST = "META/manifest.json";
export const SIGNATURE = "META/manifest.sig";
export const isOfSignature = (name: string) => name === MANIFEST || name === SIGNATURE;

/** What the signature vouches for: every file but the two above (ota.md 3.3). Folders carry nothing and are not listed. */
export type ManifestEntry = { readonly path: string; readonly size: number; readonly sha256: string };

/** The same bytes for the same files: sorted by path, one line a file. */
export const renderManifest = (entries: readonly ManifestEntry[]): Uint8Array =>
  new TextEncoder().encode(
    `[\n${entries
      .toSorted((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, size, sha256 }) => JSON.stringify({ path, size, sha256 }))
      .join(",\n")}\n]\n`,
  );

/** Throws `ZipError` that names the manifest. */
export function parseManifest(bytes: Uint8Array): ManifestEntry[] {
  const entries = readJson(bytes);
  if (!Array.isArray(entries)) throw refused("is not a list");
  const paths = new Set<string>();
  return entries.map((entry: unknown, index) => {
    const { path, size, sha256 } = (entry ?? {}) as Record<string, unknown>;
    if (typeof path !== "string") throw refused(`[${index}].path is not a string`);
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
      throw refused(`[${index}].size is not a number of bytes`);
    if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/i.test(sha256))
      throw refused(`[${index}].sha256 is not a SHA-256 in hex`);
    if (paths.has(path)) throw refused(`[${index}].path is there twice`);
    paths.add(path);
    return { path, size, sha256: sha256.toLowerCase() };
  });
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw refused("is not JSON in UTF-8");
  }
}

/** Every file of the archive is in the manifest with its size, and the other way round. Throws `ZipError`. */
export function compareNames(zip: ZipFile, manifest: readonly ManifestEntry[]): Map<string, ManifestEntry> {
  const listed = new Map(manifest.map((entry) => [entry.path, entry]));
  for (const { name, size } of zip.entries.values()) {
    if (isOfSignature(name)) continue;
    const entry = listed.get(name);
    if (!entry) throw new ZipError("is not in the signed manifest", name);
    if (entry.size !== size) throw new ZipError("has another size than the signed manifest says", name);
  }
  for (const { path } of manifest)
    if (isOfSignature(path) || !zip.entries.has(path)) throw new ZipError("is in the signed manifest only", path);
  return listed;
}

/** SHA-256 (hex) and size of one file; `each` sees its bytes. */
export async function hashEntry(
  zip: ZipFile,
  name: string,
  each: (chunk: Uint8Array) => Promise<void> | void = () => {},
): Promise<ManifestEntry> {
  const entry = zip.entries.get(name);
  if (!entry) throw new ZipError("is missing in the archive", name);
  const hash = createHash("sha256");
  for await (const chunk of contentOf(zip, entry)) {
    hash.update(chunk);
    await each(chunk);
  }
  return { path: name, size: entry.size, sha256: hash.digest("hex") };
}

const refused = (reason: string) => new ZipError(reason, MANIFEST);
