import type { Database } from "bun:sqlite";
import { HEALTHY, type TargetHealth } from "./target-health";

/** Where pushes go: a callback URL of an application, or a topic of it. */
export type PushTarget = {
  readonly no: number;
  readonly appNo: number;
  readonly callbackUrl: string;
};
export type StoredTarget = PushTarget & { readonly health: TargetHealth };

type TargetRow = {
  no: number;
  app_no: number;
  callback_url: string;
  failed_retries: number;
  invalid_since_ms: number | null;
};

export type TargetRepository = ReturnType<typeof targetRepository>;

/** Rows of `push_target` in registry.db. */
export function targetRepository(db: Database) {
  const selectAll = db.query<TargetRow, []>("SELECT * FROM push_target");
  const selectOne = db.query<{ no: number }, [number, string]>(
    "SELECT no FROM push_target WHERE app_no = ? AND callback_url = ?",
  );
  const insert = db.query<{ no: number }, [number, string]>(
    "INSERT INTO push_target (app_no, callback_url) VALUES (?, ?) RETURNING no",
  );
  const updateHealth = db.query<null, [number, number | null, number]>(
    "UPDATE push_target SET failed_retries = ?, invalid_since_ms = ? WHERE no = ?",
  );
  // The conditions are asked again in the transaction: a subscription may have come in between.
  const removeIdle = db.query<null, [number]>(
    `DELETE FROM push_target WHERE no = ?1
       AND NOT EXISTS (SELECT 1 FROM subscription WHERE target_no = ?1)
       AND NOT EXISTS (SELECT 1 FROM outbox WHERE target_no = ?1)`,
  );
  const ofApplication = db.query<{ no: number }, [number]>("SELECT no FROM push_target WHERE app_no = ?");
  const removeRows = db.query<null, [number]>("DELETE FROM outbox WHERE target_no = ?");
  const remove = db.query<null, [number]>("DELETE FROM push_target WHERE no = ?");

  return {
    all: (): StoredTarget[] =>
      selectAll.all().map((row) => ({
        no: row.no,
        appNo: row.app_no,
        callbackUrl: row.callback_url,
        health:
          row.invalid_since_ms === null
            ? { ...HEALTHY, failedRetries: row.failed_retries }
            : { state: "invalid", since: row.invalid_since_ms },
      })),
    find: (appNo: number, callbackUrl: string): number | undefined => selectOne.get(appNo, callbackUrl)?.no,
    add(appNo: number, callbackUrl: string): PushTarget {
      const row = insert.get(appNo, callbackUrl);
      if (!row) throw new Error("push_target was not inserted");
      return { no: row.no, appNo, callbackUrl };
    },
    saveHealth(no: number, health: TargetHealth): void {
      if (health.state === "valid") updateHealth.run(health.failedRetries, null, no);
      else updateHealth.run(0, health.since, no);
    },
    /** True when it was deleted: nothing refers to it. */
    removeIfIdle: (no: number): boolean => removeIdle.run(no).changes > 0,
    /** With what is queued in registry.db. Subscriptions must be gone. */
    removeOfApplication(appNo: number): number[] {
      const numbers = ofApplication.all(appNo).map(({ no }) => no);
      for (const no of numbers) {
        removeRows.run(no);
        remove.run(no);
      }
      return numbers;
    },
  };
}
