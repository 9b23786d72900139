/** Versions and check codes between text and bytes (pcp.md §2, §5.2). */

export const VERSION_LENGTH = 16;
const VERSION = /^[\x20-\x7e]{1,16}$/;
const CHECK_CODE = /^[0-9a-f]{4}$/i;

/** 1 to 16 printable ASCII characters: what BYTE[16] can carry. */
export const isPcpVersion = (text: string): boolean => VERSION.test(text);

/** Four hexadecimal digits as the WORD that travels; undefined for anything else (pcp.md §12.4). */
export const parseCheckCode = (text: string): number | undefined =>
  CHECK_CODE.test(text) ? Number.parseInt(text, 16) : undefined;

/** Four upper case digits. */
export const renderCheckCode = (code: number): string => code.toString(16).toUpperCase().padStart(4, "0");

export type VersionFault = {
  readonly reason: "emptyVersion" | "versionCharacter";
  /** The first byte that is none of a version's. */
  readonly wrongAt: number;
};

/** The text of the 16 bytes from `at`, without its padding. */
export function readVersion(bytes: Uint8Array, at: number): string | VersionFault {
  let end = at + VERSION_LENGTH;
  while (end > at && bytes[end - 1] === 0) end--;
  if (end === at) return { reason: "emptyVersion", wrongAt: at };
  let text = "";
  for (let place = at; place < end; place++) {
    const byte = bytes[place] as number;
    if (byte < 0x20 || byte > 0x7e) return { reason: "versionCharacter", wrongAt: place };
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Into zeroed bytes. Throws RangeError: what is sent was checked when it was accepted. */
export function writeVersion(version: string, into: Uint8Array, at: number): void {
  if (!isPcpVersion(version)) throw new RangeError(`"${version}" is not 1 to 16 printable ASCII characters`);
  for (let place = 0; place < version.length; place++) into[at + place] = version.charCodeAt(place);
}
