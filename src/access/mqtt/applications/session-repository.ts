import type { Database } from "bun:sqlite";

type SessionRow = { no: number; expires_ms: number | null };

/** Persistent sessions of applications, in registry.db. */
export function applicationSessionRepository(db: Database) {
  const find = db.query<SessionRow, [number, string]>(
    "SELECT no, expires_ms FROM mqtt_application_session WHERE app_no = ? AND client_id = ?",
  );
  const count = db.query<{ sessions: number }, [number]>(
    "SELECT count(*) AS sessions FROM mqtt_application_session WHERE app_no = ?",
  );
  const create = db.query<{ no: number }, [number, string]>(
    "INSERT INTO mqtt_application_session (app_no, client_id) VALUES (?, ?) RETURNING no",
  );
  const setExpiry = db.query<null, [number | null, number]>(
    "UPDATE mqtt_application_session SET expires_ms = ? WHERE no = ?",
  );
  const expireAll = db.query<null, [number]>(
    "UPDATE mqtt_application_session SET expires_ms = ? WHERE expires_ms IS NULL",
  );
  const remove = db.query<null, [number]>("DELETE FROM mqtt_application_session WHERE no = ?");
  const removeExpired = db.query<null, [number, number]>(
    `DELETE FROM mqtt_application_session WHERE no IN
       (SELECT no FROM mqtt_application_session WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)`,
  );
  const filters = db.query<{ filter: string }, [number]>(
    "SELECT filter FROM mqtt_application_subscription WHERE session_no = ?",
  );
  const subscribe = db.query<null, [number, string]>(
    "INSERT OR IGNORE INTO mqtt_application_subscription (session_no, filter) VALUES (?, ?)",
  );
  const unsubscribe = db.query<null, [number, string]>(
    "DELETE FROM mqtt_application_subscription WHERE session_no = ? AND filter = ?",
  );

  return {
    find: (appNo: number, clientId: string) => find.get(appNo, clientId) ?? undefined,
    /** Of an application, expired ones included. */
    count: (appNo: number): number => count.get(appNo)?.sessions ?? 0,
    create: (appNo: number, clientId: string): number => (create.get(appNo, clientId) as { no: number }).no,
    /** `at` undefined: not while it is connected. */
    expireAt: (no: number, at: number | undefined) => void setExpiry.run(at ?? null, no),
    /** At the start nobody is connected, whatever the file says. */
    expireAllAt: (at: number) => void expireAll.run(at),
    remove: (no: number) => void remove.run(no),
    removeExpired: (now: number, limit: number) => void removeExpired.run(now, limit),
    filters: (no: number): string[] => filters.all(no).map(({ filter }) => filter),
    subscribe: (no: number, filter: string) => void subscribe.run(no, filter),
    unsubscribe: (no: number, filter: string) => void unsubscribe.run(no, filter),
  };
}
export type ApplicationSessionRepository = ReturnType<typeof applicationSessionRepository>;
