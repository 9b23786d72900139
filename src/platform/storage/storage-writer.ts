import type { Durability } from "./open-database";

export type SqlValue = string | number | null | Uint8Array;

/** One statement, run once per row. Column-wise (`columns[c][row]`), because that crosses threads fastest. */
export type WriteStep = { readonly sql: string; readonly columns: readonly (readonly SqlValue[])[] };

/** A row that is to be committed in somebody else's transaction; `committed` is called when it is on disk. */
export type EnclosedRow = { readonly sql: string; readonly values: readonly SqlValue[]; committed?(): void };

/** The writing side of `telemetry.db`: a thread of its own, so that a slow disk never stalls the sockets. */
export interface StorageWriter {
  /**
   * Writes all steps in one transaction, in the order of the calls; calls that wait together share one commit.
   * Resolves when it is on disk; rejects when nothing of it is. `took` hears how long these statements held the thread,
   * without the wait for their turn and without the disk.
   */
  commit(steps: readonly WriteStep[], took?: (ms: number) => void): Promise<void>;
  /** Commits what is waiting, checkpoints and ends the thread. */
  close(): Promise<void>;
}

type Waiting = { resolve(): void; reject(error: Error): void; took: ((ms: number) => void) | undefined };

export type WriterRequest =
  | { type: "open"; path: string; durability: Durability }
  | { type: "commit"; id: number; steps: readonly WriteStep[] }
  | { type: "close" };
export type WriterReply =
  | { type: "opened" }
  | { type: "committed"; ids: number[]; tookMs: number[] }
  | { type: "failed"; id: number; message: string }
  | { type: "closed" };

// In the compiled binary all modules are one file, and threads lie beside it by their path below src/ (scripts/build.ts).
const THREAD = import.meta.url.includes("/$bunfs/") ? "./platform/storage/writer-thread.js" : "./writer-thread.ts";

export type StorageWriterThread = StorageWriter & {
  /** Resolves when the thread died; nothing can be written from then on. */
  readonly failed: Promise<Error>;
};

/** Starts the thread on a database that `openDatabase` has migrated. Rejects when it cannot be opened. */
export async function startStorageWriter(path: string, durability: Durability): Promise<StorageWriterThread> {
  const thread = new Worker(new URL(THREAD, import.meta.url).href);
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let broken: Error | undefined;
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<Error>();

  thread.onmessage = ({ data }: MessageEvent<WriterReply>) => {
    switch (data.type) {
      case "opened":
        opened.resolve();
        return;
      case "committed":
        for (const [index, id] of data.ids.entries()) {
          const entry = take(id);
          entry?.took?.(data.tookMs[index] ?? 0);
          entry?.resolve();
        }
        return;
      case "failed":
        take(data.id)?.reject(new Error(`telemetry write failed: ${data.message}`));
        return;
      case "closed":
        closed.resolve();
        return;
      default:
        data satisfies never;
    }
  };
  thread.onerror = ({ message }) => {
    broken = new Error(`telemetry writer thread failed: ${message}`);
    opened.reject(broken);
    closed.resolve();
    failed.resolve(broken);
    for (const id of [...waiting.keys()]) take(id)?.reject(broken);
  };

  function take(id: number) {
    const entry = waiting.get(id);
    waiting.delete(id);
    return entry;
  }
  const post = (request: WriterRequest) => thread.postMessage(request);

  post({ type: "open", path, durability });
  await opened.promise;

  return {
    failed: failed.promise,
    commit(steps, took) {
      if (broken) return Promise.reject(broken);
      return new Promise((resolve, reject) => {
        const id = ++lastId;
        waiting.set(id, { resolve, reject, took });
        post({ type: "commit", id, steps });
      });
    },
    async close() {
      if (!broken) post({ type: "close" });
      broken ??= new Error("telemetry writer is closed"); // a later commit would wait for ever
      await closed.promise;
      thread.terminate();
    },
  };
}
