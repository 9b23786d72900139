-- Same shape as the outbox of registry.db, for notifications that are committed together with reports.
CREATE TABLE outbox (
  target_no INTEGER NOT NULL,
  id INTEGER NOT NULL,
  subscription_no INTEGER NOT NULL,
  type TEXT NOT NULL,
  order_key INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  retry_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (target_no, id)
) STRICT, WITHOUT ROWID;

-- Given up, from either outbox; kept for replay within bounds.
CREATE TABLE dead_letter (
  target_no INTEGER NOT NULL,
  id INTEGER NOT NULL,
  type TEXT NOT NULL,
  order_key INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  given_up_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (target_no, id)
) STRICT, WITHOUT ROWID;

-- One row per attempt. `delivered` stands before `id`, so that a flood of successes never pushes out the failures.
CREATE TABLE push_attempt (
  target_no INTEGER NOT NULL,
  delivered INTEGER NOT NULL, -- 0 or 1
  id INTEGER NOT NULL,
  notification_id INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  type TEXT NOT NULL,
  order_key INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  reason TEXT NOT NULL,
  status INTEGER,
  latency_ms INTEGER NOT NULL,
  PRIMARY KEY (target_no, delivered, id)
) STRICT, WITHOUT ROWID;
