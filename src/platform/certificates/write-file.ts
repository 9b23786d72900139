import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Whole or not at all, on disk before it returns. Only the owner may read it. */
export const writePrivately = (path: string, text: string): Promise<void> => replace(path, text, 0o600);
export const writePublicly = (path: string, text: string): Promise<void> => replace(path, text, 0o644);

async function replace(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.partial`;
  const file = await open(partial, "w", mode);
  try {
    await file.chmod(mode); // whatever the umask, and whoever left a partial file
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
}
