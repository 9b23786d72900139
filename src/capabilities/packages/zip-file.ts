import type { FileHandle } from "node:fs/promises";
import {
  CENTRAL_SIGNATURE,
  DEFLATED,
  END_BYTES,
  END_SIGNATURE,
  LOCAL_SIGNATURE,
  LONGEST_COMMENT,
  STORED,
  ZipError,
} from "../products/read-zip";
import type { PackageSettings } from "./settings";

export { CENTRAL_SIGNATURE, END_SIGNATURE, LOCAL_SIGNATURE, STORED, ZipError } from "../products/read-zip";

export type ZipFileLimits = Pick<
  PackageSettings,
  "maxEntries" | "maxDirectoryBytes" | "maxContentBytes" | "maxRatio" | "freeRatioBytes"
>;

/** A file of the archive; `name` has forward slashes and leads nowhere outside. */
export type ZipEntry = {
  readonly name: string;
  readonly method: typeof STORED | typeof DEFLATED;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  /** Where its packed bytes begin. */
  readonly dataAt: number;
};
export type ZipFile = {
  readonly handle: FileHandle;
  readonly size: number;
  /** Without folders; in the order of the directory. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Of its directory, for whoever adds entries: `directoryCount` includes folders. */
  readonly directoryAt: number;
  readonly directorySize: number;
  readonly directoryCount: number;
};

const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const LOCATOR64_BYTES = 20;
const END64_BYTES = 56;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const ENCRYPTED = 0b0010_0000_0100_0001; // encrypted, strongly encrypted, names hidden
const MAX_NAME_BYTES = 512;
const UNIX = 3;
const FILE_TYPE = 0o170_000;
const REGULAR = 0o100_000;
const FOLDER = 0o040_000;
const LINK = 0o120_000;

/**
 * The directory of an archive on disk, checked before anything is unpacked: whole and nothing but a ZIP (no bytes before,
 * behind or hidden between that an entry claims twice), names that stay inside and come once, no encryption, links or
 * devices, sizes within the limits, local headers that say the same. ZIP64 and streamed entries are fine (APPNOTE 6.3.3).
 * Throws `ZipError`.
 */
export async function openZipFile(handle: FileHandle, limits: ZipFileLimits): Promise<ZipFile> {
  const { size } = await handle.stat();
  const end = await findEnd(handle, size);
  if (end.count > limits.maxEntries) throw new ZipError(`has more than ${limits.maxEntries} entries`);
  if (end.directorySize > limits.maxDirectoryBytes)
    throw new ZipError(`has a directory of more than ${limits.maxDirectoryBytes} bytes`);
  const headers = parseDirectory(await readAt(handle, end.directoryAt, end.directorySize), end.count);
  const entries = new Map<string, ZipEntry>();
  const seen = new Set<string>();
  let reachedTo = 0;
  let total = 0;
  for (const header of headers.toSorted((a, b) => a.localAt - b.localAt)) {
    if (entries.size === 0 && seen.size === 0 && header.localAt !== 0)
      throw new ZipError("does not begin with its first entry");
    // Entries that share bytes unpack to far more than is there.
    if (header.localAt < reachedTo) throw new ZipError("shares its bytes with another entry", header.name);
    const dataAt = await checkLocalHeader(handle, header, end.directoryAt);
    reachedTo = dataAt + header.packedSize;
    const bare = header.name.replace(/\/$/, "");
    if (seen.has(bare)) throw new ZipError("is in the archive twice", header.name);
    seen.add(bare);
    total += checkSizes(header, limits);
    if (total > limits.maxContentBytes) throw new ZipError(`unpacks to more than ${limits.maxContentBytes} bytes`);
    if (header.name.endsWith("/")) continue;
    const { name, method, crc, packedSize, size: unpacked } = header;
    entries.set(name, { name, method: knownMethod(method, name), crc, packedSize, size: unpacked, dataAt });
  }
  return {
    ...{ handle, size, entries: new Map([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) },
    ...{ directoryAt: end.directoryAt, directorySize: end.directorySize, directoryCount: end.count },
  };
}

type End = { directoryAt: number; directorySize: number; count: number };

async function findEnd(handle: FileHandle, size: number): Promise<End> {
  const tailAt = Math.max(0, size - END_BYTES - LONGEST_COMMENT);
  const tail = await readAt(handle, tailAt, size - tailAt);
  const view = viewOf(tail);
  let found = -1;
  let unfit = -1;
  for (let at = tail.length - END_BYTES; at >= 0 && found < 0; at--) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) === tail.length) found = at;
    else if (unfit < 0) unfit = at;
  }
  if (found < 0) {
    if (unfit >= 0) throw new ZipError("has bytes behind its end, or is cut off");
    throw new ZipError(`is not a ZIP archive${await nameOfFormat(handle, size)}`);
  }
  const plain: End = {
    count: view.getUint16(found + 10, true),
    directorySize: view.getUint32(found + 12, true),
    directoryAt: view.getUint32(found + 16, true),
  };
  if (view.getUint32(found + 4, true) !== 0 || view.getUint16(found + 8, true) !== plain.count)
    throw new ZipError("is a part of an archive in several files");
  const locator = found - LOCATOR64_BYTES;
  const isZip64 = locator >= 0 && view.getUint32(locator, true) === LOCATOR64_SIGNATURE;
  const endAt = tailAt + found;
  if (!isZip64) return checkedEnd(plain, endAt);
  const end64At = toNumber(view.getBigUint64(locator + 8, true));
  if (end64At + END64_BYTES > endAt - LOCATOR64_BYTES) throw incomplete();
  const end64 = viewOf(await readAt(handle, end64At, END64_BYTES));
  if (end64.getUint32(0, true) !== END64_SIGNATURE || end64.getBigUint64(16, true) !== 0n) throw incomplete();
  const whole: End = {
    count: toNumber(end64.getBigUint64(32, true)),
    directorySize: toNumber(end64.getBigUint64(40, true)),
    directoryAt: toNumber(end64.getBigUint64(48, true)),
  };
  // Two ends that say different things are read differently by different programs.
  const agrees = (short: number, long: number, full: number) => short === long || short === full;
  if (
    !agrees(plain.count, whole.count, 0xffff) ||
    !agrees(plain.directorySize, whole.directorySize, 0xffff_ffff) ||
    !agrees(plain.directoryAt, whole.directoryAt, 0xffff_ffff)
  )
    throw new ZipError("has two ends that differ");
  return checkedEnd(whole, end64At);
}

function checkedEnd(end: End, endsAt: number): End {
  if (end.directoryAt + end.directorySize !== endsAt) throw incomplete();
  if (end.count === 0) throw new ZipError("is empty");
  return end;
}

/** People rename what they have. */
async function nameOfFormat(handle: FileHandle, size: number): Promise<string> {
  const head = Buffer.from(await readAt(handle, 0, Math.min(size, 8))).toString("latin1");
  if (head.startsWith("Rar!")) return " but a RAR archive";
  if (head.startsWith("7z\xbc\xaf")) return " but a 7-Zip archive";
  if (head.startsWith("\x1f\x8b")) return " but a gzip file";
  return size === 0 ? " but empty" : "";
}

type Header = {
  name: string;
  method: number;
  flags: number;
  crc: number;
  packedSize: number;
  size: number;
  localAt: number;
};

function parseDirectory(bytes: Uint8Array, count: number): Header[] {
  const view = viewOf(bytes);
  const headers: Header[] = [];
  let at = 0;
  try {
    for (let index = 0; index < count; index++) {
      if (view.getUint32(at, true) !== CENTRAL_SIGNATURE) throw incomplete();
      const nameLength = view.getUint16(at + 28, true);
      const extraLength = view.getUint16(at + 30, true);
      const nameAt = at + CENTRAL_BYTES;
      const name = decodeName(bytes.subarray(nameAt, nameAt + nameLength));
      const extra = bytes.subarray(nameAt + nameLength, nameAt + nameLength + extraLength);
      const header: Header = {
        ...{ name, flags: view.getUint16(at + 8, true), method: view.getUint16(at + 10, true) },
        crc: view.getUint32(at + 16, true),
        packedSize: view.getUint32(at + 20, true),
        size: view.getUint32(at + 24, true),
        localAt: view.getUint32(at + 42, true),
      };
      checkName(header.name);
      checkKind(header.name, view.getUint16(at + 4, true) >> 8, view.getUint32(at + 38, true) >>> 16);
      if (header.flags & ENCRYPTED) throw new ZipError("is encrypted", name);
      headers.push(withZip64(header, extra));
      at = nameAt + nameLength + extraLength + view.getUint16(at + 32, true);
    }
  } catch (error) {
    // DataView throws it when a length points outside.
    throw error instanceof RangeError ? incomplete() : error;
  }
  if (at !== bytes.length) throw incomplete();
  return headers;
}

/** Numbers that do not fit are all ones, and stand in the extra field 1, in this order (APPNOTE 4.5.3). */
function withZip64(header: Header, extra: Uint8Array): Header {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      let next = at + 4;
      const resolve = (value: number) => {
        if (value !== 0xffff_ffff) return value;
        const long = toNumber(view.getBigUint64(next, true));
        next += 8;
        return long;
      };
      const size = resolve(header.size);
      const packedSize = resolve(header.packedSize);
      return { ...header, size, packedSize, localAt: resolve(header.localAt) };
    }
    at += 4 + length;
  }
  return header;
}

function decodeName(bytes: Uint8Array): string {
  if (bytes.length > MAX_NAME_BYTES) throw new ZipError(`has a file name of more than ${MAX_NAME_BYTES} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ZipError("has a file name that is not UTF-8");
  }
}

function checkName(name: string): void {
  const segments = name.replace(/\/$/, "").split("/");
  if (name.startsWith("/") || name.includes("\\") || /^[A-Za-z]:/.test(name) || segments.includes(".."))
    throw new ZipError("has a path that leaves the archive", name);
  if (segments.some((segment) => segment === "" || segment === ".")) throw new ZipError("has a bad path", name);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) throw new ZipError("has control characters in its name", name);
}

/** `mode`: the upper half of the external attributes, of which only Unix hosts tell the type. */
function checkKind(name: string, host: number, mode: number): void {
  const type = host === UNIX ? mode & FILE_TYPE : 0;
  if (type === LINK) throw new ZipError("is a link", name);
  if (type !== 0 && type !== REGULAR && type !== FOLDER) throw new ZipError("is not a plain file", name);
}

function checkSizes({ name, method, packedSize, size }: Header, limits: ZipFileLimits): number {
  if (name.endsWith("/") && size !== 0) throw new ZipError("is a folder with bytes", name);
  if (method === STORED && packedSize !== size) throw new ZipError("is stored with two sizes", name);
  if (size > limits.maxContentBytes) throw new ZipError(`unpacks to more than ${limits.maxContentBytes} bytes`, name);
  if (size > limits.freeRatioBytes && size > packedSize * limits.maxRatio)
    throw new ZipError(`is packed more than ${limits.maxRatio} to 1`, name);
  return size;
}

function knownMethod(method: number, name: string): ZipEntry["method"] {
  if (method === STORED || method === DEFLATED) return method;
  throw new ZipError(`is packed by method ${method}, which is not supported`, name);
}

/** Programs that stream read the local headers: what they would see must be what is checked. Gives where data begin. */
async function checkLocalHeader(handle: FileHandle, header: Header, directoryAt: number): Promise<number> {
  const { name, localAt } = header;
  if (localAt + LOCAL_BYTES > directoryAt) throw incomplete();
  const fixed = viewOf(await readAt(handle, localAt, LOCAL_BYTES));
  if (fixed.getUint32(0, true) !== LOCAL_SIGNATURE) throw incomplete();
  const nameLength = fixed.getUint16(26, true);
  const dataAt = localAt + LOCAL_BYTES + nameLength + fixed.getUint16(28, true);
  if (dataAt + header.packedSize > directoryAt) throw incomplete();
  const localName = decodeName(await readAt(handle, localAt + LOCAL_BYTES, nameLength));
  if (localName !== name || fixed.getUint16(8, true) !== header.method)
    throw new ZipError("is called something else in its own header", name);
  if (fixed.getUint16(6, true) & ENCRYPTED) throw new ZipError("is encrypted", name);
  return dataAt;
}

/** Exactly so many bytes. */
export async function readAt(handle: FileHandle, at: number, length: number): Promise<Uint8Array> {
  if (at < 0 || length < 0) throw incomplete();
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw incomplete();
    done += bytesRead;
  }
  return bytes;
}

const incomplete = () => new ZipError("is not a complete ZIP archive");
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function toNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw incomplete();
  return Number(value);
}
