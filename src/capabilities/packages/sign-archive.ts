import type { KeyObject } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { compareNames, hashEntry, isOfSignature, MANIFEST, parseManifest, renderManifest, SIGNATURE } from "./manifest";
import { isSignedBy, signBytes } from "./signature";
import { bytesOf } from "./zip-content";
import { CENTRAL_SIGNATURE, END_SIGNATURE, LOCAL_SIGNATURE, readAt, ZipError, type ZipFile } from "./zip-file";

const COPY_BYTES = 1 << 20;
const VERSION_NEEDED = 20;
const UTF8_NAMES = 0x0800;
const FIRST_DAY = 0x0021; // 1980-01-01: the same package makes the same archive

/**
 * Writes the archive with the two files of the signature behind its entries, which stay as they are, byte for byte.
 * Whole or not at all; replaces what is there. The same archive and an RSA key give the same file. Throws `ZipError`.
 */
export async function writeSigned(zip: ZipFile, key: KeyObject, to: string): Promise<void> {
  const names = [...zip.entries.keys()];
  const signed = names.find(isOfSignature);
  if (signed !== undefined) throw new ZipError("is there already: the package is signed", signed);
  const hashes = [];
  for (const name of names) hashes.push(await hashEntry(zip, name));
  const manifest = renderManifest(hashes);
  const added = [
    { name: MANIFEST, bytes: manifest },
    { name: SIGNATURE, bytes: signBytes(manifest, key) },
  ];
  const partial = `${to}.partial`;
  const target = await open(partial, "w", 0o644);
  try {
    for (let at = 0; at < zip.directoryAt; at += COPY_BYTES)
      await target.appendFile(await readAt(zip.handle, at, Math.min(COPY_BYTES, zip.directoryAt - at)));
    await target.appendFile(tailOf(zip, await readAt(zip.handle, zip.directoryAt, zip.directorySize), added));
    await target.sync();
    await target.close();
    await rename(partial, to);
  } catch (error) {
    await target.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}

type Added = { readonly name: string; readonly bytes: Uint8Array };

function tailOf(zip: ZipFile, directory: Uint8Array, added: readonly Added[]): Uint8Array {
  const locals: Uint8Array[] = [];
  const centrals: Uint8Array[] = [];
  let at = zip.directoryAt;
  for (const { name, bytes } of added) {
    const nameBytes = Buffer.from(name);
    const common = Buffer.alloc(26); // from the version needed to the lengths, the same in both headers
    common.writeUInt16LE(VERSION_NEEDED, 0);
    common.writeUInt16LE(UTF8_NAMES, 2);
    common.writeUInt16LE(FIRST_DAY, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    locals.push(uint32(LOCAL_SIGNATURE), common, nameBytes, bytes);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    centrals.push(uint32(CENTRAL_SIGNATURE), uint16(VERSION_NEEDED), common, rest, nameBytes);
    at += 4 + common.length + nameBytes.length + bytes.length;
  }
  const addedDirectory = Buffer.concat(centrals);
  const count = zip.directoryCount + added.length;
  const size = directory.length + addedDirectory.length;
  if (count >= 0xffff || at + size >= 0xffff_ffff) throw new ZipError("is too large to be signed");
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END_SIGNATURE, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, directory, addedDirectory, end]);
}

const uint32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const uint16 = (value: number) => Buffer.from(Uint16Array.of(value).buffer);

/**
 * The signature and what it covers, before anything large is read: the manifest is signed with the key and names every
 * file with its size. The hashes are left to compare with (`checkFile`). Throws `ZipError`.
 */
export async function checkSignature(zip: ZipFile, key: KeyObject, maxManifestBytes: number) {
  const entryOf = (name: string) => {
    const entry = zip.entries.get(name);
    if (!entry) throw new ZipError("is missing: the package is not signed", name);
    return entry;
  };
  const [manifestEntry, signatureEntry] = [entryOf(MANIFEST), entryOf(SIGNATURE)];
  const manifest = await bytesOf(zip, manifestEntry, maxManifestBytes);
  const signature = await bytesOf(zip, signatureEntry, MAX_SIGNATURE_BYTES);
  if (!isSignedBy(manifest, signature, key))
    throw new ZipError("is not the signature of the manifest by this key", SIGNATURE);
  return compareNames(zip, parseManifest(manifest));
}
const MAX_SIGNATURE_BYTES = 1_024;

/** Reads one file and compares it with the manifest; `each` sees its bytes. Throws `ZipError`. Gives its SHA-256. */
export async function checkFile(
  zip: ZipFile,
  name: string,
  listed: Awaited<ReturnType<typeof checkSignature>>,
  each?: (chunk: Uint8Array) => Promise<void> | void,
): Promise<string> {
  const { sha256 } = await hashEntry(zip, name, each);
  if (listed.get(name)?.sha256 !== sha256) throw new ZipError("is not what was signed", name);
  return sha256;
}
