import type { Database } from "bun:sqlite";
import type { SqlValue, WriteStep } from "../../../platform/storage/storage-writer";

export function writeSteps(db: Database, steps: readonly WriteStep[]): void {
  db.transaction(() => {
    for (const { sql, columns } of steps)
      for (let row = 0; row < (columns[0]?.length ?? 0); row++)
        db.query<unknown, SqlValue[]>(sql).run(...columns.map((column) => column[row] as SqlValue));
  })();
}
