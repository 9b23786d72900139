import type { Database } from "bun:sqlite";

/**
 * A part of a transaction that can be undone alone: what `work` did before it threw is gone when `failed` is told, and
 * what `failed` does stays. When undoing fails too, as on a full disk, that is thrown, and the whole transaction is lost.
 */
export function savepoint(db: Database, name: string) {
  const begin = db.query(`SAVEPOINT ${name}`);
  const release = db.query(`RELEASE ${name}`);
  const undo = db.query(`ROLLBACK TO ${name}`);
  return (work: () => void, failed: (error: unknown) => void): void => {
    begin.run();
    try {
      work();
    } catch (error) {
      undo.run();
      failed(error);
    } finally {
      release.run();
    }
  };
}
