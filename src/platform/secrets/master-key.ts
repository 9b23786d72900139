import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

export const MASTER_KEY_BYTES = 32;
export const MASTER_KEY_VARIABLE = "ISLET_MASTER_KEY";

/** The master key is missing, malformed or not the one of this database. Its message is for the operator. */
export class MasterKeyError extends Error {
  override name = "MasterKeyError";
}

/** 64 hex digits, or base64 (also base64url, with or without padding) of 32 bytes. `source` names it in the error. */
export function parseMasterKey(text: string, source: string): Uint8Array {
  const trimmed = text.trim();
  const isHex = /^[0-9a-fA-F]*$/.test(trimmed) && trimmed.length !== 43 && trimmed.length !== 44;
  if (!isHex && !/^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed))
    throw new MasterKeyError(`${source} is neither hex nor base64`);
  if (isHex && trimmed.length % 2 === 1) throw new MasterKeyError(`${source} has an odd number of hex digits`);
  const key = Buffer.from(trimmed, isHex ? "hex" : "base64");
  if (key.length !== MASTER_KEY_BYTES)
    throw new MasterKeyError(
      `${source} holds ${key.length} bytes; a master key has ${MASTER_KEY_BYTES} (64 hex digits or 44 characters of base64)`,
    );
  return key;
}

/** Undefined when there is no such file. Throws `MasterKeyError` for a file that holds no key. */
export function readMasterKeyFile(path: string): Uint8Array | undefined {
  return existsSync(path) ? parseMasterKey(readFileSync(path, "utf8"), path) : undefined;
}

/** True when others than the owner can read the file. */
export const isExposed = (path: string): boolean => (statSync(path).mode & 0o077) !== 0;

/**
 * Makes a key and stores it, mode 0600, on disk before this returns: what is sealed with it must never outlive it.
 * Never replaces a file.
 */
export function makeMasterKeyFile(path: string): Uint8Array {
  const key = randomBytes(MASTER_KEY_BYTES);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.${process.pid}.partial`;
  const file = openSync(partial, "wx", 0o600);
  try {
    fchmodSync(file, 0o600); // whatever the umask
    writeSync(file, `${key.toString("hex")}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(partial, path); // fails when the file exists; a crash never leaves half a key under this name
  } finally {
    unlinkSync(partial);
  }
  syncFolder(dirname(path));
  return key;
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
