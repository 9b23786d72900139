import type { KeyObject } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { isOfSignature } from "./manifest";
import type { PackageKind } from "./package";
import { findFirmware, readSoftware } from "./read-package";
import { naming } from "./refuse";
import { PACKAGE_DEFAULTS } from "./settings";
import { checkFile, checkSignature, writeSigned } from "./sign-archive";
import { DESCRIPTION_FILE } from "./upgrade-desc";
import { openZipFile, type ZipFile } from "./zip-file";

/** `version` of firmware is typed at the upload. */
type Told = { readonly kind: PackageKind; readonly version: string | undefined };

/**
 * Checks a package by the platform's rules (with its default limits) and writes the signed one. Nothing is written
 * otherwise. Throws PACKAGE_INVALID {file, path, reason}.
 */
export async function signPackage(archive: FileHandle, fileName: string, key: KeyObject, to: string): Promise<Told> {
  const zip = await naming(fileName, () => openZipFile(archive, PACKAGE_DEFAULTS));
  const told = await read(zip, fileName);
  await naming(fileName, () => writeSigned(zip, key, to));
  return told;
}

/** Every file is what was signed with this key, and the package is one. Throws PACKAGE_INVALID {file, path, reason}. */
export async function verifyPackage(
  archive: FileHandle,
  fileName: string,
  key: KeyObject,
): Promise<Told & { readonly files: number }> {
  const zip = await naming(fileName, () => openZipFile(archive, PACKAGE_DEFAULTS));
  await naming(fileName, async () => {
    const listed = await checkSignature(zip, key, PACKAGE_DEFAULTS.maxTextBytes);
    for (const name of zip.entries.keys()) if (!isOfSignature(name)) await checkFile(zip, name, listed);
  });
  return { ...(await read(zip, fileName)), files: zip.entries.size - 2 };
}

async function read(zip: ZipFile, fileName: string): Promise<Told> {
  const isSoftware = [...zip.entries.keys()].some((name) => name.endsWith(DESCRIPTION_FILE) || name.startsWith("DM/"));
  if (!isSoftware) {
    findFirmware(zip, fileName);
    return { kind: "firmware", version: undefined };
  }
  const { described } = await readSoftware(zip, fileName, PACKAGE_DEFAULTS);
  return { kind: "software", version: described.version };
}
