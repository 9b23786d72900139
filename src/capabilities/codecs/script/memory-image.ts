const PAGE = 4_096;

type Segment = { readonly at: number; readonly bytes: Uint8Array };
export type MemoryImage = {
  /** Puts the memory back to what it was; what has been added to it since stays as room. */
  restore(): void;
};

/**
 * All that a WebAssembly machine is, is in its memory: with the memory of a moment put back, it is in that moment again.
 * Pages that were all zero are left out. They are the stack and the room of the allocator, neither of which expects
 * zeros, so a restore copies what was in use (some 200 KB) and not the whole memory.
 */
export function takeImage(memory: WebAssembly.Memory): MemoryImage {
  const now = new Uint8Array(memory.buffer);
  const segments: Segment[] = [];
  let from = -1;
  for (let page = 0; page <= now.length; page += PAGE) {
    const isUsed = page < now.length && hasContent(now, page);
    if (isUsed && from < 0) from = page;
    if (isUsed || from < 0) continue;
    segments.push({ at: from, bytes: now.slice(from, page) });
    from = -1;
  }
  let view = now;
  return {
    restore() {
      if (view.buffer !== memory.buffer) view = new Uint8Array(memory.buffer); // it has grown
      for (const { at, bytes } of segments) view.set(bytes, at);
    },
  };
}

function hasContent(bytes: Uint8Array, page: number): boolean {
  for (let at = page; at < page + PAGE; at++) if (bytes[at] !== 0) return true;
  return false;
}
