import type { AppId } from "./application";
import type { StoredApplication } from "./application-repository";

/** All applications in memory, as of the last commit: hot paths ask here, and only `afterCommit` writes here. */
export function applicationDirectory(stored: readonly StoredApplication[]) {
  const byNo = new Map<number, StoredApplication>();
  const byId = new Map<string, StoredApplication>();
  function put(entry: StoredApplication): void {
    byNo.set(entry.application.no, entry);
    byId.set(entry.application.id, entry);
  }
  for (const entry of stored) put(entry);

  return {
    byId: (id: string): StoredApplication | undefined => byId.get(id),
    byNo: (no: number): StoredApplication | undefined => byNo.get(no),
    /** Oldest first. */
    all: (): StoredApplication[] => [...byNo.values()],
    count: (): number => byNo.size,
    put,
    remove(no: number, id: AppId): void {
      byNo.delete(no);
      byId.delete(id);
    },
  };
}
export type ApplicationDirectory = ReturnType<typeof applicationDirectory>;
