import { Database } from "bun:sqlite";
import { join } from "node:path";
import { readRegistry } from "./walk";

/** Sees every commit to registry.db; reads it whole only when there was one. */
export function watchRegistry(data: string) {
  const db = new Database(join(data, "registry.db"), { readonly: true });
  const version = db.query<{ data_version: number }, []>("PRAGMA data_version");
  const committed = () => version.get()?.data_version;
  let seen = committed();
  let before = readRegistry(data);

  return {
    /** The tables that are other than when they were last accepted. */
    changed(): string[] {
      const now = committed();
      if (now === seen) return [];
      const after = readRegistry(data);
      const tables = Object.keys(after).filter((table) => !Bun.deepEquals(after[table], before[table]));
      if (tables.length === 0) seen = now;
      return tables;
    },
    /** Takes what there is for granted, as soon as nothing has been committed for a moment. */
    async accept(): Promise<void> {
      if (committed() === seen) return;
      for (let quiet = 0; quiet < 3; quiet++) {
        await Bun.sleep(3);
        if (committed() === seen) continue;
        seen = committed();
        quiet = -1;
      }
      before = readRegistry(data);
    },
    [Symbol.dispose]: () => db.close(),
  };
}
