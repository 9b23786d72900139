-- Where pushes go: one row per application and callback address, of subscriptions and of commands alike.
-- AUTOINCREMENT: a number is never given twice, because rows in telemetry.db refer to it.
CREATE TABLE push_target (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  app_no INTEGER NOT NULL,
  callback_url TEXT NOT NULL,
  failed_retries INTEGER NOT NULL DEFAULT 0,
  invalid_since_ms INTEGER,
  UNIQUE (app_no, callback_url)
) STRICT;

CREATE TABLE subscription (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  app_no INTEGER NOT NULL,
  app_id TEXT NOT NULL,
  owner_app_no INTEGER NOT NULL,
  notify_type TEXT NOT NULL,
  channel TEXT NOT NULL,
  callback_url TEXT NOT NULL,
  target_no INTEGER NOT NULL REFERENCES push_target (no),
  created_ms INTEGER NOT NULL,
  UNIQUE (app_no, notify_type, channel, owner_app_no)
) STRICT;
CREATE INDEX subscription_by_target ON subscription (target_no);

-- Same shape as the outbox of telemetry.db. Delivered rows are deleted; ids come from one sequence for both.
-- created_ms and retry_ms are on a clock that does not jump while the process lives (see steady-time.ts).
CREATE TABLE outbox (
  target_no INTEGER NOT NULL,
  id INTEGER NOT NULL,
  subscription_no INTEGER NOT NULL, -- 0: not from a subscription (a command's own address, a replay)
  type TEXT NOT NULL,
  order_key INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  retry_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (target_no, id)
) STRICT, WITHOUT ROWID;
