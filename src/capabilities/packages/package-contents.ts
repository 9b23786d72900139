import { closeSync, openSync, readSync } from "node:fs";
import { DomainError } from "../../platform/domain-error";
import type { PackageContents } from "./package";
import type { PackageFiles } from "./package-files";
import type { PackageRepository } from "./package-repository";
import type { PackageSettings } from "./settings";

type Parts = {
  repository: Pick<PackageRepository, "findByNo">;
  files: Pick<PackageFiles, "pathOf">;
  settings: Pick<PackageSettings, "contentCachePieces" | "contentPieceBytes" | "maxOpenContents">;
};
type Opened = { readonly descriptor: number; readonly size: number };

/**
 * Contents in large pieces, the lately used ones in memory: devices of a campaign ask for the same bytes, and one device
 * for the next ones. What is not there is read at once, synchronously: one read of a piece takes some 20 µs out of the
 * page cache, which a promise for each of the 130 shards in it costs as well.
 */
export function packageContents({ repository, files, settings }: Parts): PackageContents & {
  forget(packageNo: number): void;
  close(): void;
} {
  const { contentCachePieces, contentPieceBytes, maxOpenContents } = settings;
  const opened = new Map<number, Opened>(); // both in the order of their last use
  const pieces = new Map<string, Uint8Array>();

  function openContent(no: number): Opened {
    const known = opened.get(no);
    if (known) return touch(opened, no, known);
    const it = repository.findByNo(no);
    if (!it) throw new DomainError("PACKAGE_NOT_FOUND", { packageNo: no });
    const content = { descriptor: openFile(files.pathOf(it.fileId), it.fileId), size: it.size };
    opened.set(no, content);
    const oldest = opened.size > maxOpenContents ? opened.entries().next().value : undefined;
    if (oldest) close(...oldest);
    return content;
  }

  function close(no: number, { descriptor }: Opened): void {
    opened.delete(no);
    closeSync(descriptor);
  }

  function pieceOf(no: number, { descriptor, size }: Opened, index: number): Uint8Array {
    const key = `${no}/${index}`;
    const known = pieces.get(key);
    if (known) return touch(pieces, key, known);
    const at = index * contentPieceBytes;
    const piece = new Uint8Array(Math.min(contentPieceBytes, size - at));
    for (let done = 0; done < piece.length; ) {
      const read = readSync(descriptor, piece, done, piece.length - done, at + done);
      if (read === 0) throw new Error(`the content of package ${no} is shorter than it was`);
      done += read;
    }
    pieces.set(key, piece);
    const oldest = pieces.size > contentCachePieces ? pieces.keys().next().value : undefined;
    if (oldest !== undefined) pieces.delete(oldest);
    return piece;
  }

  return {
    read(no, offset, length) {
      const content = openContent(no);
      const end = Math.min(content.size, offset + Math.max(0, length));
      if (offset < 0 || offset >= end) return new Uint8Array();
      const result = new Uint8Array(end - offset);
      for (let at = offset; at < end; ) {
        const index = Math.floor(at / contentPieceBytes);
        const from = at - index * contentPieceBytes;
        const part = pieceOf(no, content, index).subarray(from, from + end - at);
        result.set(part, at - offset);
        at += part.length;
      }
      return result;
    },
    forget(no) {
      const content = opened.get(no);
      if (content) close(no, content);
      for (const key of pieces.keys()) if (key.startsWith(`${no}/`)) pieces.delete(key);
    },
    close() {
      for (const [no, content] of [...opened]) close(no, content);
      pieces.clear();
    },
  };
}

function openFile(path: string, fileId: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw isMissing ? new DomainError("PACKAGE_NOT_FOUND", { fileId, reason: "its file is missing" }) : error;
  }
}

function touch<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.delete(key);
  map.set(key, value);
  return value;
}
