import type { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import { randomText, type SecretHashes } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { CredentialCheck } from "./credential-check";

export const ADMIN = "admin";
export type Operator = { readonly username: string };

/** Sessions of people at the management API. */
export interface ManagementSessions {
  /** Throws UNAUTHENTICATED, and CONGESTED when too many attempts wait. `expiresAt` in ms. */
  signIn(username: string, password: string): Promise<{ token: string; expiresAt: number }>;
  /** One indexed read. */
  verify(token: string): Operator | undefined;
  /** Nothing happens for a token that is not valid. */
  signOut(token: string): Promise<void>;
}

export interface Operators {
  /**
   * At the very first start makes the user `admin`, with the configured password or a generated one, which is in this
   * answer only. Does nothing when there is a user.
   */
  ensureAdmin(configuredPassword: string | undefined): Promise<{ created: boolean; generatedPassword?: string }>;
}

export type SessionSettings = {
  readonly sessionMs: number;
  /** Open sessions of one user; a further one ends the one that would expire first. */
  readonly maxSessionsPerUser: number;
};
export const SESSION_DEFAULTS: SessionSettings = { sessionMs: 12 * 3_600_000, maxSessionsPerUser: 100 };

type Parts = {
  db: Database;
  transactor: Transactor;
  hashes: SecretHashes;
  checkCredentials: CredentialCheck;
  clock: Clock;
  settings?: SessionSettings;
};

const TOKEN_LENGTH = 43; // 256 random bits
const GENERATED_PASSWORD_LENGTH = 20;

export function operators(parts: Parts): Operators & ManagementSessions {
  const { db, transactor, hashes, checkCredentials, clock } = parts;
  const { sessionMs, maxSessionsPerUser } = parts.settings ?? SESSION_DEFAULTS;
  const countUsers = db.query<{ count: number }, []>("SELECT COUNT(*) AS count FROM operator");
  const insertUser = db.query("INSERT INTO operator (username, password_hash, created_at_ms) VALUES (?, ?, ?)");
  const selectHash = db.query<{ password_hash: string }, [string]>(
    "SELECT password_hash FROM operator WHERE username = ?",
  );
  const insertSession = db.query("INSERT INTO operator_session (token_hash, username, expires_at_ms) VALUES (?, ?, ?)");
  const deleteOld = db.query("DELETE FROM operator_session WHERE username = ? AND expires_at_ms <= ?");
  const deleteSurplus = db.query(
    `DELETE FROM operator_session WHERE token_hash IN (
       SELECT token_hash FROM operator_session WHERE username = ? ORDER BY expires_at_ms DESC LIMIT -1 OFFSET ?)`,
  );
  const selectSession = db.query<{ username: string }, [Uint8Array, number]>(
    "SELECT username FROM operator_session WHERE token_hash = ? AND expires_at_ms > ?",
  );
  const deleteSession = db.query("DELETE FROM operator_session WHERE token_hash = ?");
  const hashOf = (username: string) => selectHash.get(username)?.password_hash;

  return {
    async ensureAdmin(configuredPassword) {
      if ((countUsers.get()?.count ?? 0) > 0) return { created: false };
      const password = configuredPassword ?? randomText(GENERATED_PASSWORD_LENGTH);
      const hash = await hashes.hash(password);
      await transactor.write(() => insertUser.run(ADMIN, hash, clock.now()));
      return configuredPassword === undefined ? { created: true, generatedPassword: password } : { created: true };
    },

    async signIn(username, password) {
      if (!(await checkCredentials(username, password, hashOf(username)))) throw new DomainError("UNAUTHENTICATED");
      const token = randomText(TOKEN_LENGTH);
      const now = clock.now();
      const expiresAt = now + sessionMs;
      await transactor.write(() => {
        deleteOld.run(username, now);
        insertSession.run(tokenHash(token), username, expiresAt);
        deleteSurplus.run(username, maxSessionsPerUser);
      });
      return { token, expiresAt };
    },

    verify(token) {
      const row = selectSession.get(tokenHash(token), clock.now());
      return row ? { username: row.username } : undefined;
    },

    async signOut(token) {
      await transactor.write(() => deleteSession.run(tokenHash(token)));
    },
  };
}

// Fast is enough for 256 random bits, and whoever reads the database cannot sign in with what stands there.
const tokenHash = (token: string): Uint8Array => createHash("sha256").update(token).digest();
