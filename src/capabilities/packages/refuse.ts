import { DomainError } from "../../platform/domain-error";
import { ZipError } from "./zip-file";

/** Of the form of an upload, where that is at fault and not a file. */
export const FORM = "(form)";

/** `file`: in the archive, or its own name; `path`: a JSON path, or a field of the form. */
export function refuse(file: string, path: string, reason: string): never {
  throw new DomainError("PACKAGE_INVALID", { file, path, reason });
}

/** Runs what reads an archive: its `ZipError` becomes PACKAGE_INVALID with the entry, or the archive `fileName`. */
export async function naming<T>(fileName: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ZipError) return refuse(error.entry ?? fileName, "$", error.message);
    throw error;
  }
}
