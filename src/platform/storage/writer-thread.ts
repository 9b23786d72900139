import type { Database } from "bun:sqlite";
import { systemClock } from "../clock";
import { openForWriting } from "./open-database";
import type { SqlValue, WriterReply, WriterRequest, WriteStep } from "./storage-writer";

declare const self: Worker;

/** The thread behind `StorageWriter`: everything that arrived while the last commit was written shares the next one. */
type Commit = Extract<WriterRequest, { type: "commit" }>;

let db: Database | undefined;
let queue: Commit[] = [];
const reply = (message: WriterReply) => self.postMessage(message);

self.onmessage = ({ data }: MessageEvent<WriterRequest>) => {
  switch (data.type) {
    case "open":
      db = openForWriting(data.path, data.durability);
      db.run("PRAGMA cache_size = -65536"); // 64 MiB: the index of the history stays in memory
      db.run("PRAGMA wal_autocheckpoint = 4000");
      reply({ type: "opened" });
      return;
    case "commit":
      if (queue.push(data) === 1) setImmediate(flush);
      return;
    case "close":
      flush();
      db?.run("PRAGMA wal_checkpoint(TRUNCATE)");
      db?.close();
      reply({ type: "closed" });
      return;
    default:
      data satisfies never;
  }
};

function flush(): void {
  const commits = queue;
  queue = [];
  if (!db || commits.length === 0) return;
  try {
    const tookMs = transact(db, commits);
    reply({ type: "committed", ids: commits.map(({ id }) => id), tookMs });
  } catch {
    for (const commit of commits) transactAlone(db, commit); // one bad neighbour must not fail the others
  }
}

function transactAlone(database: Database, commit: Commit): void {
  try {
    const tookMs = transact(database, [commit]);
    reply({ type: "committed", ids: [commit.id], tookMs });
  } catch (error) {
    fail(commit, error);
  }
}

function fail({ id }: Commit, error: unknown): void {
  reply({ type: "failed", id, message: error instanceof Error ? error.message : String(error) });
}

function transact(database: Database, commits: readonly Commit[]): number[] {
  database.run("BEGIN IMMEDIATE");
  try {
    const tookMs = commits.map(({ steps }) => {
      const since = systemClock.monotonic();
      for (const step of steps) runStep(database, step);
      return systemClock.monotonic() - since;
    });
    database.run("COMMIT");
    return tookMs;
  } catch (error) {
    if (database.inTransaction) database.run("ROLLBACK");
    throw error;
  }
}

function runStep(database: Database, { sql, columns }: WriteStep): void {
  const statement = database.query<unknown, SqlValue[]>(sql);
  const rows = columns[0]?.length ?? 0;
  const row: SqlValue[] = new Array(columns.length);
  for (let index = 0; index < rows; index++) {
    for (let column = 0; column < columns.length; column++) row[column] = columns[column]?.[index] as SqlValue;
    statement.run(...row);
  }
}
