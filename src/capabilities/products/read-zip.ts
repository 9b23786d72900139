import { crc32, inflateRawSync } from "node:zlib";

/** Limits against archives that are made to hurt. Real model packages have some ten files of a few kilobytes. */
export type ZipLimits = {
  readonly maxZipBytes: number;
  readonly maxEntries: number;
  readonly maxEntryBytes: number; // uncompressed
  readonly maxTotalBytes: number; // uncompressed
  /** Uncompressed to compressed size of one entry; JSON of repeated services reaches about 40. */
  readonly maxRatio: number;
};
export const ZIP_LIMITS: ZipLimits = {
  maxZipBytes: 4 << 20,
  maxEntries: 1_000,
  maxEntryBytes: 2 << 20,
  maxTotalBytes: 16 << 20,
  maxRatio: 200,
};

/** `entry` is undefined when the archive itself is at fault. */
export class ZipError extends Error {
  override name = "ZipError";
  readonly entry: string | undefined;
  constructor(reason: string, entry?: string) {
    super(reason);
    this.entry = entry;
  }
}

/** Of the format, APPNOTE 4.3 and 4.4. */
export const END_SIGNATURE = 0x06054b50;
export const CENTRAL_SIGNATURE = 0x02014b50;
export const LOCAL_SIGNATURE = 0x04034b50;
export const END_BYTES = 22;
export const LONGEST_COMMENT = 0xffff;
export const STORED = 0;
export const DEFLATED = 8;
const ENCRYPTED = 1;
/** Below this an entry may have any ratio: 100 kB of blanks hurt nobody. */
const RATIO_FREE_BYTES = 100_000;

type Entry = { name: string; method: number; crc: number; size: number; originalSize: number; offset: number };

/**
 * Files of an archive by name, in its order; names ending in `/` are folders and come with no bytes (APPNOTE 6.3.3).
 * `accept` sees each name before anything is unpacked and throws what it does not want. Throws `ZipError`.
 */
export function readZip(bytes: Uint8Array, limits: ZipLimits, accept: (name: string) => void): Map<string, Uint8Array> {
  if (bytes.length > limits.maxZipBytes) throw new ZipError(`is larger than ${limits.maxZipBytes} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files = new Map<string, Uint8Array>();
  try {
    const entries = readDirectory(bytes, view, limits);
    for (const { name } of entries) {
      accept(name);
      if (files.has(name)) throw new ZipError("is in the archive twice", name);
      files.set(name, new Uint8Array());
    }
    let total = 0;
    for (const entry of entries) {
      total += entry.originalSize;
      if (total > limits.maxTotalBytes) throw new ZipError(`unpacks to more than ${limits.maxTotalBytes} bytes`);
      files.set(entry.name, unpack(bytes, view, entry, limits));
    }
  } catch (error) {
    // DataView throws it when an offset points outside of the archive.
    if (error instanceof RangeError) throw new ZipError("is not a complete ZIP archive");
    throw error;
  }
  return files;
}

function readDirectory(bytes: Uint8Array, view: DataView, limits: ZipLimits): Entry[] {
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count > limits.maxEntries) throw new ZipError(`has more than ${limits.maxEntries} entries`);
  const entries: Entry[] = [];
  for (let index = 0; index < count; index++) {
    if (view.getUint32(at, true) !== CENTRAL_SIGNATURE) throw new ZipError("is not a complete ZIP archive");
    const nameLength = view.getUint16(at + 28, true);
    const name = decodeName(bytes.subarray(at + 46, at + 46 + nameLength));
    if (view.getUint16(at + 8, true) & ENCRYPTED) throw new ZipError("is encrypted", name);
    entries.push({
      name,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      size: view.getUint32(at + 20, true),
      originalSize: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

function findEnd(view: DataView): number {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= 0 && at >= last - LONGEST_COMMENT; at--) {
    if (view.getUint32(at, true) === END_SIGNATURE) return at;
  }
  throw new ZipError("is not a ZIP archive");
}

function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ZipError("has a file name that is not UTF-8");
  }
}

function unpack(bytes: Uint8Array, view: DataView, entry: Entry, limits: ZipLimits): Uint8Array {
  const { name, method, crc, size, originalSize, offset } = entry;
  if (originalSize > limits.maxEntryBytes)
    throw new ZipError(`unpacks to more than ${limits.maxEntryBytes} bytes`, name);
  if (originalSize > RATIO_FREE_BYTES && originalSize > size * limits.maxRatio)
    throw new ZipError(`is packed more than ${limits.maxRatio} to 1`, name);
  if (view.getUint32(offset, true) !== LOCAL_SIGNATURE) throw new ZipError("is not a complete ZIP archive");
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + size > bytes.length) throw new ZipError("is not a complete ZIP archive");
  const content = decompress(bytes.subarray(start, start + size), method, originalSize, name);
  if (content.length !== originalSize || crc32(content) !== crc) throw new ZipError("is damaged", name);
  return content;
}

function decompress(packed: Uint8Array, method: number, originalSize: number, name: string): Uint8Array {
  if (method === STORED) return packed;
  if (method !== DEFLATED) throw new ZipError(`is packed by method ${method}, which is not supported`, name);
  if (originalSize === 0) return new Uint8Array();
  try {
    // The size in the directory may lie: unpacking stops there, whatever the stream holds.
    return inflateRawSync(packed, { maxOutputLength: originalSize });
  } catch {
    throw new ZipError("is damaged", name);
  }
}
