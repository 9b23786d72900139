import { createHash, type Hash } from "node:crypto";

export type Flash = ReturnType<typeof createFlash>;

/** Where a device puts its package. It keeps what can be checked, and not the bytes: a thousand devices share a process. */
export function createFlash() {
  let hash: Hash = createHash("sha256");
  let length = 0;
  return {
    get length(): number {
      return length;
    },
    /** In order, as the machines ask for them. Throws RangeError otherwise: a fault of theirs. */
    store(offset: number, data: Uint8Array): void {
      if (offset !== length) throw new RangeError(`stored at ${offset}, and ${length} bytes are there`);
      hash.update(data);
      length += data.length;
    },
    erase(): void {
      hash = createHash("sha256");
      length = 0;
    },
    /** Hex, of what is there. */
    sha256: (): string => hash.copy().digest("hex"),
  };
}
