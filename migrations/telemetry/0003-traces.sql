-- Why a login, a report or a command was refused or accepted; short-lived.
CREATE TABLE trace (
  no INTEGER PRIMARY KEY,
  device_no INTEGER,
  claimed_id TEXT,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT
) STRICT;
CREATE INDEX trace_device ON trace (device_no, no) WHERE device_no IS NOT NULL;
CREATE INDEX trace_claimed ON trace (claimed_id, no) WHERE claimed_id IS NOT NULL;
