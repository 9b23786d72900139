/** Spaces group the bytes for the reader. */
export const hex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.fromHex(text.replaceAll(/\s/g, ""));
