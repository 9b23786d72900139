import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { readAt, STORED, type ZipEntry, ZipError, type ZipFile } from "./zip-file";

const CHUNK_BYTES = 64 * 1024;

/** The unpacked bytes of an entry, a piece at a time; what is wrong with them comes as a `ZipError` at the latest at their end. */
export async function* contentOf(zip: ZipFile, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  let size = 0;
  let crc = 0;
  for await (const chunk of entry.method === STORED ? packedOf(zip, entry) : inflated(zip, entry)) {
    size += chunk.length;
    if (size > entry.size) throw damaged(entry); // it would unpack to more than it says, perhaps without end
    crc = crc32(chunk, crc);
    yield chunk;
  }
  if (size !== entry.size || crc !== entry.crc) throw damaged(entry);
}

/** For what is read as a whole. */
export async function bytesOf(zip: ZipFile, entry: ZipEntry, maxBytes: number): Promise<Uint8Array> {
  if (entry.size > maxBytes) throw new ZipError(`has more than ${maxBytes} bytes`, entry.name);
  const chunks: Uint8Array[] = [];
  for await (const chunk of contentOf(zip, entry)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* packedOf({ handle }: ZipFile, { dataAt, packedSize }: ZipEntry): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < packedSize; ) {
    const chunk = await readAt(handle, dataAt + done, Math.min(CHUNK_BYTES, packedSize - done));
    done += chunk.length;
    yield chunk;
  }
}

async function* inflated(zip: ZipFile, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const unpacking = createInflateRaw({ chunkSize: CHUNK_BYTES });
  // Its error comes out of the loop below as well.
  const feeding = pipeline(Readable.from(packedOf(zip, entry), { objectMode: false }), unpacking).catch(() => {});
  try {
    for await (const chunk of unpacking) yield chunk as Uint8Array;
  } catch {
    throw damaged(entry);
  } finally {
    unpacking.destroy();
    await feeding;
  }
}

const damaged = ({ name }: ZipEntry) => new ZipError("is damaged", name);
