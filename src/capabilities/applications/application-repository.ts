import { type Database, SQLiteError } from "bun:sqlite";
import { DomainError } from "../../platform/domain-error";
import type { AppId, Application } from "./application";

/** An application with what only this capability may see of it. */
export type StoredApplication = {
  readonly application: Application;
  readonly secretHash: string;
  readonly tokenGeneration: number;
  readonly signingGeneration: number;
};

/** What the file holds; only this module knows both this and `Application`. */
type Row = {
  no: number;
  id: AppId;
  name: string;
  description: string | null;
  industry: string | null;
  store_history: number;
  push_enabled: number;
  sign_pushes: number;
  calls_per_minute: number | null;
  frozen: number;
  secret_hash: string;
  token_generation: number;
  signing_generation: number;
  created_at_ms: number;
};
type Changeable = Pick<
  Row,
  "id" | "description" | "industry" | "store_history" | "push_enabled" | "sign_pushes" | "calls_per_minute" | "frozen"
>;
type Inserted = Omit<Row, "no" | "token_generation" | "signing_generation">;

export function applicationRepository(db: Database) {
  const selectAll = db.query<Row, []>("SELECT * FROM application ORDER BY no");
  const selectOne = db.query<Row, { id: AppId }>("SELECT * FROM application WHERE id = $id");
  const insert = db.query<Row, Inserted>(
    `INSERT INTO application (id, name, description, industry, store_history, push_enabled, sign_pushes,
       calls_per_minute, frozen, secret_hash, token_generation, signing_generation, created_at_ms)
     VALUES ($id, $name, $description, $industry, $store_history, $push_enabled, $sign_pushes,
       $calls_per_minute, $frozen, $secret_hash, 0, 0, $created_at_ms)
     RETURNING *`,
  );
  const update = db.query<Row, Changeable>(
    `UPDATE application SET description = $description, industry = $industry, store_history = $store_history,
       push_enabled = $push_enabled, sign_pushes = $sign_pushes, calls_per_minute = $calls_per_minute, frozen = $frozen
     WHERE id = $id RETURNING *`,
  );
  const remove = db.query<null, { id: AppId }>("DELETE FROM application WHERE id = $id");
  const setSecret = db.query<Row, { id: AppId; secretHash: string }>(
    `UPDATE application SET secret_hash = $secretHash, token_generation = token_generation + 1
     WHERE id = $id RETURNING *`,
  );
  const newSigningSecret = db.query<Row, { id: AppId }>(
    "UPDATE application SET signing_generation = signing_generation + 1 WHERE id = $id RETURNING *",
  );
  const advance = db.query<Row, { no: number; secretHash: string }>(
    `UPDATE application SET token_generation = token_generation + 1
     WHERE no = $no AND secret_hash = $secretHash RETURNING *`,
  );
  const advanceFrom = db.query<Row, { no: number; secretHash: string; from: number }>(
    `UPDATE application SET token_generation = token_generation + 1
     WHERE no = $no AND secret_hash = $secretHash AND token_generation = $from RETURNING *`,
  );

  return {
    all: (): StoredApplication[] => selectAll.all().map(toStored),
    find: (id: AppId): StoredApplication | undefined => toStoredOrNone(selectOne.get({ id })),

    /** Throws APP_NAME_TAKEN. */
    add(application: Omit<Application, "no">, secretHash: string): StoredApplication {
      try {
        const { id, name } = application;
        const row = insert.get({
          ...toChangeable(application),
          id,
          name,
          secret_hash: secretHash,
          created_at_ms: application.createdAt,
        });
        if (!row) throw new Error("INSERT … RETURNING gave no row");
        return toStored(row);
      } catch (error) {
        const taken = error instanceof SQLiteError && error.code === "SQLITE_CONSTRAINT_UNIQUE";
        throw taken ? new DomainError("APP_NAME_TAKEN", { name: application.name }) : error;
      }
    },

    update: (application: Application): StoredApplication | undefined =>
      toStoredOrNone(update.get(toChangeable(application))),

    /** Throws APP_IN_USE when rows of other tables still refer to it. */
    remove(id: AppId): void {
      try {
        remove.run({ id });
      } catch (error) {
        const inUse = error instanceof SQLiteError && error.code === "SQLITE_CONSTRAINT_FOREIGNKEY";
        throw inUse ? new DomainError("APP_IN_USE", { appId: id }) : error;
      }
    },

    /** Also voids every token. */
    setSecret: (id: AppId, secretHash: string): StoredApplication | undefined =>
      toStoredOrNone(setSecret.get({ id, secretHash })),

    newSigningSecret: (id: AppId): StoredApplication | undefined => toStoredOrNone(newSigningSecret.get({ id })),

    /** A new token generation, unless the secret, or the generation `from`, is no longer the one. */
    advanceTokens: (no: number, secretHash: string, from?: number): StoredApplication | undefined =>
      toStoredOrNone(from === undefined ? advance.get({ no, secretHash }) : advanceFrom.get({ no, secretHash, from })),
  };
}
export type ApplicationRepository = ReturnType<typeof applicationRepository>;

const toStoredOrNone = (row: Row | null) => (row ? toStored(row) : undefined);

function toStored(row: Row): StoredApplication {
  return {
    application: {
      no: row.no,
      id: row.id,
      name: row.name,
      description: row.description ?? undefined,
      industry: row.industry ?? undefined,
      storeHistory: row.store_history === 1,
      pushEnabled: row.push_enabled === 1,
      signPushes: row.sign_pushes === 1,
      callsPerMinute: row.calls_per_minute ?? undefined,
      frozen: row.frozen === 1,
      createdAt: row.created_at_ms,
    },
    secretHash: row.secret_hash,
    tokenGeneration: row.token_generation,
    signingGeneration: row.signing_generation,
  };
}

function toChangeable(application: Omit<Application, "no">): Changeable {
  return {
    id: application.id,
    description: application.description ?? null,
    industry: application.industry ?? null,
    store_history: Number(application.storeHistory),
    push_enabled: Number(application.pushEnabled),
    sign_pushes: Number(application.signPushes),
    calls_per_minute: application.callsPerMinute ?? null,
    frozen: Number(application.frozen),
  };
}
