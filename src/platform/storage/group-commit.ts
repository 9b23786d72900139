import type { Database } from "bun:sqlite";
import { savepoint } from "./savepoint";

/**
 * Short transactions of the main thread, many to a commit: all work that was asked for in one turn of the event loop
 * shares one BEGIN … COMMIT (one fsync). Work that throws is undone alone, by its savepoint.
 */
export interface Transactor {
  /**
   * Runs `work` in the next commit and resolves with its result when that commit is on disk.
   * `work` must be synchronous. Rejects with what `work` threw, or with the error of the commit.
   */
  write<T>(work: () => T): Promise<T>;
  /** Only inside `work`: `run` is called after the commit, and not at all if this work is undone. */
  afterCommit(run: () => void): void;
  /** Resolves when nothing is waiting to be committed. */
  settled(): Promise<void>;
}

type Entry = {
  work: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  result?: { value: unknown } | { error: unknown };
  hooks: (() => void)[];
};

export function groupCommit(db: Database, schedule: (run: () => void) => void = setImmediate): Transactor {
  const begin = db.query("BEGIN IMMEDIATE");
  const commit = db.query("COMMIT");
  const alone = savepoint(db, "work");
  let queue: Entry[] = [];
  let current: Entry | undefined;
  let idle = Promise.resolve();
  let becomeIdle = () => {};

  function flush(): void {
    const entries = queue;
    queue = [];
    try {
      begin.run();
      for (const entry of entries) runOne(entry);
      commit.run();
    } catch (error) {
      if (db.inTransaction) db.run("ROLLBACK");
      for (const entry of entries) entry.reject(error);
      becomeIdle();
      return;
    }
    for (const entry of entries) settle(entry);
    becomeIdle();
  }

  function runOne(entry: Entry): void {
    current = entry;
    alone(
      () => {
        try {
          const value = entry.work();
          if (value instanceof Promise) throw new Error("work inside a transaction must be synchronous");
          entry.result = { value };
        } finally {
          current = undefined;
        }
      },
      (error) => {
        entry.result = { error };
      },
    );
  }

  function settle({ result, hooks, resolve, reject }: Entry): void {
    if (!result || "error" in result) {
      reject(result?.error);
      return;
    }
    try {
      for (const hook of hooks) hook();
      resolve(result.value);
    } catch (error) {
      reject(error); // the change is on disk; whoever waits must not read silence
    }
  }

  return {
    write<T>(work: () => T): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (queue.length === 0) {
          idle = new Promise((done) => {
            becomeIdle = done;
          });
          schedule(flush);
        }
        queue.push({ work, resolve: resolve as (value: unknown) => void, reject, hooks: [] });
      });
    },
    afterCommit(run) {
      if (!current) throw new Error("afterCommit is for work inside a transaction");
      current.hooks.push(run);
    },
    settled: () => idle,
  };
}
