-- A known text under the master key: a wrong key is noticed before anything is sealed with it.
CREATE TABLE master_key_check (
  only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
  sealed BLOB NOT NULL
) STRICT;

-- Numbers are never used again (AUTOINCREMENT): telemetry.db refers to them without foreign keys.
CREATE TABLE application (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  description TEXT,
  industry TEXT,
  store_history INTEGER NOT NULL,
  push_enabled INTEGER NOT NULL,
  calls_per_minute INTEGER,
  frozen INTEGER NOT NULL,
  secret_hash TEXT NOT NULL,
  -- Tokens carry the number they were made with; a newer one voids them.
  token_generation INTEGER NOT NULL,
  sign_pushes INTEGER NOT NULL,
  -- The secret of signatures is derived from the master key, the id and this number; a new number makes a new secret.
  signing_generation INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE push_certificate (
  app_no INTEGER NOT NULL REFERENCES application (no) ON DELETE CASCADE,
  host_port TEXT NOT NULL,
  ca TEXT NOT NULL,
  check_common_name INTEGER NOT NULL,
  common_name TEXT,
  sni INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (app_no, host_port)
) STRICT, WITHOUT ROWID;

-- People who sign in to the console and the management API.
CREATE TABLE operator (
  username TEXT PRIMARY KEY,
  password_hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_session (
  token_hash BLOB PRIMARY KEY,
  username TEXT NOT NULL REFERENCES operator (username) ON DELETE CASCADE,
  expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operator_session_by_expiry ON operator_session (username, expires_at_ms);
